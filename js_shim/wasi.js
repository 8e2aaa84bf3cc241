// @ts-check
/**
 * Owns: one WebAssembly module as a process, in its worker: read, check, compile, link, run, tell why it ended.
 * Caller: boot_thread.js. No policy: what a call means is the kernel's (kernel/wasi); who may run what, the owner's.
 *
 * The module's memory exists only once it is instantiated, and the kernel instance beside it (the kernel's variant for
 * modules) needs that memory: so the module links to trampolines first, whose table is filled afterwards. Until then
 * the worker's plain instance serves; both share one C stack and TLS block, and never run at the same time. A module that
 * imports its memory gets one made for it, and calls the kernel without trampolines; if it is shared, further threads of
 * the process (wasi-threads) come here in workers of their own, with the same memory and module.
 */
import { START, STATUS, WASI_CAPABILITY, WASI_IMPORTS } from "./gen/abi.js";
import { instantiate } from "./instantiate.js";
import { Refusal, capMemory, checkHead, importedMemory, moduleName, trampolines } from "./wasm_bytes.js";

const CANNOT_RUN = 126 << 8; // wait status: exit code 126, as shells say it
const ABORTED = 6; // wait status: SIGABRT
const SPAWN = "wasi_thread_spawn";
const THREAD_START = "wasi_thread_start";

const linkModule = new WebAssembly.Module(/** @type {any} */ (trampolines(/** @type {any} */ (WASI_IMPORTS))));

/**
 * @typedef {object} Place what the worker was booted with
 * @property {WebAssembly.Module} variant kernel for modules
 * @property {WebAssembly.Module} sharedVariant the same for those whose memory is shared
 * @property {import("./instantiate.js").InstanceOptions} options of the worker's plain instance
 * @property {import("./instantiate.js").Instance} plain
 * @property {Map<number, any>} share START_* of a new thread -> what travels to its worker
 * @property {number} mostPages a memory may have here
 *
 * @typedef {object} Image a compiled module
 * @property {WebAssembly.Module} module
 * @property {import("./wasm_bytes.js").ImportedMemory | null} memory
 */

/** The module's bytes out of the kernel's file. @param {Place} p */
function moduleBytes({ plain, options }) {
  const bytes = new Uint8Array(plain.exports.tk_wasi_bytes());
  const buffer = plain.exports.tk_wasi_buffer() >>> 0;
  for (let at = 0; at < bytes.length; ) {
    const n = plain.exports.tk_wasi_read(at) >>> 0;
    if (n === 0) throw new Refusal("its file could not be read");
    bytes.set(new Uint8Array(options.memory.buffer, buffer, n), at);
    at += n;
  }
  return bytes;
}

/** @param {Place} p @param {number} cap pages of memory, 0: as the module says @returns {Image} */
function compile(p, cap) {
  let bytes = moduleBytes(p);
  checkHead(bytes);
  if (cap) bytes = capMemory(bytes, cap);
  try {
    return { module: new WebAssembly.Module(/** @type {any} */ (bytes)), memory: importedMemory(bytes) };
  } catch (e) {
    if (e instanceof Refusal) throw e;
    throw new Refusal(`not a valid WebAssembly module: ${text(e)}`);
  }
}

/** An engine's message without its own prefix. @param {unknown} e */
const text = (e) => String(/** @type {any} */ (e)?.message ?? e).replace(/^WebAssembly\.\w+\(\):? ?/, "");

/**
 * @param {Image} image @param {(call: string, at: number) => any} linked what an import of the table is bound to
 * @param {WebAssembly.Memory | null} memory made for it @param {number} granted
 * @returns {Record<string, Record<string, any>>} @throws {Refusal}
 */
function importsOf({ module, memory: type }, linked, memory, granted) {
  /** @type {Record<string, Record<string, any>>} */
  const imports = {};
  for (const { module: from, name, kind } of WebAssembly.Module.imports(module)) {
    if (memory && kind === "memory" && from === type?.module && name === type.name) {
      (imports[from] ??= {})[name] = memory;
      continue;
    }
    const at = WASI_IMPORTS.findIndex((i) => i.module === from && i.name === name && kind === "function");
    if (at < 0) throw new Refusal(`unknown import: ${kind} "${name}" of module "${from}" is not provided`);
    const { capability, call } = WASI_IMPORTS[at];
    if (capability && !(granted & /** @type {any} */ (WASI_CAPABILITY)[capability.toUpperCase()])) {
      throw new Refusal(`import refused: "${name}" of module "${from}" needs the capability "${capability}", which was not granted`);
    }
    if (call === SPAWN) checkThreads(module, type);
    (imports[from] ??= {})[name] = linked(call, at);
  }
  return imports;
}

