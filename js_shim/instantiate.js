// @ts-check
/**
 * Owns: how a kernel instance comes to life in a worker: imports, C stack and TLS of its instance number, and what
 * happens when it throws. Callers: boot_thread.js, and the Python roles through boot_role.js. No policy.
 *
 * TextDecoder and crypto refuse shared memory: what they touch goes through a scratch array.
 */
import { ABI_HASH32, KERNEL_COUNTERS, NOTIFY, ROLE, THREAD_RECORD } from "./gen/abi.js";
import { jitLinker } from "./jit_link.js";

const PAGE = 65536;
const PANIC_BYTES = 512; // core/log.c
const LOCK_WAITERS = 0x80000000;

/** What a kernel throws once it cannot go on. */
export class KernelPanic extends Error {
  /** @param {string} text */
  constructor(text) {
    super(text);
    this.name = "KernelPanic";
  }
}

/**
 * @typedef {object} InstanceOptions
 * @property {WebAssembly.Module} module kernel.wasm
 * @property {WebAssembly.Memory} memory kernel memory
 * @property {WebAssembly.Memory} guestMemory this instance's guest or staging memory
 * @property {number} instance number: which stack and TLS block
 * @property {(role: number, kind: number, arg: number) => void} notify never throws, never re-enters the kernel
 * @property {(text: string) => void} log one line for diagnostics
 * @property {Instance} [beside] the instance of this worker whose C stack and TLS block this one takes over as they are
 *
 * @typedef {object} Instance
 * @property {Record<string, any>} exports tk_ functions
 * @property {(error?: unknown) => boolean} crashed call after a throw: true when the whole kernel is lost
 * @property {() => void} holdLock for tests: as if this instance had thrown under the kernel lock
 * @property {() => string} panicText
 * @property {number} tls address of its TLS block
 * @property {Record<string, number>} address of thread_records, counters
 */

/** @param {WebAssembly.Memory} memory @param {number} address */
function cString(memory, address) {
  const bytes = new Uint8Array(memory.buffer);
  let end = address;
  while (end < bytes.length && bytes[end] !== 0) end++;
  return new TextDecoder().decode(bytes.slice(address, end));
}

