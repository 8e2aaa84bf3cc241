// @ts-check
/**
 * The worker of a page's elements: Pyodide, the wheel, and tidemark_py.sdk.elements, which does the work and owns the messages
 * (here: progress, up and fatal).
 */
import { unzip } from "./unzip.js";

/** @type {any[]} */
const early = [];
/** @type {(port: MessagePort) => void} */
let known = () => {};
/** @type {Promise<MessagePort>} over which the page makes workers: the first message */
const workers = new Promise((resolve) => void (known = resolve));
let take = (/** @type {any} */ m) => void (m.t === "workers" ? known(m.port) : early.push(m));
const scope = /** @type {any} */ (globalThis);

scope.onmessage = (/** @type {MessageEvent} */ e) => take(e.data);

/** @param {string} text @param {number} fraction */
function progress(text, fraction) {
  scope.postMessage({ t: "progress", text, fraction });
}

/** Bytes of a file, unpacked when its name ends in .gz and the server did not do it. @param {string} url */
async function bytes(url) {
  const response = await fetch(url);
  if (!response.ok) throw new Error(`${url}: ${response.status} ${response.statusText}`);
  const body = await response.arrayBuffer();
  const head = new Uint8Array(body, 0, 2);
  if (!url.endsWith(".gz") || head[0] !== 0x1f || head[1] !== 0x8b) return body;
  const stream = new Blob([body]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(stream).arrayBuffer();
}

/** Called by the worker's own script (machine.js). @param {string} base where the runtime's files are */
export async function start(base) {
  try {
    await boot(base);
  } catch (/** @type {any} */ error) {
    // a Python traceback's last line says it
    const text = String(error?.message ?? error).trim().split("\n").pop() ?? "";
    scope.postMessage({ t: "fatal", text: text.replace(/^[\w.]+Error: /, "") });
  }
}

/** @param {string} base */
async function boot(base) {
  const indexURL = new URL("pyodide/", base).href;
  progress("Loading Python …", 0.15);
  const names = await (await fetch(new URL("files.json", base))).json();
  const [{ loadPyodide }, files, snapshot] = await Promise.all([
    import(`${indexURL}pyodide.mjs`),
    bytes(new URL(names.wheel, base).href).then(unzip),
    bytes(new URL(names.snapshot, base).href).catch(() => null),
  ]);
  let pyodide;
  try {
    pyodide = await loadPyodide(snapshot ? { indexURL, _loadSnapshot: new Uint8Array(snapshot) } : { indexURL });
  } catch (e) {
    if (!snapshot) throw e;
    pyodide = await loadPyodide({ indexURL });
  }
  delete pyodide._api?.config?._loadSnapshot;
  // where the snapshot's modules came from, so that both are one package
  const site = pyodide.runPython("import site; site.getsitepackages()[0]");
  for (const [name, body] of files) {
    pyodide.FS.mkdirTree(`${site}/${name}`.replace(/\/[^/]*$/, ""));
    pyodide.FS.writeFile(`${site}/${name}`, body);
  }
  pyodide.pyimport("tidemark_py.host.baked").check();
  progress("Starting the kernel …", 0.5);
  const elements = pyodide.pyimport("tidemark_py.sdk.elements");
  const serving = await elements.serve({ indexURL, snapshot, workers: await workers, progress, post: (/** @type {any} */ m, /** @type {any} */ t) => scope.postMessage(m, t ?? []) });
  take = (m) => serving.take(m);
  scope.postMessage({ t: "up" });
  for (const m of early.splice(0)) take(m);
}