/** @param {WebAssembly.Module} module */
const exportKinds = (module) => new Map(WebAssembly.Module.exports(module).map((e) => [e.name, e.kind]));

/** @param {WebAssembly.Module} module @param {Image["memory"]} type @throws {Refusal} */
function checkThreads(module, type) {
  if (!type?.shared) throw new Refusal('it starts threads, but imports no shared memory for them ("thread-spawn" of module "wasi")');
  if (exportKinds(module).get(THREAD_START) !== "function") {
    throw new Refusal(`it starts threads, but exports no function "${THREAD_START}" for them`);
  }
}

/** @param {Image} image @throws {Refusal} */
function checkExports({ module, memory }) {
  const kinds = exportKinds(module);
  if (kinds.get("_start") !== "function") {
    const hint = kinds.has("_initialize") ? " (it is a library: it has _initialize)" : "";
    throw new Refusal(`nothing to run: the module exports no function "_start"${hint}`);
  }
  if (!memory && kinds.get("memory") !== "memory") throw new Refusal('the module exports no memory named "memory"');
}

/** @param {import("./wasm_bytes.js").ImportedMemory} type @param {number} mostPages @throws {Refusal} */
function makeMemory({ initial, maximum, shared }, mostPages) {
  const most = maximum < 0 ? mostPages : Math.min(maximum, Math.max(mostPages, initial));
  try {
    return new WebAssembly.Memory({ initial, maximum: most, shared });
  } catch (e) {
    throw new Refusal(`no room for its memory: ${text(e)}`);
  }
}

