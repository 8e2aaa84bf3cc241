// @ts-check
/**
 * A worker that shows a frame channel on an OffscreenCanvas, so that the page's own thread draws nothing: by WebGPU, or
 * WebGL2 where there is none, or 2D. Frames are taken when they come and at most once per animation frame; a picture is scaled
 * to the canvas (the page sizes it), vertices fill it. A lost context is made anew, and the picture with it.
 *
 * Messages in: start {canvas, memory, address, poll_ms, pixelated}, resize {width, height}, stop. Out: shown {number,
 * kind, width, height} at each new size or kind, ended, stale, stats {frames, latency_us: [p50, p99, max]} on demand
 * (stats), pixels on demand (read).
 */
import { FrameConsumer, StaleHandle } from "./frames.js";
import { GpuPainter, gpuDevice } from "./gpu_painter.js";
import { rgba, scan } from "./pixels.js";
import { FRAME_FORMAT, FRAME_KIND } from "./gen/abi.js";
import { parentPeer } from "./platform.js";

const parent = parentPeer();
const SAMPLES = 1024;
const FRAME_MS = 16;

/** @typedef {import("./frames.js").Frame} Frame @typedef {GpuPainter | GlPainter | FlatPainter} Painter */

const VERTEX_SHADER = `#version 300 es
in vec2 at; in vec4 colour; uniform float size; out vec4 paint;
void main() { gl_Position = vec4(at, 0.0, 1.0); gl_PointSize = size; paint = colour; }`;
const VERTEX_PAINT = `#version 300 es
precision mediump float; in vec4 paint; out vec4 result; void main() { result = paint; }`;
const PICTURE_SHADER = `#version 300 es
out vec2 where; void main() { vec2 p = vec2(float(gl_VertexID & 1), float(gl_VertexID >> 1)); where = vec2(p.x, 1.0 - p.y); gl_Position = vec4(p * 2.0 - 1.0, 0.0, 1.0); }`;
const PICTURE_PAINT = `#version 300 es
precision mediump float; in vec2 where; uniform sampler2D picture; uniform bool swap, opaque; out vec4 result;
void main() { vec4 c = texture(picture, where); if (swap) c = c.bgra; result = vec4(c.rgb, opaque ? 1.0 : c.a); }`;

