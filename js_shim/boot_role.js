// @ts-check
/**
 * A worker that runs Python roles: the kernel worker, the process owner, or both. Loads Pyodide (from a memory snapshot
 * when it is given one), unpacks the package and hands over to tidemark_py.roles.boot with a `shim` object: what Python
 * cannot do, or not cheaply. Whatever goes wrong on the way is told to the page as runtime.failed. No policy.
 */
import { ROLE } from "./gen/abi.js";
import { MESSAGE } from "./gen/messages.js";
import { instantiate } from "./instantiate.js";
import { parentPeer, portPeer, threads } from "./platform.js";
import { sharedVariant } from "./wasm_bytes.js";
import { makerBehind, makerHere } from "./workers.js";

const parent = parentPeer();
/** @type {Record<string, number[]>} roles whose notifications end in this worker; else both */
const LOCAL = { kernel_worker: [ROLE.KERNEL], process_owner: [ROLE.OWNER] };
const LOG = -1; // the kind of a line of the kernel's log

/**
 * Where kernel notifications of and for this worker go. Those of its own kernel instance are delivered after the running
 * Python has returned, never inside a kernel call; those of thread workers come over attached ports; those for a role that
 * lives elsewhere go to the peer, the worker of the other role.
 * @param {number[]} local roles that live here @param {any} peer MessagePort to the other role's worker, or null
 */
function notificationHub(local, peer) {
  /** @type {[number, number, any][]} */
  let queue = [];
  /** @type {(role: number, kind: number, arg: any) => void} */
  let sink = (...all) => void queue.push(all);
  const { port1, port2 } = new MessageChannel();
  port2.onmessage = () => {
    const batch = queue;
    queue = [];
    for (const each of batch) sink(...each);
  };
  const later = (/** @type {number} */ role, /** @type {number} */ kind, /** @type {any} */ arg) => {
    if (queue.push([role, kind, arg]) === 1) port1.postMessage(0);
  };
  const attach = (/** @type {any} */ port) => portPeer(port).listen((m) => sink(ROLE.KERNEL, m[0], m[1]));
  if (peer) portPeer(peer).listen((m) => (m.port ? attach(m.port) : sink(m[0], m[1], m[2])));
  return {
    notify: (/** @type {number} */ role, /** @type {number} */ kind, /** @type {number} */ arg) =>
      local.includes(role) ? later(role, kind, arg) : peer.postMessage([role, kind, arg]),
    /** @param {string} text */
    log: (text) => (local.includes(ROLE.KERNEL) ? later(ROLE.KERNEL, LOG, text) : peer.postMessage([ROLE.KERNEL, LOG, text])),
    /** A thread worker's port for the kernel worker. @param {any} port */
    attach: (port) => (local.includes(ROLE.KERNEL) ? attach(port) : peer.postMessage({ port }, [port])),
    /** An attached Pyodide's port, for both roles. @param {any} port */
    join: (port) => portPeer(port).listen((m) => (local.includes(m[0]) ? sink(m[0], m[1], m[2]) : peer.postMessage(m))),
    /** @param {(role: number, kind: number, arg: any) => void} fn */
    listen(fn) {
      sink = fn;
      if (queue.length) port1.postMessage(0);
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
  writeFiles(pyodide.FS, site, o.sources);
  pyodide.pyimport("tidemark_py.host.baked").check();
  const shim = {
    instantiate,
    maker: o.maker ? makerBehind(o.maker) : makerHere(),
    parent,
    hub: notificationHub(LOCAL[o.role] ?? [ROLE.KERNEL, ROLE.OWNER], o.peer_port),
    newChannel: () => new MessageChannel(),
    /** @param {number} initial @param {number} maximum */
    newMemory: (initial, maximum) => new WebAssembly.Memory({ initial, maximum, shared: true }),
    /** @param {Uint8Array} variant kernel-wasi.wasm */
    compileVariants: (variant) => [new WebAssembly.Module(variant), new WebAssembly.Module(sharedVariant(variant))],
    /** Into kernel memory, which may have grown. @param {WebAssembly.Memory} memory @param {number} at @param {Uint8Array} bytes */
    copyIn: (memory, at, bytes) => new Uint8Array(memory.buffer).set(bytes, at),
  };
  pyodide.pyimport("tidemark_py.roles.boot").start(shim, o);
}

/** @param {any} fs Emscripten's @param {string} into @param {{ names: string[], sizes: number[], bytes: Uint8Array }} files bodies one after the other */
function writeFiles(fs, into, { names, sizes, bytes }) {
  let [at, made] = [0, ""];
  for (const [n, name] of names.entries()) {
    const path = `${into}/${name}`;
    const folder = path.slice(0, path.lastIndexOf("/"));
    if (folder !== made) fs.mkdirTree((made = folder));
    fs.writeFile(path, bytes.subarray(at, (at += sizes[n])));
  }
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
