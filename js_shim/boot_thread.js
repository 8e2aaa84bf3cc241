// @ts-check
/**
 * A thread worker: one guest memory, one kernel instance, one guest thread at a time. It obeys thread.boot and
 * thread.start (abi/messages.toml) and reports thread.ready, thread.exited, thread.crashed. No Python, no policy.
 *
 * A worker for WebAssembly modules (thread.boot with `variant`) has no guest memory of its own, but a small one that all of
 * them share and nothing uses; it obeys thread.start_module once, and is ended afterwards.
 */
import { START, THREAD_RECORD } from "./gen/abi.js";
import { MESSAGE } from "./gen/messages.js";
import { instantiate, threadNotify } from "./instantiate.js";
import { parentPeer } from "./platform.js";
import { runModule, runThread } from "./wasi.js";

const parent = parentPeer();
let worker = -1;
/** @type {import("./instantiate.js").Instance | null} */
let kernel = null;
/** @type {(slot: number) => number} */
let touchedPages = () => 0;
/** @type {import("./wasi.js").Place | null} */
let place = null;

/** The one message that waits there. @param {any} port @returns {Promise<any>} */
const messageFrom = (port) =>
  new Promise((resolve) => {
    port.onmessage = (/** @type {MessageEvent} */ e) => (port.close(), resolve(e.data));
  });

/** @param {any} m thread.boot */
async function boot(m) {
  worker = m.worker;
  // Small at first: the kernel grows it. The maximum was probed by the page.
  const guestMemory = m.guest_memory
    ? m.guest_memory
    : m.guest_port
    ? await messageFrom(m.guest_port)
    : new WebAssembly.Memory({ initial: m.guest_initial_pages, maximum: m.guest_max_pages, shared: true });
  const share = new Map([[START.THREAD, guestMemory]]);
  const notify = threadNotify({
    post: parent.post,
    kernelPort: m.kernel_port,
    worker,
    memory: m.memory,
    share,
    records: () => /** @type {any} */ (kernel).address.threadRecords,
    message: MESSAGE.KERNEL_NOTIFIED,
  });
  const log = (/** @type {string} */ text) => m.kernel_port.postMessage([-1, text]);
  const options = { module: m.module, memory: m.memory, guestMemory, instance: m.instance, notify, log };
  kernel = instantiate(options);
  if (m.variant) place = { variant: m.variant, sharedVariant: m.shared_variant, options, plain: kernel, share, mostPages: m.guest_max_pages };
  const words = new Int32Array(m.memory.buffer);
  const base = (kernel.address.threadRecords + THREAD_RECORD.touched_pages) >> 2;
  touchedPages = (slot) => Atomics.load(words, base + slot * (THREAD_RECORD.BYTES >> 2));
  parent.post({ m: MESSAGE.THREAD_READY, worker });
}

/** @param {number} slot @param {number} generation */
function start(slot, generation) {
  if (!kernel) throw new Error("thread.start before thread.boot");
  const status = kernel.exports.tk_run(slot, generation) >>> 0;
  parent.post({ m: MESSAGE.THREAD_EXITED, worker, slot, generation, status, touched_pages: touchedPages(slot) });
}

/** @param {any} m thread.start_module */
async function startModule({ slot, generation, image, module, guest_port }) {
  if (!place) throw new Error("thread.start_module in a worker that was not booted for modules");
  const shared = guest_port && (await messageFrom(guest_port));
  const status = shared ? runThread(place, slot, generation, shared) : runModule(place, slot, generation, module, (compiled, bytes) =>
    parent.post({ m: MESSAGE.THREAD_COMPILED, worker, image, module: compiled, bytes }),
  );
  parent.post({ m: MESSAGE.THREAD_EXITED, worker, slot, generation, status, touched_pages: -1 });
}

/** @param {number} slot @param {unknown} error */
function crashed(slot, error) {
  const panic = kernel?.crashed(error) ?? false;
  const e = /** @type {any} */ (error);
  parent.post({ m: MESSAGE.THREAD_CRASHED, worker, slot, text: panic && kernel ? kernel.panicText() : String(e?.message ?? e), panic });
}

parent.listen((m) => {
  if (m.m === MESSAGE.THREAD_START) {
    try {
      start(m.slot, m.generation);
    } catch (e) {
      crashed(m.slot, e);
    }
  } else if (m.m === MESSAGE.THREAD_START_MODULE) {
    startModule(m).catch((e) => crashed(m.slot, e));
  } else if (m.m === MESSAGE.THREAD_THROW) {
    if (m.locked) kernel?.holdLock();
    crashed(-1, new Error("thrown by a test"));
  } else if (m.m === MESSAGE.THREAD_BOOT) {
    boot(m).catch((e) => crashed(-1, e));
  } else {
    crashed(-1, new Error(`unknown message ${String(m?.m)}`));
  }
});