/** WebGL2. */
class GlPainter {
  /** @param {OffscreenCanvas} canvas @param {boolean} pixelated @param {() => void} [renewed] */
  constructor(canvas, pixelated, renewed) {
    const gl = /** @type {WebGL2RenderingContext | null} */ (canvas.getContext("webgl2", { antialias: true, preserveDrawingBuffer: true, premultipliedAlpha: false }));
    if (!gl) throw new Error("no WebGL2");
    this.gl = gl;
    this.canvas = canvas;
    this.pixelated = pixelated;
    this.begin();
    if (!renewed) return;
    canvas.addEventListener("webglcontextlost", (e) => e.preventDefault()); // else it is never given back
    canvas.addEventListener("webglcontextrestored", () => (this.begin(), renewed()));
  }
  /** What a context that was lost has lost. */
  begin() {
    const { gl } = this;
    this.vertices = this.program(VERTEX_SHADER, VERTEX_PAINT);
    this.picture = this.program(PICTURE_SHADER, PICTURE_PAINT);
    this.buffer = gl.createBuffer();
    this.texture = gl.createTexture();
    gl.bindTexture(gl.TEXTURE_2D, this.texture);
    const filter = this.pixelated ? gl.NEAREST : gl.LINEAR;
    for (const name of [gl.TEXTURE_MIN_FILTER, gl.TEXTURE_MAG_FILTER]) gl.texParameteri(gl.TEXTURE_2D, name, filter);
    for (const name of [gl.TEXTURE_WRAP_S, gl.TEXTURE_WRAP_T]) gl.texParameteri(gl.TEXTURE_2D, name, gl.CLAMP_TO_EDGE);
    gl.enable(gl.BLEND);
    gl.blendFunc(gl.SRC_ALPHA, gl.ONE_MINUS_SRC_ALPHA);
  }
  /** @param {string} vertex @param {string} fragment */
  program(vertex, fragment) {
    const { gl } = this;
    const program = gl.createProgram();
    for (const [kind, text] of /** @type {[number, string][]} */ ([[gl.VERTEX_SHADER, vertex], [gl.FRAGMENT_SHADER, fragment]])) {
      const shader = /** @type {WebGLShader} */ (gl.createShader(kind));
      gl.shaderSource(shader, text);
      gl.compileShader(shader);
      gl.attachShader(program, shader);
    }
    gl.linkProgram(program);
    if (!gl.getProgramParameter(program, gl.LINK_STATUS)) throw new Error(`the shaders do not link: ${gl.getProgramInfoLog(program)}`);
    return program;
  }
  lost() {
    return this.gl.isContextLost();
  }
  lose() {
    const gone = this.gl.getExtension("WEBGL_lose_context");
    gone?.loseContext();
    setTimeout(() => gone?.restoreContext(), 50);
  }
  /** @param {Frame} frame @param {Uint8Array} bytes @returns {() => void} what puts it on the canvas */
  load(frame, bytes) {
    const { gl } = this;
    gl.viewport(0, 0, this.canvas.width, this.canvas.height);
    if (frame.kind === FRAME_KIND.TRIANGLES || frame.kind === FRAME_KIND.POINTS) {
      gl.useProgram(this.vertices);
      gl.bindBuffer(gl.ARRAY_BUFFER, this.buffer);
      gl.bufferData(gl.ARRAY_BUFFER, bytes, gl.STREAM_DRAW);
      for (const [name, size, offset] of /** @type {[string, number, number][]} */ ([["at", 2, 0], ["colour", 4, 8]])) {
        const place = gl.getAttribLocation(this.vertices, name);
        gl.enableVertexAttribArray(place);
        gl.vertexAttribPointer(place, size, gl.FLOAT, false, frame.stride, offset);
      }
      gl.uniform1f(gl.getUniformLocation(this.vertices, "size"), Math.max(1, this.canvas.width / 400));
      return () => {
        gl.clearColor(0, 0, 0, 0);
        gl.clear(gl.COLOR_BUFFER_BIT);
        gl.drawArrays(frame.kind === FRAME_KIND.POINTS ? gl.POINTS : gl.TRIANGLES, 0, frame.width);
      };
    }
    const small = frame.format === FRAME_FORMAT.RGB565;
    gl.useProgram(this.picture);
    gl.bindTexture(gl.TEXTURE_2D, this.texture);
    gl.pixelStorei(gl.UNPACK_ROW_LENGTH, frame.stride / (small ? 2 : 4));
    gl.pixelStorei(gl.UNPACK_ALIGNMENT, small ? 2 : 4);
    if (small) gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGB565, frame.width, frame.height, 0, gl.RGB, gl.UNSIGNED_SHORT_5_6_5, new Uint16Array(bytes.buffer, bytes.byteOffset, bytes.byteLength >> 1));
    else gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA, frame.width, frame.height, 0, gl.RGBA, gl.UNSIGNED_BYTE, bytes);
    gl.uniform1i(gl.getUniformLocation(this.picture, "swap"), Number(frame.format === FRAME_FORMAT.BGRX8));
    gl.uniform1i(gl.getUniformLocation(this.picture, "opaque"), Number(frame.format !== FRAME_FORMAT.RGBA8));
    return () => {
      gl.clearColor(0, 0, 0, 0);
      gl.clear(gl.COLOR_BUFFER_BIT);
      gl.drawArrays(gl.TRIANGLE_STRIP, 0, 4);
    };
  }
  /** The canvas' pixels, rows from the top. */
  read() {
    const { gl } = this;
    const [w, h] = [this.canvas.width, this.canvas.height];
    const up = new Uint8Array(w * h * 4);
    gl.readPixels(0, 0, w, h, gl.RGBA, gl.UNSIGNED_BYTE, up);
    const down = new Uint8Array(up.length);
    for (let y = 0; y < h; y++) down.set(up.subarray((h - 1 - y) * w * 4, (h - y) * w * 4), y * w * 4);
    return down;
  }
}

/** 2D: pictures by putImageData, vertices by a scan converter of our own. */
class FlatPainter {
  /** @param {OffscreenCanvas} canvas @param {boolean} pixelated */
  constructor(canvas, pixelated) {
    const context = canvas.getContext("2d");
    if (!context) throw new Error("this browser draws neither with WebGL2 nor in 2D on an OffscreenCanvas");
    this.canvas = canvas;
    this.context = context;
    this.pixelated = pixelated;
  }
  lost() {
    return false;
  }
  lose() {}
  /** @param {Frame} frame @param {Uint8Array} bytes @returns {() => void} */
  load(frame, bytes) {
    const vertices = frame.kind === FRAME_KIND.TRIANGLES || frame.kind === FRAME_KIND.POINTS;
    const image = vertices ? scan(frame, bytes, this.canvas.width, this.canvas.height) : rgba(frame, bytes);
    return () => {
      const { context, canvas } = this;
      context.clearRect(0, 0, canvas.width, canvas.height);
      if (vertices) return context.putImageData(image, 0, 0);
      const whole = new OffscreenCanvas(frame.width, frame.height);
      /** @type {OffscreenCanvasRenderingContext2D} */ (whole.getContext("2d")).putImageData(image, 0, 0);
      context.imageSmoothingEnabled = !this.pixelated;
      context.drawImage(whole, 0, 0, canvas.width, canvas.height);
    };
  }
  read() {
    return new Uint8Array(this.context.getImageData(0, 0, this.canvas.width, this.canvas.height).data.buffer);
  }
}

