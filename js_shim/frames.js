// @ts-check
/**
 * Triple-buffered frame channels over shared memory: the consumer's and the producer's end in JavaScript. The record is
 * frame_channel and three frame_slot of the ABI tables; the kernel has the producer's end of a guest's device (kernel/ipc/frame.c).
 *
 * Owns: the rule by which slots change hands. Who may call: one producer and one consumer per channel, in any two workers.
 * The producer never waits; the consumer always gets the newest whole frame, or undefined when it has seen it. A consumer
 * is named by a generation in the state word, so one that was replaced gets a StaleHandle instead of somebody else's memory.
 */
import { FRAME_CHANNEL as C, FRAME_KIND, FRAME_SLOT as S, FRAME_SLOTS, FRAME_STATE_FRESH, FRAME_STATE_FRONT_SHIFT,
  FRAME_STATE_MIDDLE_SHIFT, FRAME_STATE_READER_SHIFT, FRAME_STATE_START } from "./gen/abi.js";

const SLOT_MASK = 3;
const READER_ONE = 1 << FRAME_STATE_READER_SHIFT;

/** A handle whose channel has another consumer now. */
export class StaleHandle extends Error {
  name = "StaleHandle";
}

/**
 * @typedef {object} Frame what take() gives: valid until the next take()
 * @property {number} number @property {number} kind FRAME_KIND @property {number} width @property {number} height
 * @property {number} stride bytes @property {number} format FRAME_FORMAT @property {number} generation of the producer
 * @property {number} timeNs CLOCK_MONOTONIC of the kernel
 * @property {Uint8Array} bytes the frame's own, in shared memory: not copied
 *
 * @typedef {{ buffer: SharedArrayBuffer | ArrayBuffer }} Memory a WebAssembly.Memory, or anything with a buffer
 */

/** What both ends do with the record. */
class End {
  /** @param {Memory} memory @param {number} address of the frame_channel */
  constructor(memory, address) {
    if (address % 8) throw new RangeError("a frame channel lies at a multiple of 8");
    this.memory = memory;
    this.address = address;
    this.words = new Int32Array(memory.buffer, address, (C.BYTES + FRAME_SLOTS * S.BYTES) / 4);
    this.times = new BigUint64Array(memory.buffer, address, (C.BYTES + FRAME_SLOTS * S.BYTES) / 8);
  }
  /** @param {number} offset of a u32 in the channel */
  load(offset) {
    return Atomics.load(this.words, offset / 4) >>> 0;
  }
  /** Word index of a slot. @param {number} n */
  slot(n) {
    return (C.BYTES + n * S.BYTES) / 4;
  }
  /** Frames published so far, modulo 2^32. */
  get published() {
    return this.load(C.published);
  }
  /** Is there a producer? */
  get live() {
    return (this.load(C.generation) & 1) === 1;
  }
}

export class FrameConsumer extends End {
  /** Takes over from whoever was the consumer. @param {Memory} memory @param {number} address */
  constructor(memory, address) {
    super(memory, address);
    let state;
    do state = this.words[C.state / 4];
    while (Atomics.compareExchange(this.words, C.state / 4, state, state + READER_ONE) !== state);
    this.reader = (state + READER_ONE) >>> FRAME_STATE_READER_SHIFT;
    this.first = true; // what the former consumer took last is news to this one
  }

  /**
   * The newest frame, or undefined when there is none that take() has not given. Throws StaleHandle.
   * @returns {Frame | undefined}
   */
  take() {
    for (;;) {
      const state = Atomics.load(this.words, C.state / 4);
      this.check(state);
      const first = this.first;
      this.first = false;
      if (!(state & FRAME_STATE_FRESH)) return first ? this.read((state >> FRAME_STATE_FRONT_SHIFT) & SLOT_MASK) : undefined;
      const middle = (state >> FRAME_STATE_MIDDLE_SHIFT) & SLOT_MASK;
      const front = (state >> FRAME_STATE_FRONT_SHIFT) & SLOT_MASK;
      const slots = (SLOT_MASK << FRAME_STATE_MIDDLE_SHIFT) | (SLOT_MASK << FRAME_STATE_FRONT_SHIFT) | FRAME_STATE_FRESH;
      const next = (state & ~slots) | (front << FRAME_STATE_MIDDLE_SHIFT) | (middle << FRAME_STATE_FRONT_SHIFT);
      if (Atomics.compareExchange(this.words, C.state / 4, state, next) !== state) continue;
      const frame = this.read(middle);
      if (frame) Atomics.add(this.words, C.taken / 4, 1);
      return frame;
    }
  }

