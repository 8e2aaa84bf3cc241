// @ts-check
/**
 * Owns: the differences between a browser's worker and a Node worker thread, so that nothing else asks where it runs.
 * Callers: the boot files and, through boot_role.js, the Python host modules.
 */

/**
 * @typedef {object} Peer another side of a message channel
 * @property {(message: any, transfer?: any[]) => void} post
 * @property {(fn: (data: any) => void) => void} listen
 *
 * @typedef {object} WorkerHandle
 * @property {(message: any, transfer?: any[]) => void} post
 * @property {() => void} terminate nothing is reported afterwards
 */
import { MESSAGE } from "./gen/messages.js";

/** Node's worker_threads, or null in a browser. */
export const threads = /** @type {any} */ (globalThis).process?.versions?.node
  ? /** @type {any} */ (globalThis).process.getBuiltinModule("node:worker_threads")
  : null;

/**
 * The worker's way to who wanted it: whoever made it, or the other end of the port that its maker was given for it (workers.js).
 * @returns {Peer}
 */
export function parentPeer() {
  const scope = threads ? threads.parentPort : globalThis;
  let way = scope;
  /** @type {((data: any) => void)[]} */
  const listeners = [];
  const heard = (/** @type {any} */ data) => {
    if (data?.m === MESSAGE.WORKER_PORT) {
      way = data.port;
      portPeer(way).listen(heard);
    } else for (const fn of listeners) fn(data);
  };
  if (threads) scope.on("message", heard);
  else scope.addEventListener("message", (/** @type {MessageEvent} */ e) => heard(e.data));
  return { post: (m, t) => way.postMessage(m, t ?? []), listen: (fn) => void listeners.push(fn) };
}

/** A port as a Peer. @param {any} port @returns {Peer} */
export function portPeer(port) {
  return {
    post: (m, t) => port.postMessage(m, t ?? []),
    listen: (fn) => {
      port.onmessage = (/** @type {MessageEvent} */ e) => fn(e.data);
      port.unref?.(); // Node: a port alone keeps nobody alive
    },
  };
}

/**
 * Starts a module worker; only workers.js asks for one. `failed` hears once of a script that does not load, an uncaught error, or an end that was not asked for.
 * @param {string} url @param {string} name @param {(data: any) => void} received @param {(text: string) => void} failed
 * @returns {WorkerHandle}
 */
export function startWorker(url, name, received, failed) {
  let over = false;
  const fail = (/** @type {string} */ text) => {
    if (over) return;
    over = true;
    failed(text);
  };
  if (threads) {
    const worker = new threads.Worker(new URL(url), { name, stdout: false, stderr: false });
    worker.on("message", (/** @type {any} */ m) => over || received(m));
    worker.on("error", (/** @type {any} */ e) => fail(String(e?.stack ?? e)));
    worker.on("exit", (/** @type {number} */ code) => fail(`the worker ended by itself (exit code ${code})`));
    return { post: (m, t) => worker.postMessage(m, t), terminate: () => ((over = true), void worker.terminate()) };
  }
  const worker = new Worker(url, { type: "module", name });
  worker.onmessage = (e) => over || received(e.data);
  worker.onerror = (e) => (e.preventDefault?.(), fail(e.message || "its script could not be loaded"));
  worker.onmessageerror = () => fail("a message could not be read");
  return { post: (m, t) => worker.postMessage(m, t ?? []), terminate: () => ((over = true), worker.terminate()) };
}
