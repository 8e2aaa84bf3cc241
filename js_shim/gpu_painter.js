// @ts-check
/**
 * What frame_renderer.js draws with where the browser has WebGPU. Owns the device, a multisampled target and the texture
 * that it resolves to, which is copied to the canvas and can be read at any time. A lost device is asked for anew.
 */
import { FRAME_FORMAT, FRAME_KIND } from "./gen/abi.js";
import { rgba } from "./pixels.js";

/** @typedef {import("./frames.js").Frame} Frame */

const TARGET = "rgba8unorm";
const SAMPLES = 4;
const ROW_ALIGN = 256; // of a copy to a buffer
// usages, by the specification's numbers
const [BUFFER_READ, BUFFER_COPY_DST, BUFFER_VERTEX, BUFFER_UNIFORM] = [1, 8, 32, 64];
const [COPY_SRC, COPY_DST, BINDING, ATTACHMENT] = [1, 2, 4, 16];

const SHADERS = `
struct Settings { size: vec2f, opaque: f32, unused: f32 }
@group(0) @binding(0) var<uniform> settings: Settings;
@group(0) @binding(1) var picture: texture_2d<f32>;
@group(0) @binding(2) var smoothly: sampler;
struct Corner { @builtin(position) place: vec4f, @location(0) paint: vec4f }
struct Place { @builtin(position) place: vec4f, @location(0) spot: vec2f }
fn strip(n: u32) -> vec2f { return vec2f(f32(n & 1u), f32(n >> 1u)); }
@vertex fn triangle(@location(0) at: vec2f, @location(1) colour: vec4f) -> Corner { return Corner(vec4f(at, 0.0, 1.0), colour); }
@vertex fn point(@builtin(vertex_index) n: u32, @location(0) at: vec2f, @location(1) colour: vec4f) -> Corner {
  return Corner(vec4f(at + (strip(n) * 2.0 - 1.0) * settings.size, 0.0, 1.0), colour);
}
@fragment fn painted(c: Corner) -> @location(0) vec4f { return c.paint; }
@vertex fn whole(@builtin(vertex_index) n: u32) -> Place {
  let p = strip(n);
  return Place(vec4f(p * 2.0 - 1.0, 0.0, 1.0), vec2f(p.x, 1.0 - p.y));
}
@fragment fn pictured(p: Place) -> @location(0) vec4f {
  let c = textureSample(picture, smoothly, p.spot);
  return vec4f(c.rgb, max(c.a, settings.opaque));
}`;

/**
 * A device that draws on canvases, or null: no WebGPU here, no adapter, or one that may compute and not show (Chromium
 * without a graphics processor destroys the device when a canvas' texture is asked for; so that is tried on another one).
 * @returns {Promise<any>}
 */
export async function gpuDevice() {
  try {
    const adapter = await /** @type {any} */ (navigator).gpu?.requestAdapter();
    const device = await adapter?.requestDevice();
    if (!device) return null;
    const context = /** @type {any} */ (new OffscreenCanvas(1, 1).getContext(/** @type {any} */ ("webgpu")));
    context.configure({ device, format: TARGET, usage: COPY_DST | ATTACHMENT });
    context.getCurrentTexture();
    const probe = device.createBuffer({ size: 4, usage: BUFFER_READ | BUFFER_COPY_DST });
    await probe.mapAsync(1); // fails when the device is gone
    probe.destroy();
    return device;
  } catch {
    return null;
  }
}

export class GpuPainter {
  /** @param {OffscreenCanvas} canvas @param {boolean} pixelated @param {any} device @param {() => void} renewed */
  constructor(canvas, pixelated, device, renewed) {
    this.canvas = canvas;
    this.pixelated = pixelated;
    this.renewed = renewed;
    this.context = /** @type {any} */ (canvas.getContext(/** @type {any} */ ("webgpu")));
    if (!this.context) throw new Error("this canvas cannot be drawn on by WebGPU");
    this.begin(device);
  }

  /** @param {any} device */
  begin(device) {
    this.device = device;
    this.gone = false;
    device.lost.then(() => this.ended());
    this.context.configure({ device, format: TARGET, alphaMode: "premultiplied", usage: COPY_DST | ATTACHMENT });
    this.shaders = device.createShaderModule({ code: SHADERS });
    this.settings = device.createBuffer({ size: 16, usage: BUFFER_UNIFORM | BUFFER_COPY_DST });
    const filter = this.pixelated ? "nearest" : "linear";
    this.sampler = device.createSampler({ magFilter: filter, minFilter: filter });
    /** @type {Map<string, any>} */
    this.pipelines = new Map();
    this.vertices = this.picture = this.target = this.samples = null;
  }

  async ended() {
    this.gone = true;
    const device = await gpuDevice();
    if (!device) return; // the picture stays as it is
    this.begin(device);
    this.renewed();
  }

  lost() {
    return this.gone;
  }
  lose() {
    this.device.destroy();
  }

  /** Textures of the canvas' size. */
  sized() {
    const [width, height] = [this.canvas.width, this.canvas.height];
    if (this.target?.width === width && this.target.height === height) return;
    this.target?.destroy();
    this.samples?.destroy();
    this.target = this.device.createTexture({ size: [width, height], format: TARGET, usage: ATTACHMENT | COPY_SRC });
    this.samples = this.device.createTexture({ size: [width, height], format: TARGET, usage: ATTACHMENT, sampleCount: SAMPLES });
  }