  /** @param {number} n @returns {Frame | undefined} */
  read(n) {
    const at = this.slot(n);
    const u = (/** @type {number} */ offset) => this.words[at + offset / 4] >>> 0;
    const [kind, address, size] = [u(S.kind), u(S.address), u(S.bytes)];
    if (kind === FRAME_KIND.NONE) return undefined;
    if (address + size > this.memory.buffer.byteLength) return undefined; // not a frame of this memory
    return {
      number: u(S.number), kind, width: u(S.width), height: u(S.height), stride: u(S.stride), format: u(S.format),
      generation: u(S.generation), timeNs: Number(this.times[(at + S.time_ns / 4) / 2]),
      bytes: new Uint8Array(this.memory.buffer, address, size),
    };
  }

  /** @param {number} state */
  check(state) {
    if (state >>> FRAME_STATE_READER_SHIFT !== this.reader) throw new StaleHandle("this channel is read by another consumer now");
  }

  /**
   * Does what the frame was read from still belong to it? Ask after the bytes of a SCREEN were copied: its memory is the
   * guest's own and may have been given up meanwhile. Throws StaleHandle. @param {Frame} frame
   */
  holds(frame) {
    this.check(Atomics.load(this.words, C.state / 4));
    const now = this.load(C.generation);
    return frame.kind !== FRAME_KIND.SCREEN || now === frame.generation || (!(now & 1) && ((now - 1) >>> 0) === frame.generation);
  }

  /** Until `published` is no longer `seen`, or so many milliseconds. @param {number} seen @param {number} [ms] */
  async changed(seen, ms) {
    const wait = /** @type {any} */ (Atomics).waitAsync(this.words, C.published / 4, seen | 0, ms);
    if (wait.async) await wait.value;
  }
}

export class FrameProducer extends End {
  /** A new generation of the channel. @param {Memory} memory @param {number} address */
  constructor(memory, address) {
    super(memory, address);
    if (this.live) throw new Error("this channel has a producer");
    Atomics.add(this.words, C.generation / 4, 1);
    this.announce();
  }

  announce() {
    Atomics.add(this.words, C.published / 4, 1);
    Atomics.notify(this.words, C.published / 4);
  }

  /** The bytes to fill for the next frame. @returns {Uint8Array} */
  back() {
    const at = this.slot(this.words[C.state / 4] & SLOT_MASK);
    return new Uint8Array(this.memory.buffer, this.words[at + S.address / 4] >>> 0, this.words[at + S.capacity / 4] >>> 0);
  }

  /** Make what is in back() the newest frame. @param {{kind: number, width: number, height: number, stride: number, format: number, bytes: number}} frame */
  publish(frame) {
    let state = Atomics.load(this.words, C.state / 4);
    const back = state & SLOT_MASK;
    const at = this.slot(back);
    if (frame.bytes > this.words[at + S.capacity / 4] >>> 0) throw new RangeError("the frame is larger than its buffer");
    for (const name of /** @type {const} */ (["kind", "width", "height", "stride", "format", "bytes"])) this.words[at + S[name] / 4] = frame[name];
    this.words[at + S.generation / 4] = this.words[C.generation / 4];
    this.words[at + S.number / 4] = this.words[C.published / 4];
    this.times[(at + S.time_ns / 4) / 2] = BigInt(Math.round((performance.timeOrigin + performance.now()) * 1e6));
    for (;;) {
      const middle = (state >> FRAME_STATE_MIDDLE_SHIFT) & SLOT_MASK;
      const next = (state & ~(SLOT_MASK | (SLOT_MASK << FRAME_STATE_MIDDLE_SHIFT))) | middle | (back << FRAME_STATE_MIDDLE_SHIFT) | FRAME_STATE_FRESH;
      const found = Atomics.compareExchange(this.words, C.state / 4, state, next);
      if (found === state) break;
      state = found;
    }
    this.announce();
  }

  /** No more frames. */
  close() {
    if (!this.live) return;
    Atomics.add(this.words, C.generation / 4, 1);
    this.announce();
  }
}

/**
 * Memory for a channel between two workers, with three buffers of `bytes` each.
 * @param {number} bytes at most @returns {{memory: {buffer: SharedArrayBuffer}, address: number}}
 */
export function makeChannel(bytes) {
  if (!Number.isInteger(bytes) || bytes < 1 || bytes > 2 ** 30) throw new RangeError("a frame has 1 to 2^30 bytes");
  const head = Math.ceil((C.BYTES + FRAME_SLOTS * S.BYTES) / 64) * 64;
  const room = Math.ceil(bytes / 64) * 64;
  const buffer = new SharedArrayBuffer(head + FRAME_SLOTS * room);
  const words = new Int32Array(buffer);
  words[C.state / 4] = FRAME_STATE_START;
  for (let n = 0; n < FRAME_SLOTS; n++) {
    words[(C.BYTES + n * S.BYTES + S.address) / 4] = head + n * room;
    words[(C.BYTES + n * S.BYTES + S.capacity) / 4] = room;
  }
  return { memory: { buffer }, address: 0 };
}
