// @ts-check
/**
 * `build.py bench --only queues`, in the page: records a second through a queue, and the time of a ping-pong, beside a ring
 * under a mutex (Atomics wait and notify as well) and beside postMessage. Two workers each; the page only waits.
 */
const RECORD_BYTES = 32;
const CAPACITY = 1 << 16;

const COMMON = `
import { Queue } from "${new URL("/tidemark/queue.js", location.href)}";
const RECORD = ${RECORD_BYTES};

/** A ring of whole records under one lock: what a queue is compared with. */
class MutexRing {
  constructor(buffer) {
    this.w = new Int32Array(buffer, 0, 8); // lock, head, tail, pushed, popped
    this.bytes = new Uint8Array(buffer, 64);
    this.slots = this.bytes.length / RECORD;
  }
  lock() {
    while (Atomics.compareExchange(this.w, 0, 0, 1) !== 0) Atomics.exchange(this.w, 0, 2) !== 0 ? (Atomics.wait(this.w, 0, 2, 1)) : Atomics.store(this.w, 0, 0);
  }
  unlock() {
    if (Atomics.exchange(this.w, 0, 0) === 2) Atomics.notify(this.w, 0, 1);
  }
  pushWait(record) {
    for (;;) {
      this.lock();
      const seen = Atomics.load(this.w, 4);
      const room = this.w[2] - this.w[1] < this.slots;
      if (room) this.bytes.set(record, (this.w[2]++ % this.slots) * RECORD);
      this.unlock();
      if (room) return Atomics.add(this.w, 3, 1), Atomics.notify(this.w, 3);
      Atomics.wait(this.w, 4, seen);
    }
  }
  popWait() {
    for (;;) {
      this.lock();
      const seen = Atomics.load(this.w, 3);
      const some = this.w[1] < this.w[2];
      let record;
      if (some) record = this.bytes.slice((this.w[1] % this.slots) * RECORD, (this.w[1] % this.slots) * RECORD + RECORD), this.w[1]++;
      this.unlock();
      if (some) return Atomics.add(this.w, 4, 1), Atomics.notify(this.w, 4), record;
      Atomics.wait(this.w, 3, seen);
    }
  }
}
const open = (kind, buffer) => kind === "mutex" ? new MutexRing(buffer) : new Queue(buffer);
`;
const WORKER = `${COMMON}
const record = new Uint8Array(RECORD);
let port = null, got = 0;
onmessage = ({ data: m }) => {
  if (m.role === "push") {
    const q = open(m.kind, m.there);
    for (let n = 0; n < m.count; n++) q.pushWait(record);
    postMessage("pushed");
  } else if (m.role === "pop") {
    const q = open(m.kind, m.there);
    for (let n = 0; n < m.count; n++) q.popWait();
    postMessage("popped");
  } else if (m.role === "ping") {
    const there = open(m.kind, m.there), back = open(m.kind, m.back), times = [];
    for (let n = 0; n < m.count; n++) {
      const began = performance.now();
      for (let i = 0; i < 10; i++) there.pushWait(record), back.popWait();
      times.push((performance.now() - began) * 100);
    }
    times.sort((a, b) => a - b);
    postMessage(times[times.length >> 1]);
  } else if (m.role === "pong") {
    const there = open(m.kind, m.there), back = open(m.kind, m.back);
    for (let n = 0; n < m.count * 10; n++) there.popWait(), back.pushWait(record);
    postMessage("ponged");
  } else if (m.role === "post") {
    for (let n = 0; n < m.count; n++) m.port.postMessage(record);
    postMessage("pushed");
  } else if (m.role === "take") {
    m.port.onmessage = () => ++got === m.count && postMessage("popped");
  } else if (m.role === "post ping") {
    let n = 0, began = performance.now();
    const times = [];
    m.port.onmessage = () => {
      if (++n % 10 === 0) {
        times.push((performance.now() - began) * 100);
        began = performance.now();
        if (times.length === m.count) return postMessage(times.sort((a, b) => a - b)[m.count >> 1]);
      }
      m.port.postMessage(record);
    };
    m.port.postMessage(record);
  } else if (m.role === "post pong") m.port.onmessage = () => m.port.postMessage(record);
  else postMessage("ready");
};`;

/** @param {string} kind */
async function memory(kind) {
  const { makeQueue } = await import(/** @type {string} */ ("/tidemark/queue.js"));
  return kind === "mutex" ? new SharedArrayBuffer(64 + CAPACITY) : makeQueue(CAPACITY, kind === "mpsc");
}

/** @returns {Promise<Worker>} */
const begin = () =>
  new Promise((done, fail) => {
    const worker = new Worker(URL.createObjectURL(new Blob([WORKER], { type: "text/javascript" })), { type: "module" });
    worker.onmessage = () => done(worker);
    worker.onerror = (e) => fail(new Error(e.message));
    worker.postMessage({ role: "hello" });
  });

/** @param {Worker} worker @param {any} message @param {Transferable[]} [transfer] @returns {Promise<any>} */
const ask = (worker, message, transfer = []) =>
  new Promise((done, fail) => {
    worker.onmessage = (e) => done(e.data);
    worker.onerror = (e) => fail(new Error(e.message));
    worker.postMessage(message, transfer);
  });

/** @param {string} kind @param {number} records @param {number} pings */
async function one(kind, records, pings) {
  const [a, b] = await Promise.all([begin(), begin()]);
  const post = kind === "postMessage";
  const line = () => {
    const { port1, port2 } = new MessageChannel();
    return { a: post ? [{ port: port1 }, [port1]] : [{}, []], b: post ? [{ port: port2 }, [port2]] : [{}, []] };
  };
  let [there, back] = post ? [null, null] : await Promise.all([memory(kind), memory(kind)]);
  let l = /** @type {any} */ (line());
  const began = performance.now();
  const taken = ask(b, { role: post ? "take" : "pop", kind, there, count: records, ...l.b[0] }, l.b[1]);
  ask(a, { role: post ? "post" : "push", kind, there, count: records, ...l.a[0] }, l.a[1]);
  await taken;
  const rate = records / (performance.now() - began) / 1000;
  [there, back] = post ? [null, null] : await Promise.all([memory(kind), memory(kind)]);
  l = line();
  const [c, d] = await Promise.all([begin(), begin()]);
  ask(d, { role: post ? "post pong" : "pong", kind, there, back, count: pings, ...l.b[0] }, l.b[1]);
  const round_us = await ask(c, { role: post ? "post ping" : "ping", kind, there, back, count: pings, ...l.a[0] }, l.a[1]);
  for (const worker of [a, b, c, d]) worker.terminate();
  return { kind, rate, round_us };
}

/** Millions of records a second and microseconds a round trip, for each kind. @param {number} rounds */
export async function bench(rounds) {
  const found = [];
  for (let n = 0; n < rounds; n++) {
    for (const kind of ["spsc", "mpsc", "mutex", "postMessage"]) found.push(await one(kind, kind === "postMessage" ? 50_000 : 300_000, 100));
  }
  return found;
}
