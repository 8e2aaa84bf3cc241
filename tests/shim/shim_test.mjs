// @ts-check
/** Tests of js_shim on Node: `node --test shim_test.mjs KERNEL_WASM`. The same modules run in browsers. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test from "node:test";
import { ABI_HASH32, KERNEL_COUNTERS, NOTIFY, ROLE, START, THREAD_RECORD } from "../../js_shim/gen/abi.js";
import { MESSAGE } from "../../js_shim/gen/messages.js";
import { KernelPanic, instantiate, threadNotify } from "../../js_shim/instantiate.js";
import { startWorker } from "../../js_shim/platform.js";
import { capMemory, importedMemory, sharedVariant } from "../../js_shim/wasm_bytes.js";

const module = new WebAssembly.Module(readFileSync(/** @type {string} */ (process.env.KERNEL_WASM)));
const newKernelMemory = () => new WebAssembly.Memory({ initial: 1024, maximum: 65535, shared: true });
const newGuestMemory = () => new WebAssembly.Memory({ initial: 128, maximum: 128, shared: true });

/** @param {any} [more] */
function instance(more = {}) {
  return instantiate({ module, memory: newKernelMemory(), guestMemory: newGuestMemory(), instance: 0, notify: () => {}, log: () => {}, ...more });
}

/** @param {WebAssembly.Memory} memory @param {any} kernel */
const counters = (memory, kernel) => new Int32Array(memory.buffer, kernel.address.counters, KERNEL_COUNTERS.BYTES >> 2);

test("instances of one memory have disjoint stacks and the ABI of the tables", () => {
  const memory = newKernelMemory();
  const kernels = [0, 1, 7].map((n) => instance({ memory, instance: n }));
  const stacks = kernels.map((k) => k.exports.__stack_pointer.value).sort((a, b) => a - b);
  for (let i = 1; i < stacks.length; i++) assert.ok(stacks[i] - stacks[i - 1] >= kernels[0].exports.tk_instance_stack_bytes());
  assert.equal(kernels[0].exports.tk_abi_hash() >>> 0, ABI_HASH32);
});

test("an instance number out of range, a module without the exports and a small memory are refused by name", () => {
  assert.throws(() => instance({ instance: 9999 }), /kernel instance 9999/);
  const empty = new WebAssembly.Module(new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0]));
  assert.throws(() => instance({ module: empty }), /no export tk_/);
  // (module (import "host" "teleport" (func)))
  const wants = new WebAssembly.Module(
    new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0, 1, 4, 1, 96, 0, 0, 2, 17, 1, 4, 104, 111, 115, 116, 8, 116, 101, 108, 101, 112, 111, 114, 116, 0, 0]),
  );
  assert.throws(() => instance({ module: wants }), /wants function host\.teleport/);
});

test("boot, attach and a system call of init", () => {
  const memory = newKernelMemory();
  const kernel = instance({ memory });
  assert.equal(kernel.exports.tk_boot(96, 65536), 0);
  assert.ok(kernel.exports.tk_host_attach(1, 0) >= 0);
  assert.equal(kernel.exports.tk_syscall(172, 0, 0, 0, 0, 0, 0), 1); // getpid
  assert.equal(kernel.exports.tk_syscall(57, 99, 0, 0, 0, 0, 0), -9); // close: EBADF
});

test("a throw under the kernel lock is a panic everybody can name, and nobody waits for the lock", () => {
  const memory = newKernelMemory();
  const a = instance({ memory });
  const b = instance({ memory, instance: 1 });
  assert.equal(a.exports.tk_boot(96, 65536), 0);
  assert.equal(a.crashed(new Error("elsewhere")), false);
  a.holdLock();
  assert.equal(a.crashed(new Error("trap")), true);
  assert.equal(counters(memory, a)[KERNEL_COUNTERS.lock_word >> 2], 0);
  assert.match(b.panicText(), /threw while it held the kernel lock: Error: trap/);
  assert.throws(() => b.exports.tk_root_new(-1), KernelPanic);
});

test("a new thread's notification carries the guest memory on a port of its own", async () => {
  const memory = newKernelMemory();
  const guestMemory = newGuestMemory();
  const records = 65536;
  new Int32Array(memory.buffer)[(records + 3 * THREAD_RECORD.BYTES + THREAD_RECORD.start_kind) >> 2] = START.THREAD;
  /** @type {any[]} */
  const posted = [];
  /** @type {any[]} */
  const told = [];
  const notify = threadNotify({
    post: (m) => posted.push(m),
    kernelPort: { postMessage: (m) => told.push(m) },
    worker: 5,
    memory,
    share: new Map([[START.THREAD, guestMemory]]),
    records: () => records,
    message: MESSAGE.KERNEL_NOTIFIED,
  });
  notify(ROLE.KERNEL, NOTIFY.WATCH, 8);
  notify(ROLE.OWNER, NOTIFY.START, 2);
  notify(ROLE.OWNER, NOTIFY.START, 3);
  assert.deepEqual(told, [[NOTIFY.WATCH, 8]]);
  assert.equal(posted[0].guest_port, null);
  const port = posted[1].guest_port;
  const got = await new Promise((resolve) => (port.onmessage = (/** @type {any} */ e) => resolve(e.data)));
  assert.equal(got.buffer.byteLength, guestMemory.buffer.byteLength);
  port.close();
});

