// @ts-check
/**
 * Owns: a kernel instance in the thread that runs the user's Pyodide, which makes it a process of the kernel: its staging
 * memory, plain system calls on it, its signals and its wait cell. Caller: tidemark_py/host/attached.py, kernel_fs.js.
 *
 * The staging memory has two halves: Python lays out its calls in the lower, this side in the upper one, so that a file
 * that Python's garbage collector closes does not spoil a call that Python is preparing. No policy.
 */
import { ERRNO, LINUX, ROLE, STAGING_BYTES, SYSCALL } from "./gen/abi.js";
import { instantiate } from "./instantiate.js";

const PAGE = 65536;
const HEAD_BYTES_MOST = 4 << 20;
const LOG = -1;
const SLICE_NS = 100e6; // how long an interrupt from the page's stop button may go unseen while a call waits
const NO_WAIT_ASYNC_MS = 5;

/** This thread may wait (a worker, or Node): the page's main thread may not. */
export function mayWait() {
  try {
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 0);
    return true;
  } catch {
    return false;
  }
}

export class Attached {
  /**
   * @param {{module: WebAssembly.Module, memory: WebAssembly.Memory, instance: number, port: MessagePort, waits: boolean,
   *   raise: (signo: number) => void, interrupted: () => boolean}} o
   * raise: Python's handler of a signal is to run; interrupted: the page's stop button was pressed; it says so once
   */
  constructor(o) {
    const pages = (STAGING_BYTES + HEAD_BYTES_MOST) / PAGE;
    this.waits = o.waits;
    this.raise = o.raise;
    this.interrupted = o.interrupted;
    this.memory = o.memory;
    const staging = new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true });
    const tell = (/** @type {number} */ role, /** @type {number} */ kind, /** @type {any} */ arg) => o.port.postMessage([role, kind, arg]);
    this.instance = instantiate({
      module: o.module,
      memory: o.memory,
      guestMemory: staging,
      instance: o.instance,
      notify: tell,
      log: (text) => tell(ROLE.KERNEL, LOG, text),
    });
    /** @type {any} null once dropped */
    this.exports = this.instance.exports;
    if (!o.waits) this.exports.tk_instance_spin(1);
    this.slot = this.exports.tk_host_attach(0, o.waits ? 1 : 0);
    this.head = this.exports.tk_head_bytes() >>> 0;
    this.staging = staging;
    /** Where this side lays out its calls. */
    this.half = STAGING_BYTES / 2;
    this.bytes = new Uint8Array(staging.buffer, this.head, STAGING_BYTES);
    this.view = new DataView(staging.buffer, this.head, STAGING_BYTES);
    this.encoder = new TextEncoder();
    this.decoder = new TextDecoder();
    this.childChanged = false;
    this.pressed = false;
    if (this.slot >= 0) {
      this.cell = new Int32Array(o.memory.buffer, this.exports.tk_host_cell() >>> 0, 1);
      this.pid = this.exports.tk_host_pid();
    }
  }

  /** The call's result or -errno; waits when it must and this thread may. @param {number} nr @param {number[]} a */
  call(nr, ...a) {
    if (!this.exports) return -ERRNO.EIO;
    return this.exports.tk_syscall(nr, a[0] ?? 0, a[1] ?? 0, a[2] ?? 0, a[3] ?? 0, a[4] ?? 0, a[5] ?? 0);
  }

  /** The same, -EAGAIN instead of waiting. @param {number} nr @param {number[]} a */
  attempt(nr, ...a) {
    if (!this.exports) return -ERRNO.EIO;
    return this.exports.tk_try(nr, a[0] ?? 0, a[1] ?? 0, a[2] ?? 0, a[3] ?? 0, a[4] ?? 0, a[5] ?? 0);
  }

  /** A NUL-terminated string at `at`; -1 when it is too long. @param {string} text @param {number} at @param {number} room */
  string(text, at, room) {
    const data = this.encoder.encode(text);
    if (data.length >= room) return -1;
    this.bytes.set(data, at);
    this.bytes[at + data.length] = 0;
    return at;
  }

  /** Text out of the staging memory. @param {number} at @param {number} length */
  text(at, length) {
    return this.decoder.decode(this.bytes.slice(at, at + length));
  }

  /** A timespec at `at`. @param {number} at @param {number} seconds @param {number} ns */
  timespec(at, seconds, ns) {
    this.view.setBigInt64(at, BigInt(seconds), true);
    this.view.setBigInt64(at + 8, BigInt(ns), true);
    return at;
  }

  /**
   * Signals of this process, as they have come: a child's is noted in childChanged, others are Python's. True: one of
   * Python's. idle: no Python waits, so nobody is to be interrupted, as at a shell's prompt.
   * @param {boolean} [idle]
   */
  takeSignals(idle = false) {
    const set = this.half;
    this.view.setBigUint64(set, 0xffffffffffffffffn, true);
    const zero = this.timespec(set + 8, 0, 0);
    let any = false;
    for (let signo; (signo = this.attempt(SYSCALL.rt_sigtimedwait, set, 0, zero, 8)) > 0; ) {
      if (signo === LINUX.SIGCHLD) this.childChanged = true;
      else if (!idle || signo !== LINUX.SIGINT) {
        any = true;
        this.raise(signo);
      }
    }
    return any;
  }

  /**
   * Wait until `fd` is ready. False: a signal for Python, or the stop button, came first.
   * @param {number} fd @param {number} events
   */
  park(fd, events) {
    const at = this.half;
    for (;;) {
      this.view.setInt32(at + 32, fd, true);
      this.view.setInt32(at + 36, events, true);
      const n = this.call(SYSCALL.ppoll, at + 32, 1, this.timespec(at + 16, 0, SLICE_NS), 0, 8);
      if (n > 0) return true;
      if (n < 0 && n !== -ERRNO.EINTR) return true; // the call that follows says what is wrong
      if (n === -ERRNO.EINTR && this.takeSignals()) return false;
      if (this.interrupted()) {
        this.raise(LINUX.SIGINT);
        return false;
      }
    }
  }

  /** The stop button's press becomes ours. */
  press() {
    if (this.interrupted()) this.pressed = true;
  }

  /** What the cell says now; hand it to ring(). */
  seen() {
    return Atomics.load(/** @type {Int32Array} */ (this.cell), 0);
  }

  /** Resolves once the cell is no longer `seen`, or after `ms`. @param {number} seen @param {number} ms @returns {any} */
  rung(seen, ms) {
    const cell = /** @type {Int32Array} */ (this.cell);
    if (!(/** @type {any} */ (Atomics).waitAsync)) return new Promise((done) => setTimeout(done, Math.min(ms, NO_WAIT_ASYNC_MS)));
    const waiting = /** @type {any} */ (Atomics).waitAsync(cell, 0, seen, ms);
    // before any Python runs, which might take the press for some callback's
    return waiting.async ? waiting.value.then(() => this.press()) : waiting.value;
  }

  /** Calls back once the cell is no longer `seen`. @param {number} seen @param {() => void} callback */
  ring(seen, callback) {
    const cell = /** @type {Int32Array} */ (this.cell);
    if (!(/** @type {any} */ (Atomics).waitAsync)) return void setTimeout(callback, NO_WAIT_ASYNC_MS);
    const waiting = /** @type {any} */ (Atomics).waitAsync(cell, 0, seen);
    if (waiting.async) void waiting.value.then(callback);
    else queueMicrotask(callback);
  }

  /** takeSignals() for Python: 1 one of Python's, 2 a child's, 4 the stop button. @param {boolean} idle */
  signals(idle) {
    if (!idle) this.press();
    const bits = (this.takeSignals(idle) ? 1 : 0) | (!idle && this.pressed ? 4 : 0) | (this.childChanged ? 2 : 0);
    this.childChanged = false;
    if (!idle) this.pressed = false;
    return bits;
  }

  /** There is no kernel any more: nothing of it is held. */
  drop() {
    this.exports = this.memory = this.staging = this.instance = this.cell = /** @type {any} */ (null);
    this.bytes = new Uint8Array(STAGING_BYTES);
    this.view = new DataView(this.bytes.buffer);
  }
}


/** @param {any} o see Attached */
export const newAttached = (o) => new Attached(o);
