// @ts-check
/**
 * Owns: what must be read or changed in a WebAssembly module's bytes before the engine compiles it: is it a component, a cap
 * on its memory, which memory it imports. And the module of trampolines that wasi.js links to. WebAssembly core specification, "Binary Format".
 * Callers: wasi.js, boot_role.js. No policy.
 */

const PAGE = 65536;
const EXTERN = Object.freeze({ FUNCTION: 0, TABLE: 1, MEMORY: 2, GLOBAL: 3, TAG: 4 }); // an import's kind
const SECTION = Object.freeze({ TYPE: 1, IMPORT: 2, FUNCTION: 3, TABLE: 4, MEMORY: 5, EXPORT: 7, CODE: 10, DATA_COUNT: 12 });

/** What makes a module unfit to run here: its text goes to the process's stderr. */
export class Refusal extends Error {}

/** @param {number} n @returns {number[]} unsigned LEB128 */
export function leb(n) {
  const out = [];
  do {
    const low = n % 128;
    n = Math.floor(n / 128);
    out.push(n ? low | 128 : low);
  } while (n);
  return out;
}

/** @param {string} text @returns {number[]} length and bytes */
const named = (text) => [...leb(text.length), ...[...text].map((c) => c.charCodeAt(0))];
/** @param {number} id @param {number[]} body @returns {number[]} */
const section = (id, body) => [id, ...leb(body.length), ...body];
/** @param {number[][]} items @returns {number[]} */
const vector = (items) => [...leb(items.length), ...items.flat()];

/** A cursor that refuses to run over the end. */
class Reader {
  /** @param {Uint8Array} bytes @param {number} at @param {number} end */
  constructor(bytes, at, end) {
    this.bytes = bytes;
    this.at = at;
    this.end = end;
  }
  byte() {
    if (this.at >= this.end) throw new Refusal("not a valid WebAssembly module: it is cut off");
    return this.bytes[this.at++];
  }
  u() {
    for (let result = 0, scale = 1, i = 0; i < 10; i++, scale *= 128) {
      const b = this.byte();
      result += (b & 127) * scale;
      if (b < 128) return result;
    }
    throw new Refusal("not a valid WebAssembly module: a number in it is too long");
  }
  /** @param {number} n */
  skip(n) {
    if (n > this.end - this.at) throw new Refusal("not a valid WebAssembly module: it is cut off");
    this.at += n;
  }
}

/** The module's own name, which engines put in front of its functions' names; "" when it has none. @param {WebAssembly.Module} module */
export function moduleName(module) {
  const [names] = WebAssembly.Module.customSections(module, "name");
  if (!names?.byteLength) return "";
  try {
    const r = new Reader(new Uint8Array(names), 0, names.byteLength);
    if (r.u() !== 0) return ""; // subsection 0 comes first
    r.u();
    const bytes = r.u();
    r.skip(bytes);
    return new TextDecoder().decode(r.bytes.subarray(r.at - bytes, r.at));
  } catch {
    return "";
  }
}

/** @param {Uint8Array} bytes @throws {Refusal} */
export function checkHead(bytes) {
  const version = bytes.length >= 8 ? bytes[4] | (bytes[5] << 8) | (bytes[6] << 16) | (bytes[7] << 24) : -1;
  if (version === 1) return;
  if (version === 0x1000d) {
    throw new Refusal("this is a WebAssembly component (WASI preview 2): only core modules for WASI preview 1 (wasi_snapshot_preview1) run here");
  }
  throw new Refusal(version < 0 ? "not a valid WebAssembly module: it is cut off" : `WebAssembly binary version ${version} is unknown; 1 is what runs here`);
}

/** One memory type at r, capped: its new bytes. @param {Reader} r @param {number} cap pages */
function cappedMemory(r, cap) {
  const flags = r.u();
  const least = r.u();
  const most = flags & 1 ? r.u() : Infinity;
  if (least > cap) {
    const mib = (/** @type {number} */ pages) => `${(pages * PAGE) / (1 << 20)} MiB`;
    throw new Refusal(`it needs ${mib(least)} of memory to start, its limit is ${mib(cap)}`);
  }
  return [...leb(flags | 1), ...leb(least), ...leb(Math.min(most, cap))];
}

/** Past one import whose names have been read: its kind, and for a memory the limits' flags. @param {Reader} r */
function skipImport(r) {
  const kind = r.byte();
  if (kind === EXTERN.FUNCTION) r.u();
  else if (kind === EXTERN.TABLE) r.byte(), r.u() & 1 ? (r.u(), r.u()) : r.u();
  else if (kind === EXTERN.GLOBAL) r.byte(), r.byte();
  else if (kind === EXTERN.TAG) r.byte(), r.u();
  else throw new Refusal("not a valid WebAssembly module: it has an import of an unknown kind");
}

/** @param {Reader} r a name's length is next */
function name(r) {
  const bytes = r.u();
  r.skip(bytes);
  return new TextDecoder().decode(r.bytes.slice(r.at - bytes, r.at));
}

/**
 * The import section with every memory's type replaced.
 * @param {Reader} r @param {(r: Reader, from: string, as: string) => number[]} memory reads one, returns its new bytes
 */