test("a thread worker boots, refuses a stale start, reports a throw", async () => {
  const memory = newKernelMemory();
  const kernel = instance({ memory });
  kernel.exports.tk_boot(96, 65536);
  /** @type {any[]} */
  const heard = [];
  let wake = () => {};
  const worker = startWorker(new URL("../../js_shim/boot_thread.js", import.meta.url).href, "t", (m) => (heard.push(m), wake()), (text) => (heard.push({ m: "failed", text }), wake()));
  const next = async () => {
    while (!heard.length) await new Promise((resolve) => (wake = () => resolve(0)));
    return heard.shift();
  };
  const { port1, port2 } = new MessageChannel();
  const boot = { m: MESSAGE.THREAD_BOOT, module, memory, worker: 4, instance: 2, guest_initial_pages: 19, guest_max_pages: 65536, kernel_port: port1, guest_port: null };
  worker.post(boot, [port1]);
  assert.deepEqual(await next(), { m: MESSAGE.THREAD_READY, worker: 4 });
  worker.post({ m: MESSAGE.THREAD_START, slot: 100, generation: 77 });
  const exited = await next();
  assert.equal(exited.m, MESSAGE.THREAD_EXITED);
  assert.equal(exited.status, 4); // STATUS_STALE
  worker.post({ m: MESSAGE.THREAD_THROW, locked: true });
  const crashed = await next();
  assert.equal(crashed.m, MESSAGE.THREAD_CRASHED);
  assert.equal(crashed.panic, true);
  worker.terminate();
  port2.close();
});

test("a worker whose script does not load fails once", async () => {
  const text = await new Promise((resolve) => startWorker("file:///nowhere/none.js", "n", () => {}, resolve));
  assert.match(String(text), /nowhere/);
});

/** A module that imports a function f of m and a memory k.mem, limits as given. @param {number[]} limits */
const importer = (...limits) =>
  new Uint8Array([
    ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...[1, 4, 1, 0x60, 0, 0],
    ...[2, 1 + 6 + 7 + limits.length, 2, 1, 0x6d, 1, 0x66, 0, 0, 1, 0x6b, 3, 0x6d, 0x65, 0x6d, 2, ...limits],
    ...[3, 2, 1, 0],
    ...[10, 4, 1, 2, 0, 0x0b],
  ]);

test("the memory a module imports is read, capped and told", () => {
  const told = (/** @type {Uint8Array} */ bytes) => {
    new WebAssembly.Module(/** @type {any} */ (bytes)); // it is valid
    return importedMemory(bytes);
  };
  const memory = { module: "k", name: "mem" };
  assert.deepEqual(told(importer(0, 2)), { ...memory, initial: 2, maximum: -1, shared: false });
  assert.deepEqual(told(importer(3, 2, 200, 1)), { ...memory, initial: 2, maximum: 200, shared: true });
  assert.deepEqual(told(capMemory(importer(3, 2, 200, 1), 9)), { ...memory, initial: 2, maximum: 9, shared: true });
  assert.deepEqual(told(capMemory(importer(0, 2), 9)), { ...memory, initial: 2, maximum: 9, shared: false });
  assert.throws(() => capMemory(importer(0, 2), 1), /it needs 0.125 MiB of memory to start, its limit is 0.0625 MiB/);
  assert.equal(importedMemory(new Uint8Array([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 3, 2, 1, 0])), null);
  for (let end = 15; end < 31; end++) assert.throws(() => importedMemory(importer(3, 2, 200, 1).subarray(0, end)), /cut off/);
});

test("the kernel for shared module memories links to nothing else", () => {
  const plain = new Uint8Array(readFileSync(/** @type {string} */ (process.env.KERNEL_WASM).replace("kernel.wasm", "kernel-wasi.wasm")));
  const shared = new WebAssembly.Module(/** @type {any} */ (sharedVariant(plain)));
  const module = new WebAssembly.Module(plain);
  assert.deepEqual(WebAssembly.Module.imports(shared), WebAssembly.Module.imports(module));
  const small = { initial: 1, maximum: 1 };
  const options = { notify: () => {}, log: () => {}, instance: 0, memory: newKernelMemory() };
  const link = (/** @type {any} */ m, /** @type {boolean} */ s) => instantiate({ ...options, module: m, guestMemory: new WebAssembly.Memory({ ...small, shared: s }) });
  link(module, false);
  link(shared, true);
  assert.throws(() => link(shared, false), WebAssembly.LinkError);
  assert.throws(() => link(module, true), WebAssembly.LinkError);
});