  /** @param {string} entry @param {number} stride of a vertex in bytes; 0: none */
  pipeline(entry, stride) {
    const key = `${entry} ${stride}`;
    let found = this.pipelines.get(key);
    if (found) return found;
    const attributes = [{ shaderLocation: 0, offset: 0, format: "float32x2" }, { shaderLocation: 1, offset: 8, format: "float32x4" }];
    const buffers = stride ? [{ arrayStride: stride, stepMode: entry === "point" ? "instance" : "vertex", attributes }] : [];
    const over = { srcFactor: "src-alpha", dstFactor: "one-minus-src-alpha" };
    const blend = { color: over, alpha: { srcFactor: "one", dstFactor: "one-minus-src-alpha" } };
    found = this.device.createRenderPipeline({
      layout: "auto",
      vertex: { module: this.shaders, entryPoint: entry, buffers },
      fragment: { module: this.shaders, entryPoint: stride ? "painted" : "pictured", targets: [{ format: TARGET, blend }] },
      primitive: { topology: entry === "triangle" ? "triangle-list" : "triangle-strip" },
      multisample: { count: SAMPLES },
    });
    this.pipelines.set(key, found);
    return found;
  }

  /** A buffer or texture that is large enough, kept for the next frame. @param {Uint8Array} bytes */
  vertexBuffer(bytes) {
    if ((this.vertices?.size ?? 0) < bytes.length) {
      this.vertices?.destroy();
      this.vertices = this.device.createBuffer({ size: (bytes.length + 3) & -4, usage: BUFFER_VERTEX | BUFFER_COPY_DST });
    }
    this.device.queue.writeBuffer(this.vertices, 0, bytes, 0, bytes.length & -4);
    return this.vertices;
  }

  /** @param {Frame} frame @param {Uint8Array} bytes */
  texture(frame, bytes) {
    const small = frame.format === FRAME_FORMAT.RGB565;
    const format = frame.format === FRAME_FORMAT.BGRX8 ? "bgra8unorm" : TARGET;
    const { width, height } = frame;
    if (this.picture?.width !== width || this.picture.height !== height || this.picture.format !== format) {
      this.picture?.destroy();
      this.picture = this.device.createTexture({ size: [width, height], format, usage: BINDING | COPY_DST });
    }
    const data = small ? rgba(frame, bytes).data : bytes;
    this.device.queue.writeTexture({ texture: this.picture }, data, { bytesPerRow: small ? width * 4 : frame.stride }, [width, height]);
    return this.picture;
  }

  /** @param {Frame} frame @param {Uint8Array} bytes @returns {() => void} what puts it on the canvas */
  load(frame, bytes) {
    this.sized();
    const { device, canvas } = this;
    const pictured = frame.kind !== FRAME_KIND.TRIANGLES && frame.kind !== FRAME_KIND.POINTS;
    const points = frame.kind === FRAME_KIND.POINTS;
    const pipeline = this.pipeline(pictured ? "whole" : points ? "point" : "triangle", pictured ? 0 : frame.stride);
    const size = Math.max(1, canvas.width / 400);
    const opaque = Number(pictured && frame.format !== FRAME_FORMAT.RGBA8);
    device.queue.writeBuffer(this.settings, 0, new Float32Array([size / canvas.width, size / canvas.height, opaque, 0]));
    const source = pictured ? this.texture(frame, bytes) : this.vertexBuffer(bytes);
    const entries = /** @type {any[]} */ ([]);
    if (pictured || points) entries.push({ binding: 0, resource: { buffer: this.settings } });
    if (pictured) entries.push({ binding: 1, resource: source.createView() }, { binding: 2, resource: this.sampler });
    return () => {
      const commands = device.createCommandEncoder();
      const pass = commands.beginRenderPass({
        colorAttachments: [{ view: this.samples.createView(), resolveTarget: this.target.createView(), clearValue: [0, 0, 0, 0], loadOp: "clear", storeOp: "discard" }],
      });
      pass.setPipeline(pipeline);
      if (entries.length) pass.setBindGroup(0, device.createBindGroup({ layout: pipeline.getBindGroupLayout(0), entries }));
      if (!pictured) pass.setVertexBuffer(0, source);
      if (points) pass.draw(4, frame.width);
      else pass.draw(pictured ? 4 : frame.width);
      pass.end();
      commands.copyTextureToTexture({ texture: this.target }, { texture: this.context.getCurrentTexture() }, [this.target.width, this.target.height]);
      device.queue.submit([commands.finish()]);
    };
  }

  /** The pixels of the last picture, rows from the top. @returns {Promise<Uint8Array>} */
  async read() {
    this.sized();
    const { device, target } = this;
    const [width, height] = [target.width, target.height];
    const row = Math.ceil((width * 4) / ROW_ALIGN) * ROW_ALIGN;
    const buffer = device.createBuffer({ size: row * height, usage: BUFFER_READ | BUFFER_COPY_DST });
    const commands = device.createCommandEncoder();
    commands.copyTextureToBuffer({ texture: target }, { buffer, bytesPerRow: row }, [width, height]);
    device.queue.submit([commands.finish()]);
    await buffer.mapAsync(1);
    const rows = new Uint8Array(buffer.getMappedRange());
    const pixels = new Uint8Array(width * height * 4);
    for (let y = 0; y < height; y++) pixels.set(rows.subarray(y * row, y * row + width * 4), y * width * 4);
    buffer.destroy();
    return pixels;
  }
}
