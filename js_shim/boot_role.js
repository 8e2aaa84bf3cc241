// @ts-check
/**
 * A worker that runs Python roles: the kernel worker, the process owner, or both. Loads Pyodide (from a memory snapshot
 * when it is given one), unpacks the package and hands over to tidemark_py.host.worker with a `shim` object: what Python
 * cannot do, or not cheaply. Whatever goes wrong on the way is told to the page as runtime.failed. No policy.
 */
import { MESSAGE } from "./gen/messages.js";
import { instantiate } from "./instantiate.js";
import { parentPeer, portPeer, startWorker, threads } from "./platform.js";

const parent = parentPeer();

/** Kernel notifications of this very worker: delivered after the running Python has returned, never inside a kernel call. */
function localQueue() {
  /** @type {[number, any][]} */
  let queue = [];
  /** @type {(kind: number, arg: any) => void} */
  let sink = () => {};
  const { port1, port2 } = new MessageChannel();
  port2.onmessage = () => {
    const batch = queue;
    queue = [];
    for (const [kind, arg] of batch) sink(kind, arg);
  };
  return {
    push(/** @type {number} */ kind, /** @type {any} */ arg) {
      if (queue.push([kind, arg]) === 1) port1.postMessage(0);
    },
    /** @param {(kind: number, arg: any) => void} fn */
    listen(fn) {
      sink = fn;
    },
  };
}

/** @param {any} o role.boot */
async function boot(o) {
  const { loadPyodide } = await import(/* webpackIgnore: true */ o.index_url + "pyodide.mjs");
  /** @type {any} */
  const options = { indexURL: threads && o.index_url.startsWith("file:") ? filePath(o.index_url) : o.index_url };
  if (o.snapshot) options._loadSnapshot = new Uint8Array(o.snapshot);
  let pyodide;
  try {
    pyodide = await loadPyodide(options);
  } catch (e) {
    if (!o.snapshot) throw e;
    delete options._loadSnapshot;
    pyodide = await loadPyodide(options);
  }
  if (pyodide._api?.config) delete pyodide._api.config._loadSnapshot;
  const site = pyodide.runPython("import site, sys; p = site.getsitepackages()[0]; p in sys.path or sys.path.append(p); p");
  pyodide.unpackArchive(new Uint8Array(o.sources), "zip", { extractDir: site });
  const shim = {
    instantiate,
    startWorker,
    portPeer,
    parent,
    localQueue,
    MessageChannel,
    /** Kernel bytes as an array of their own. @param {WebAssembly.Memory} memory @param {number} at @param {number} bytes */
    copyOut: (memory, at, bytes) => new Uint8Array(memory.buffer, at, bytes).slice(),
    /** @param {WebAssembly.Memory} memory @param {number} at @param {Uint8Array} bytes */
    copyIn: (memory, at, bytes) => new Uint8Array(memory.buffer).set(bytes, at),
  };
  const start = pyodide.pyimport("tidemark_py.host.worker").start;
  await start(shim, o);
}

/** @param {string} url */
function filePath(url) {
  return /** @type {any} */ (globalThis).process.getBuiltinModule("node:url").fileURLToPath(url);
}

let booting = false;
parent.listen((m) => {
  if (booting || m?.m !== "role.boot") return;
  booting = true;
  boot(m).catch((e) => parent.post({ m: MESSAGE.RUNTIME_FAILED, role: m.role, kind: "boot", text: String(e?.message ?? e) }));
});
