// @ts-check
/**
 * The particle demo (site/programs/particles.c) in plain JavaScript, for `build.py bench --only frames`: the same steps by as
 * many workers, the vertices in shared memory, and our renderer on an OffscreenCanvas.
 */
const STRIDE = 6; // floats of a vertex: x, y, red, green, blue, alpha

const WORKER = `
onmessage = async ({ data: m }) => {
  const { FrameProducer } = m.me === 0 ? await import(m.frames) : {};
  const gate = new Int32Array(m.gate), speed = new Float32Array(m.speed), shown = new Float32Array(m.shown);
  const f = Math.fround, [from, to] = [Math.floor(m.count * m.me / m.threads), Math.floor(m.count * (m.me + 1) / m.threads)];
  const move = (ax, ay) => {
    for (let i = from, v = from * ${STRIDE}; i < to; i++, v += ${STRIDE}) {
      const dx = f(ax - shown[v]), dy = f(ay - shown[v + 1]), pull = f(0.0004 / f(f(dx * dx) + f(dy * dy) + 0.02));
      const vx = speed[2 * i] = f(f(speed[2 * i] + dx * pull) * 0.995), vy = speed[2 * i + 1] = f(f(speed[2 * i + 1] + dy * pull) * 0.995);
      shown[v] += vx, shown[v + 1] += vy;
      const fast = Math.min(1, 40 * (Math.abs(vx) + Math.abs(vy)));
      shown[v + 2] = 0.2 + 0.8 * fast, shown[v + 3] = 0.5, shown[v + 4] = 1 - 0.7 * fast;
    }
  };
  const aim = (n) => [0.5 * Math.cos(n / 90), 0.5 * Math.sin(n / 60)];
  // gate[0]: step that may be made; gate[1]: workers that have made it
  if (m.me > 0) {
    for (let n = 1; ; n++) {
      while (Atomics.load(gate, 0) < n) Atomics.wait(gate, 0, n - 1);
      move(...aim(n));
      Atomics.add(gate, 1, 1), Atomics.notify(gate, 1);
    }
  }
  const producer = new FrameProducer(m.channel.memory, m.channel.address);
  const bytes = new Uint8Array(m.shown);
  for (let n = 1; ; n++) {
    Atomics.store(gate, 0, n), Atomics.notify(gate, 0);
    move(...aim(n));
    for (let done; (done = Atomics.load(gate, 1)) < (m.threads - 1) * n; ) Atomics.wait(gate, 1, done);
    producer.back().set(bytes);
    producer.publish({ kind: 3, width: m.count, height: 1, stride: ${STRIDE * 4}, format: 16, bytes: bytes.length });
  }
};`;

/** Frames a second that were drawn. @param {number} count @param {number} threads @param {number} ms @returns {Promise<number>} */
export async function run(count, threads, ms) {
  const frames = new URL("/shim/frames.js", location.href).href;
  const { makeChannel } = await import(frames);
  const [shown, speed, gate] = [new SharedArrayBuffer(count * STRIDE * 4), new SharedArrayBuffer(count * 8), new SharedArrayBuffer(8)];
  const [at, by] = [new Float32Array(shown), new Float32Array(speed)];
  for (let i = 0; i < count; i++) {
    const [turn, far] = [i * 2.39996, Math.sqrt(i / count)];
    at.set([far * Math.cos(turn), far * Math.sin(turn), 0, 0, 0, 0.6], i * STRIDE);
    by.set([-0.01 * Math.sin(turn), 0.01 * Math.cos(turn)], 2 * i);
  }
  const channel = makeChannel(shown.byteLength);
  const renderer = new Worker("/shim/frame_renderer.js", { type: "module" });
  const canvas = /** @type {HTMLCanvasElement} */ (document.querySelector("canvas")).transferControlToOffscreen();
  renderer.postMessage({ t: "start", canvas, memory: channel.memory, address: channel.address, boot_ms: performance.timeOrigin }, [canvas]);
  const workers = [];
  for (let me = 0; me < threads; me++) {
    const worker = new Worker(URL.createObjectURL(new Blob([WORKER], { type: "text/javascript" })), { type: "module" });
    worker.postMessage({ me, threads, count, shown, speed, gate, channel, frames });
    workers.push(worker);
  }
  const stats = () =>
    new Promise((done) => {
      const heard = (/** @type {MessageEvent} */ e) => e.data.t === "stats" && (renderer.removeEventListener("message", heard), done(e.data.frames));
      renderer.addEventListener("message", heard);
      renderer.postMessage({ t: "stats" });
    });
  const wait = (/** @type {number} */ n) => new Promise((done) => setTimeout(done, n));
  await wait(2000);
  const [before, began] = [await stats(), performance.now()];
  await wait(ms);
  const rate = (((await stats()) - before) * 1000) / (performance.now() - began);
  for (const worker of [renderer, ...workers]) worker.terminate();
  return rate;
}