function importsWith(r, memory) {
  const count = r.u();
  const out = leb(count);
  for (let i = 0; i < count; i++) {
    const start = r.at;
    const [from, as] = [name(r), name(r)];
    let end = 0;
    /** @type {number[]} */
    let type = [];
    if (r.bytes[r.at] === EXTERN.MEMORY) {
      r.byte();
      end = r.at;
      type = memory(r, from, as);
    } else {
      skipImport(r);
      end = r.at;
    }
    for (let j = start; j < end; j++) out.push(r.bytes[j]);
    out.push(...type);
  }
  return out;
}

/**
 * The memory a module imports, or null. Pages of 64 KiB; maximum -1: none said.
 * @typedef {{module: string, name: string, initial: number, maximum: number, shared: boolean}} ImportedMemory
 * @param {Uint8Array} bytes @returns {ImportedMemory | null} @throws {Refusal}
 */
export function importedMemory(bytes) {
  for (const r = new Reader(bytes, 8, bytes.length); r.at < r.end; ) {
    const id = r.byte();
    const size = r.u();
    const body = new Reader(bytes, r.at, r.at + size);
    r.skip(size);
    if (id === SECTION.IMPORT) {
      /** @type {ImportedMemory[]} */
      const found = [];
      importsWith(body, (m, module, as) => {
        const flags = m.u();
        const initial = m.u();
        found.push({ module, name: as, initial, maximum: flags & 1 ? m.u() : -1, shared: (flags & 2) !== 0 });
        return [];
      });
      if (found.length > 1) throw new Refusal("it imports more than one memory");
      return found[0] ?? null;
    }
    if (id > SECTION.IMPORT && id < SECTION.DATA_COUNT) return null;
  }
  return null;
}

/** kernel-wasi.wasm for a shared guest memory: the one import's type is changed. @param {Uint8Array} bytes */
export const sharedVariant = (bytes) =>
  withImports(bytes, (r, from) => {
    const flags = r.u();
    const least = r.u();
    const most = flags & 1 ? r.u() : PAGE;
    return from === "guest_memory" ? [3, ...leb(least), ...leb(most)] : [flags, ...leb(least), ...(flags & 1 ? leb(most) : [])];
  });

/** @param {Uint8Array} bytes @param {(r: Reader, from: string, as: string) => number[]} memory @returns {Uint8Array} */
const withImports = (bytes, memory) => rewritten(bytes, (id, body) => (id === SECTION.IMPORT ? importsWith(body, memory) : null));

/** @param {Uint8Array} bytes @param {(id: number, body: Reader) => number[] | null} change null: leave the section */
function rewritten(bytes, change) {
  const parts = [bytes.subarray(0, 8)];
  for (const r = new Reader(bytes, 8, bytes.length); r.at < r.end; ) {
    const from = r.at;
    const id = r.byte();
    const size = r.u();
    const body = new Reader(bytes, r.at, r.at + size);
    r.skip(size);
    const changed = change(id, body);
    parts.push(changed ? new Uint8Array(section(id, changed)) : bytes.subarray(from, r.at));
  }
  const out = new Uint8Array(parts.reduce((n, p) => n + p.length, 0));
  let at = 0;
  for (const p of parts) out.set(p, at), (at += p.length);
  return out;
}

/**
 * The same module with no memory that can grow beyond `cap` pages of 64 KiB.
 * @param {Uint8Array} bytes @param {number} cap @returns {Uint8Array} @throws {Refusal}
 */
export function capMemory(bytes, cap) {
  return rewritten(bytes, (id, body) => {
    if (id === SECTION.IMPORT) return importsWith(body, (r) => cappedMemory(r, cap));
    if (id !== SECTION.MEMORY) return null;
    const count = body.u();
    return vector(Array.from({ length: count }, () => cappedMemory(body, cap)));
  });
}

/**
 * A module with one function f0, f1 ... per signature given, each calling the same entry of its exported table `t`: what a
 * module imports before there is a kernel instance for its memory. Wasm to wasm, so that no call passes JavaScript.
 * @param {{params: string, result: string}[]} signatures i: i32, j: i64 @returns {Uint8Array}
 */
export function trampolines(signatures) {
  const valtype = (/** @type {string} */ c) => (c === "i" ? 0x7f : 0x7e);
  const types = signatures.map(({ params, result }) => [0x60, ...vector([...params].map((c) => [valtype(c)])), ...vector([...result].map((c) => [valtype(c)]))]);
  const code = signatures.map(({ params }, i) => {
    const body = [0, ...[...params].flatMap((_, k) => [0x20, ...leb(k)]), 0x41, ...signedLeb(i), 0x11, ...leb(i), 0, 0x0b];
    return [...leb(body.length), ...body];
  });
  return new Uint8Array([
    ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(SECTION.TYPE, vector(types)),
    ...section(SECTION.FUNCTION, vector(signatures.map((_, i) => leb(i)))),
    ...section(SECTION.TABLE, vector([[0x70, 0, ...leb(signatures.length)]])),
    ...section(SECTION.EXPORT, vector([...signatures.map((_, i) => [...named(`f${i}`), 0, ...leb(i)]), [...named("t"), 1, 0]])),
    ...section(SECTION.CODE, vector(code)),
  ]);
}

/** @param {number} n not negative */
function signedLeb(n) {
  const out = [];
  for (;;) {
    const low = n & 127;
    n >>= 7;
    if (n === 0 && !(low & 64)) return [...out, low];
    out.push(low | 128);
  }
}