/** Where a trap was: names come from the module's name section. @param {unknown} e @param {string} own the module's name */
function trapText(e, own) {
  const stack = String(/** @type {any} */ (e)?.stack ?? "");
  const frame = /at (?:(\S+) \()?wasm:\/\/\S*?wasm-function\[(\d+)\]:(0x[0-9a-f]+)/.exec(stack);
  const name = own && frame?.[1]?.startsWith(`${own}.`) ? frame[1].slice(own.length + 1) : frame?.[1];
  const where = frame ? ` in ${name ? `${name} (function ${frame[2]})` : `function ${frame[2]}`} at ${frame[3]}` : "";
  const overflow = e instanceof RangeError && /call stack/i.test(e.message);
  return `trap: ${overflow ? "call stack exhausted" : text(e)}${where}`;
}

/**
 * An instance of the image that calls the kernel. @param {Place} place @param {Image} image
 * @param {WebAssembly.Memory | null} made the memory it imports @param {number} granted capabilities
 * @returns {{exports: any, kernel: import("./instantiate.js").Instance}} @throws {Refusal} and what its start function throws
 */
function bind(place, image, made, granted) {
  const beside = (/** @type {WebAssembly.Memory} */ guestMemory, /** @type {boolean} */ shared) =>
    instantiate({ ...place.options, module: shared ? place.sharedVariant : place.variant, guestMemory, beside: place.plain });
  if (made) {
    const kernel = beside(made, image.memory?.shared ?? false);
    return { kernel, exports: link(image.module, importsOf(image, (call) => kernel.exports[call], made, granted)).exports };
  }
  const { t: table, ...links } = new WebAssembly.Instance(linkModule).exports;
  const { exports } = link(image.module, importsOf(image, (_, at) => links[`f${at}`], null, granted));
  const kernel = beside(/** @type {WebAssembly.Memory} */ (exports.memory), false);
  WASI_IMPORTS.forEach((i, at) => /** @type {any} */ (table).set(at, kernel.exports[i.call]));
  return { kernel, exports };
}

/**
 * Starts the thread in `slot` and runs what `main` does in its module to the thread's end; returns its STATUS_*. A throw out
 * of here is a crash of the worker.
 * @param {Place} place @param {number} slot @param {number} generation
 * @param {(started: () => void, named: (module: WebAssembly.Module) => void) => void} main never returns but by a throw; what
 *   it names is the module whose name a trap is told with
 */
function run(place, slot, generation, main) {
  const kernel = place.plain.exports;
  const status = kernel.tk_wasi_start(slot, generation) >>> 0;
  if (status !== STATUS.CONTINUE) return status;
  let started = false;
  /** @type {WebAssembly.Module | null} */
  let own = null;
  const fail = (/** @type {string} */ why, /** @type {number} */ wait) => {
    const bytes = new TextEncoder().encode(why).subarray(0, 4000);
    new Uint8Array(place.options.memory.buffer, kernel.tk_wasi_fail_begin() >>> 0, bytes.length).set(bytes);
    kernel.tk_wasi_fail(bytes.length, wait);
    return STATUS.EXITED;
  };
  try {
    main(
      () => (started = true),
      (module) => (own = module),
    );
  } catch (e) {
    if (kernel.tk_wasi_over()) return STATUS.EXITED;
    if (!kernel.tk_wasi_in_module()) throw e;
    if (e instanceof Refusal) return fail(e.message, CANNOT_RUN);
    if (!(e instanceof WebAssembly.RuntimeError || e instanceof RangeError || started)) throw e;
    return fail(trapText(e, own ? moduleName(own) : ""), ABORTED);
  }
  if (kernel.tk_wasi_over()) return STATUS.EXITED;
  throw new Error("a module's thread went on after its end");
}

/**
 * Runs the module of the process whose first thread is in `slot`.
 * @param {Place} place @param {number} slot @param {number} generation
 * @param {Image | null} known the module, compiled already
 * @param {(image: Image, bytes: number) => void} compiled told of one compiled here
 * @returns {number}
 */
export function runModule(place, slot, generation, known, compiled) {
  return run(place, slot, generation, (started, named) => {
    const plain = place.plain.exports;
    const cap = plain.tk_wasi_memory_limit() >>> 0;
    const image = (cap ? null : known) ?? compile(place, cap); // a capped one is this process's alone
    if (!known && !cap) compiled(image, plain.tk_wasi_bytes());
    named(image.module);
    checkExports(image);
    const granted = plain.tk_wasi_capabilities() >>> 0;
    const made = image.memory && makeMemory(image.memory, place.mostPages);
    if (image.memory?.shared) place.share.set(START.WASI_THREAD, { image, memory: made });
    const { exports, kernel } = bind(place, image, made, granted);
    started();
    if (granted & WASI_CAPABILITY.SAY_AFTER) exports.ready?.();
    if (granted & WASI_CAPABILITY.SAY_BEFORE || (granted & WASI_CAPABILITY.SAY_AFTER && "ready" in exports)) kernel.exports.wasi_ready();
    exports._start();
    kernel.exports.wasi_proc_exit(0);
  });
}

/**
 * Runs a further thread of a module's process.
 * @param {Place} place @param {number} slot @param {number} generation
 * @param {{image: Image, memory: WebAssembly.Memory}} shared what its starter's worker runs
 */
export function runThread(place, slot, generation, shared) {
  return run(place, slot, generation, (started, named) => {
    const plain = place.plain.exports;
    const { image, memory } = shared;
    named(image.module);
    place.share.set(START.WASI_THREAD, shared);
    const { exports } = bind(place, image, memory, plain.tk_wasi_capabilities() >>> 0);
    started();
    exports[THREAD_START](plain.tk_wasi_tid(), plain.tk_wasi_argument() | 0);
    plain.tk_wasi_thread_end();
  });
}

/** @param {WebAssembly.Module} module @param {any} imports @throws {Refusal} for link errors; what its start function throws */
function link(module, imports) {
  try {
    return new WebAssembly.Instance(module, imports);
  } catch (e) {
    if (e instanceof WebAssembly.LinkError) throw new Refusal(`cannot be linked: ${text(e)}`);
    if (e instanceof RangeError && /memory/i.test(e.message)) throw new Refusal(`no room for its memory: ${text(e)}`);
    throw e;
  }
}
