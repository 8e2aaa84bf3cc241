// @ts-check
/**
 * Owns: how translated code (bytes the kernel wrote into its memory) becomes functions of this instance's table. Tables
 * cannot be shared: each instance links what it first calls, at the same indexes everywhere; an entry that is not linked
 * holds the kernel's tk_jit_not_here. Caller: the kernel, through the import host.jit_link. No policy.
 */

/**
 * @param {() => Record<string, any>} exports the instance's, once there is one
 * @param {WebAssembly.Memory} memory kernel memory @param {WebAssembly.Memory} guestMemory
 * @returns {(ptr: number, bytes: number, index: number) => number} ptr 0: empty the entries linked since the last time
 *   (bytes 1: and forget what they held) and give the first of `index` of them; else link the module of `bytes` bytes at
 *   ptr to table entry `index`: 0, or -1 when the engine refuses it. The same index is the same bytes
 */
export function jitLinker(exports, memory, guestMemory) {
  let base = -1;
  /** @type {Set<number>} */
  const linked = new Set();
  // the same bytes again, for the next process in this worker: nothing to compile, nothing to instantiate
  /** @type {Map<number, Function>} */
  const known = new Map();
  return (ptr, bytes, index) => {
    const { __indirect_function_table: table, tk_jit_not_here: notHere, tk_jit_chase: chase, tk_jit_fma: fma } = exports();
    if (ptr === 0) {
      if (base < 0) base = table.grow(index, notHere);
      for (const i of linked) table.set(i, notHere);
      linked.clear();
      if (bytes) known.clear();
      return base;
    }
    try {
      let run = known.get(index);
      if (!run) {
        // shared memory is no source for a compiler: a copy
        const code = new Uint8Array(memory.buffer, ptr >>> 0, bytes >>> 0).slice();
        const region = new WebAssembly.Instance(new WebAssembly.Module(code), {
          g: { m: guestMemory },
          k: { t: table, c: chase, f: fma },
        });
        known.set(index, (run = /** @type {Function} */ (region.exports.r)));
      }
      table.set(index, run);
      linked.add(index);
      return 0;
    } catch {
      return -1;
    }
  };
}
