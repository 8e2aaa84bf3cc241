// @ts-check
/** The plain Python example: Pyodide on the page, the wheel, and a program to change and run. */

import { isolate } from "./tidemark/element/isolation.js";

const $ = (/** @type {string} */ id) => /** @type {any} */ (document.getElementById(id));
const base = new URL("tidemark/", document.baseURI);

/** @param {string} text @param {boolean} [bad] */
function print(text, bad) {
  const line = document.createElement("span");
  line.textContent = text + "\n";
  if (bad) line.className = "bad";
  $("printed").append(line);
}

/** @param {string} text */
function state(text) {
  $("state").textContent = text;
}

/** @param {string} url */
async function bytes(url) {
  const response = await fetch(url);
  if (!response.ok) throw new Error(`${url}: ${response.status}`);
  if (!url.endsWith(".gz")) return response.arrayBuffer();
  const body = await response.arrayBuffer();
  if (new Uint8Array(body)[0] !== 0x1f) return body;
  return new Response(new Blob([body]).stream().pipeThrough(new DecompressionStream("gzip"))).arrayBuffer();
}

async function main() {
  const problem = await isolate(new URL("isolation-worker.js", document.baseURI).href);
  if (problem) return state(problem);
  const names = await (await fetch(new URL("files.json", base))).json();
  const indexURL = new URL("pyodide/", base).href;
  const [{ loadPyodide }, wheel, snapshot] = await Promise.all([
    import(`${indexURL}pyodide.mjs`),
    bytes(new URL(names.wheel, base).href),
    bytes(new URL(names.snapshot, base).href).catch(() => null),
  ]);
  /** @type {any} */
  const options = { indexURL };
  if (snapshot) options._loadSnapshot = new Uint8Array(snapshot);
  const pyodide = await loadPyodide(options);
  delete pyodide._api?.config?._loadSnapshot;
  pyodide.setStdout({ batched: (/** @type {string} */ s) => print(s) });
  pyodide.setStderr({ batched: (/** @type {string} */ s) => print(s, true) });
  // where the snapshot's modules came from, so that both are one package
  const site = pyodide.runPython("import site; site.getsitepackages()[0]");
  pyodide.unpackArchive(wheel, "zip", { extractDir: site });
  pyodide.pyimport("tidemark_py.host.baked").check();
  const program = new URLSearchParams(location.search).get("program");
  if (program && /^[\w.-]+$/.test(program)) $("program").value = await (await fetch(program)).text();
  state("Ready");
  $("run").disabled = false;
  $("run").onclick = async () => {
    $("run").disabled = true;
    $("printed").textContent = "";
    state("Running …");
    const began = performance.now();
    try {
      await pyodide.runPythonAsync($("program").value);
      state(`Done in ${((performance.now() - began) / 1000).toFixed(2)} s`);
    } catch (e) {
      print(String(/** @type {any} */ (e)?.message ?? e), true);
      state("Failed");
    }
    $("run").disabled = false;
  };
}

main().catch((e) => state(String(e)));