/**
 * WebGPU where there is an adapter, else WebGL2, else 2D. renewed: called when it was lost and is there again.
 * @param {OffscreenCanvas} canvas @param {boolean} pixelated @param {() => void} renewed
 */
async function painter(canvas, pixelated, renewed) {
  const device = await gpuDevice();
  const kinds = [() => new GpuPainter(canvas, pixelated, device, renewed), () => new GlPainter(canvas, pixelated, renewed)];
  for (const made of device ? kinds : kinds.slice(1)) {
    try {
      return made();
    } catch {
      // the next
    }
  }
  return new FlatPainter(canvas, pixelated);
}

/** The next animation frame where this worker has them: a worker's worker, a hidden page and Node have none. */
const animationFrame = () =>
  new Promise((done) => {
    const timer = setTimeout(done, FRAME_MS);
    try {
      requestAnimationFrame(() => (clearTimeout(timer), done(0)));
    } catch {
      // the timer does it
    }
  });

class Screen {
  /** @param {any} o */
  constructor(o) {
    this.canvas = /** @type {OffscreenCanvas} */ (o.canvas);
    this.consumer = new FrameConsumer(o.memory, o.address);
    this.pollMs = o.poll_ms ?? 33;
    this.bootMs = o.boot_ms ?? performance.timeOrigin; // where the kernel's monotonic clock begins
    this.pixelated = Boolean(o.pixelated);
    /** @type {Painter | null} */
    this.painter = null;
    this.shape = "";
    this.frames = 0;
    /** @type {number[]} */
    this.latencies = [];
    this.running = true;
    this.kind = FRAME_KIND.NONE;
  }
  /** @param {Frame} frame */
  show(frame) {
    const painter = /** @type {Painter} */ (this.painter);
    const late = (performance.timeOrigin + performance.now() - this.bootMs) * 1e3 - frame.timeNs / 1e3;
    const bytes = new Uint8Array(frame.bytes); // WebGL and ImageData take no shared memory
    if (!this.consumer.holds(frame)) return;
    if (painter.lost()) return; // drawn when there is one again
    painter.load(frame, bytes)();
    this.frames++;
    this.kind = frame.kind;
    if (frame.kind !== FRAME_KIND.SCREEN) this.latencies[this.frames % SAMPLES] = late;
    const shape = [frame.kind, frame.width, frame.height].join();
    if (shape !== this.shape) parent.post({ t: "shown", kind: frame.kind, number: frame.number, width: frame.width, height: frame.height });
    this.shape = shape;
  }
  /** Draw once more what there is. */
  again() {
    this.consumer.first = true;
    Atomics.notify(this.consumer.words, 2);
  }
  async run() {
    this.painter = await painter(this.canvas, this.pixelated, () => this.again());
    let live = this.consumer.live;
    /** @type {Frame | null} */
    let screen = null;
    while (this.running) {
      const seen = this.consumer.published;
      const frame = this.consumer.take();
      if (frame?.kind === FRAME_KIND.SCREEN) screen = frame;
      else if (frame) screen = null;
      const now = frame ?? (this.consumer.live ? screen : null);
      if (now) this.show(now);
      if (this.consumer.live !== live) (live = !live) || parent.post({ t: "ended" });
      if (frame) await animationFrame();
      await this.consumer.changed(seen, screen && live ? this.pollMs : undefined);
    }
  }
  /** Microseconds from publishing to taking: median, 99th percentile, most. */
  stats() {
    const sorted = this.latencies.filter((n) => n !== undefined).sort((a, b) => a - b);
    const at = (/** @type {number} */ share) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
    return { t: "stats", frames: this.frames, latency_us: [at(0.5), at(0.99), at(1)], painter: this.painter?.constructor.name ?? "" };
  }
}

/** @param {Screen} screen */
async function read({ painter, canvas }) {
  const { width, height } = canvas;
  const pixels = painter ? await painter.read() : new Uint8Array(width * height * 4);
  parent.post({ t: "pixels", width, height, pixels }, [pixels.buffer]);
}

/** @type {Screen | null} */
let screen = null;
parent.listen(async (m) => {
  try {
    if (m.t === "start") {
      screen = new Screen(m);
      screen.run().catch((e) => parent.post(e instanceof StaleHandle ? { t: "stale" } : { t: "failed", text: String(e?.message ?? e) }));
    } else if (m.t === "resize" && screen) {
      [screen.canvas.width, screen.canvas.height] = [m.width, m.height];
      screen.again();
    } else if (m.t === "stats") parent.post(screen ? screen.stats() : { t: "stats", frames: 0, latency_us: [0, 0, 0], painter: "" });
    else if (m.t === "lose" && screen) screen.painter?.lose(); // for tests: as a graphics driver that was reset
    else if (m.t === "read" && screen) await read(screen);
    else if (m.t === "stop" && screen) screen.running = false;
  } catch (e) {
    parent.post({ t: "failed", text: String(/** @type {any} */ (e)?.message ?? e) });
  }
});
