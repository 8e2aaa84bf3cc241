// @ts-check
/**
 * Owns: one WebAssembly module as a process, in its worker: read, check, compile, link, run, tell why it ended.
 * Caller: boot_thread.js. No policy: what a call means is the kernel's (kernel/wasi); who may run what, the owner's.
 *
 * The module's memory exists only once it is instantiated, and the kernel instance beside it (the kernel's variant for
 * modules) needs that memory: so the module links to trampolines first, whose table is filled afterwards. Until then
 * the worker's plain instance serves; both share one C stack and TLS block, and never run at the same time.
 */
import { STATUS, WASI_CAPABILITY, WASI_IMPORTS } from "./gen/abi.js";
import { instantiate } from "./instantiate.js";
import { Refusal, capMemory, checkHead, moduleName, trampolines } from "./wasm_bytes.js";

const CANNOT_RUN = 126 << 8; // wait status: exit code 126, as shells say it
const ABORTED = 6; // wait status: SIGABRT

const linkModule = new WebAssembly.Module(/** @type {any} */ (trampolines(/** @type {any} */ (WASI_IMPORTS))));

/**
 * @typedef {object} Place what the worker was booted with
 * @property {WebAssembly.Module} variant kernel for modules
 * @property {import("./instantiate.js").InstanceOptions} options of the worker's plain instance
 * @property {import("./instantiate.js").Instance} plain
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

/** @param {Place} p @param {number} cap pages of memory, 0: as the module says @returns {WebAssembly.Module} */
function compile(p, cap) {
  let bytes = moduleBytes(p);
  checkHead(bytes);
  if (cap) bytes = capMemory(bytes, cap);
  try {
    return new WebAssembly.Module(/** @type {any} */ (bytes));
  } catch (e) {
    throw new Refusal(`not a valid WebAssembly module: ${text(e)}`);
  }
}

/** An engine's message without its own prefix. @param {unknown} e */
const text = (e) => String(/** @type {any} */ (e)?.message ?? e).replace(/^WebAssembly\.\w+\(\):? ?/, "");

/**
 * @param {WebAssembly.Module} module @param {Record<string, any>} links exports of the trampolines @param {number} granted
 * @returns {Record<string, Record<string, any>>} @throws {Refusal}
 */
function importsOf(module, links, granted) {
  /** @type {Record<string, Record<string, any>>} */
  const imports = {};
  for (const { module: from, name, kind } of WebAssembly.Module.imports(module)) {
    const at = WASI_IMPORTS.findIndex((i) => i.module === from && i.name === name && kind === "function");
    if (at < 0) throw new Refusal(`unknown import: ${kind} "${name}" of module "${from}" is not provided`);
    const { capability } = WASI_IMPORTS[at];
    if (capability && !(granted & /** @type {any} */ (WASI_CAPABILITY)[capability.toUpperCase()])) {
      throw new Refusal(`import refused: "${name}" of module "${from}" needs the capability "${capability}", which was not granted`);
    }
    (imports[from] ??= {})[name] = links[`f${at}`];
  }
  return imports;
}

/** @param {WebAssembly.Module} module @throws {Refusal} */
function checkExports(module) {
  const kinds = new Map(WebAssembly.Module.exports(module).map((e) => [e.name, e.kind]));
  if (kinds.get("_start") !== "function") {
    const hint = kinds.has("_initialize") ? " (it is a library: it has _initialize)" : "";
    throw new Refusal(`nothing to run: the module exports no function "_start"${hint}`);
  }
  if (kinds.get("memory") !== "memory") throw new Refusal('the module exports no memory named "memory"');
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
 * Runs the module of the thread in `slot` to its end; returns its STATUS_*. A throw out of here is a crash of the worker.
 * @param {Place} place @param {number} slot @param {number} generation
 * @param {WebAssembly.Module | null} known the module, compiled already
 * @param {(module: WebAssembly.Module, bytes: number) => void} compiled told of one compiled here
 * @returns {number}
 */
export function runModule(place, slot, generation, known, compiled) {
  let kernel = place.plain;
  const status = kernel.exports.tk_wasi_start(slot, generation) >>> 0;
  if (status !== STATUS.CONTINUE) return status;
  const fail = (/** @type {string} */ why, /** @type {number} */ wait) => {
    const bytes = new TextEncoder().encode(why).subarray(0, 4000);
    new Uint8Array(place.options.memory.buffer, kernel.exports.tk_wasi_buffer() >>> 0, bytes.length).set(bytes);
    kernel.exports.tk_wasi_fail(bytes.length, wait);
    return STATUS.EXITED;
  };
  let started = false;
  let name = "";
  try {
    const cap = kernel.exports.tk_wasi_memory_limit() >>> 0;
    const module = (cap ? null : known) ?? compile(place, cap); // a capped one is this process's alone
    if (!known && !cap) compiled(module, kernel.exports.tk_wasi_bytes());
    name = moduleName(module);
    checkExports(module);
    const { t: table, ...links } = new WebAssembly.Instance(linkModule).exports;
    const granted = kernel.exports.tk_wasi_capabilities() >>> 0;
    const imports = importsOf(module, links, granted);
    const instance = link(module, imports);
    const memory = /** @type {WebAssembly.Memory} */ (instance.exports.memory);
    kernel = instantiate({ ...place.options, module: place.variant, guestMemory: memory, beside: kernel });
    WASI_IMPORTS.forEach((i, at) => /** @type {any} */ (table).set(at, kernel.exports[`wasi_${i.name}`]));
    started = true;
    if (granted & WASI_CAPABILITY.SAY_AFTER) /** @type {any} */ (instance.exports).ready?.();
    if (granted & WASI_CAPABILITY.SAY_BEFORE || (granted & WASI_CAPABILITY.SAY_AFTER && "ready" in instance.exports)) kernel.exports.wasi_ready();
    /** @type {any} */ (instance.exports)._start();
    kernel.exports.wasi_proc_exit(0);
  } catch (e) {
    if (kernel.exports.tk_wasi_over()) return STATUS.EXITED;
    if (!kernel.exports.tk_wasi_in_module()) throw e;
    if (e instanceof Refusal) return fail(e.message, CANNOT_RUN);
    if (!(e instanceof WebAssembly.RuntimeError || e instanceof RangeError || started)) throw e;
    return fail(trapText(e, name), ABORTED);
  }
  throw new Error("a module's process went on after its end");
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
