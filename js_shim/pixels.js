// @ts-check
/**
 * Frames to pixels without a graphics processor: formats to RGBA, vertices by a scan converter. Pure; for painters.
 */
import { FRAME_FORMAT, FRAME_KIND } from "./gen/abi.js";

/** @typedef {import("./frames.js").Frame} Frame */

/** @param {Frame} frame @param {Uint8Array} bytes */
export function rgba(frame, bytes) {
  const image = new ImageData(frame.width, frame.height);
  const out = image.data;
  const small = frame.format === FRAME_FORMAT.RGB565;
  const [red, blue] = frame.format === FRAME_FORMAT.BGRX8 ? [2, 0] : [0, 2];
  for (let y = 0, to = 0; y < frame.height; y++) {
    for (let x = 0, at = y * frame.stride; x < frame.width; x++, to += 4) {
      if (small) {
        const v = bytes[at] | (bytes[at + 1] << 8);
        [out[to], out[to + 1], out[to + 2], out[to + 3]] = [((v >> 11) * 255) / 31, (((v >> 5) & 63) * 255) / 63, ((v & 31) * 255) / 31, 255];
        at += 2;
      } else {
        [out[to], out[to + 1], out[to + 2]] = [bytes[at + red], bytes[at + 1], bytes[at + blue]];
        out[to + 3] = frame.format === FRAME_FORMAT.RGBA8 ? bytes[at + 3] : 255;
        at += 4;
      }
    }
  }
  return image;
}

/** Points and triangles with the colour between their corners. @param {Frame} frame @param {Uint8Array} bytes @param {number} w @param {number} h */
export function scan(frame, bytes, w, h) {
  const image = new ImageData(w, h);
  const f = new Float32Array(bytes.slice().buffer);
  const each = frame.stride / 4;
  const corner = (/** @type {number} */ n) => ({ x: ((f[n * each] + 1) * w) / 2, y: ((1 - f[n * each + 1]) * h) / 2, c: f.subarray(n * each + 2, n * each + 6) });
  const put = (/** @type {number} */ x, /** @type {number} */ y, /** @type {number[] | Float32Array} */ c) => {
    if (x < 0 || y < 0 || x >= w || y >= h) return;
    for (let i = 0; i < 4; i++) image.data[(y * w + x) * 4 + i] = c[i] * 255;
  };
  if (frame.kind === FRAME_KIND.POINTS) {
    for (let n = 0; n < frame.width; n++) {
      const p = corner(n);
      put(Math.floor(p.x), Math.floor(p.y), p.c);
    }
    return image;
  }
  for (let n = 0; n + 2 < frame.width; n += 3) {
    const [a, b, c] = [corner(n), corner(n + 1), corner(n + 2)];
    const area = (b.x - a.x) * (c.y - a.y) - (c.x - a.x) * (b.y - a.y);
    if (!area) continue;
    const [x0, x1] = [Math.max(0, Math.floor(Math.min(a.x, b.x, c.x))), Math.min(w - 1, Math.ceil(Math.max(a.x, b.x, c.x)))];
    const [y0, y1] = [Math.max(0, Math.floor(Math.min(a.y, b.y, c.y))), Math.min(h - 1, Math.ceil(Math.max(a.y, b.y, c.y)))];
    for (let y = y0; y <= y1; y++) {
      for (let x = x0; x <= x1; x++) {
        const [px, py] = [x + 0.5, y + 0.5];
        const u = ((b.x - px) * (c.y - py) - (c.x - px) * (b.y - py)) / area;
        const v = ((c.x - px) * (a.y - py) - (a.x - px) * (c.y - py)) / area;
        if (u < 0 || v < 0 || u + v > 1) continue;
        put(x, y, [0, 1, 2, 3].map((i) => u * a.c[i] + v * b.c[i] + (1 - u - v) * c.c[i]));
      }
    }
  }
  return image;
}