/** @param {InstanceOptions} o @returns {Instance} */
export function instantiate(o) {
  const { memory } = o;
  const scratch = new Uint8Array(PAGE);
  let view = new Uint8Array(memory.buffer);
  const bytesAt = (/** @type {number} */ ptr, /** @type {number} */ n) => {
    if (ptr + n > view.length) view = new Uint8Array(memory.buffer);
    return view.subarray(ptr, ptr + n);
  };
  /** @type {Record<string, any>} */
  let exports = {};
  const address = { threadRecords: 0, counters: 0 };
  const panicText = () => {
    const text = exports.tk_panic_message ? cString(memory, exports.tk_panic_message() >>> 0) : "";
    return text || "a kernel instance stopped while it held the kernel lock";
  };
  const words = () => new Int32Array(memory.buffer, address.counters, KERNEL_COUNTERS.BYTES >> 2);
  const lockWord = KERNEL_COUNTERS.lock_word >> 2;
  const panickedWord = KERNEL_COUNTERS.panicked >> 2;
  const imports = {
    env: { memory },
    guest_memory: { memory: o.guestMemory },
    host: {
      now_ms: performance.now.bind(performance),
      random(/** @type {number} */ ptr, /** @type {number} */ bytes) {
        ptr >>>= 0;
        for (let done = 0; done < (bytes >>>= 0); ) {
          const n = Math.min(bytes - done, scratch.length);
          bytesAt(ptr + done, n).set(crypto.getRandomValues(scratch.subarray(0, n)));
          done += n;
        }
      },
      log(/** @type {number} */ ptr, /** @type {number} */ bytes) {
        o.log(new TextDecoder().decode(bytesAt(ptr >>> 0, bytes >>> 0).slice()));
      },
      notify: o.notify,
      jit_link: jitLinker(() => exports, memory, o.guestMemory),
      panic() {
        throw new KernelPanic(panicText());
      },
    },
  };
  for (const { module, name, kind } of WebAssembly.Module.imports(o.module)) {
    if (!(/** @type {any} */ (imports)[module]?.[name])) {
      throw new Error(`kernel.wasm wants ${kind} ${module}.${name}, which this runtime does not have`);
    }
  }
  exports = new WebAssembly.Instance(o.module, imports).exports;
  for (const name of ["tk_run", "tk_instance_enter", "tk_instance_area", "tk_counters", "__stack_pointer", "__wasm_init_tls"]) {
    if (!(name in exports)) throw new Error(`kernel.wasm has no export ${name}`);
  }
  const hash = exports.tk_abi_hash() >>> 0;
  if (hash !== ABI_HASH32) {
    const [theirs, ours] = [hash, ABI_HASH32].map((h) => h.toString(16));
    throw new Error(`kernel.wasm has ABI ${theirs}, this runtime speaks ${ours}: they are not of one build`);
  }
  if (o.instance >= exports.tk_max_instances()) {
    throw new Error(`kernel instance ${o.instance}: there are only ${exports.tk_max_instances()}`);
  }
  address.threadRecords = exports.tk_thread_records() >>> 0;
  address.counters = exports.tk_counters() >>> 0;
  // The area is a stack that grows down, then the TLS block.
  const stackBytes = exports.tk_instance_stack_bytes();
  const top = (exports.tk_instance_area() >>> 0) + o.instance * exports.tk_instance_area_bytes() + stackBytes;
  const room = exports.tk_instance_area_bytes() - stackBytes;
  const tls = exports.__tls_size?.value ?? 0;
  if (tls > room) throw new Error(`kernel.wasm needs ${tls} bytes of TLS an instance, it keeps ${room}`);
  if (top + room > memory.buffer.byteLength) throw new Error(`the kernel memory is too small for instance ${o.instance}`);
  exports.__stack_pointer.value = top;
  if (o.beside) exports.__tls_base.value = o.beside.tls;
  else {
    exports.__wasm_init_tls(top);
    exports.tk_instance_enter(o.instance, performance.timeOrigin);
  }
  return {
    exports,
    tls: top,
    address: /** @type {any} */ (address),
    panicText,
    holdLock() {
      const w = words();
      for (let seen; (seen = Atomics.compareExchange(w, lockWord, 0, o.instance + 1)) !== 0; ) Atomics.wait(w, lockWord, seen, 10);
    },
    // A throw under the kernel lock would leave everybody waiting for it: mark the panic, open the lock, wake them all.
    crashed(error) {
      const w = words();
      const lock = Atomics.load(w, lockWord);
      if ((lock & ~LOCK_WAITERS) === o.instance + 1) {
        const e = /** @type {any} */ (error);
        const text = `a kernel instance threw while it held the kernel lock: ${String(e?.stack ?? e ?? "?")}`;
        const at = exports.tk_panic_message() >>> 0;
        // the text first: whoever sees the mark reads it
        const bytes = new TextEncoder().encode(text).subarray(0, PANIC_BYTES - 1);
        if (bytesAt(at, 1)[0] === 0) bytesAt(at, PANIC_BYTES).set(bytes);
        Atomics.store(w, panickedWord, 1);
        Atomics.store(w, lockWord, 0);
        Atomics.notify(w, lockWord);
      }
      return Atomics.load(w, panickedWord) !== 0;
    },
  };
}

/**
 * The notify import of a worker that runs guest threads: the owner by `post`, the kernel worker by its port. A new
 * thread wants our guest memory (`share`: by START_* what its worker is sent), and we are about to block: it travels ahead
 * on a port of its own, so that nobody between us and the new worker ever holds it (a stray reference keeps a whole memory
 * alive).
 * @param {{post: (m: any, transfer?: any[]) => void, kernelPort: {postMessage: (m: any) => void}, worker: number,
 *   memory: WebAssembly.Memory, share: Map<number, any>, records: () => number, message: string}} o
 */
export function threadNotify(o) {
  const startKind = THREAD_RECORD.start_kind >> 2;
  const record = THREAD_RECORD.BYTES;
  return (/** @type {number} */ role, /** @type {number} */ kind, /** @type {number} */ arg) => {
    if (role === ROLE.KERNEL) return o.kernelPort.postMessage([kind, arg]);
    const m = { m: o.message, worker: o.worker, kind, arg, guest_port: /** @type {any} */ (null) };
    if (kind === NOTIFY.START) {
      const words = new Int32Array(o.memory.buffer, o.records() + arg * record, record >> 2);
      const shared = o.share.get(Atomics.load(words, startKind));
      if (shared) {
        const { port1, port2 } = new MessageChannel();
        port1.postMessage(shared);
        m.guest_port = port2;
        return o.post(m, [port2]);
      }
    }
    o.post(m);
  };
}
