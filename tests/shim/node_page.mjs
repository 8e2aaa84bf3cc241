// @ts-check
/** A "page" on Node: Pyodide with the wheel, then Python from stdin. Arguments: Pyodide's folder, the wheel, a layer. */
import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const [pyodideFolder, wheel, layer] = process.argv.slice(2);
const { loadPyodide } = await import(pathToFileURL(`${pyodideFolder}/pyodide.mjs`).href);
const pyodide = await loadPyodide({ indexURL: `${pyodideFolder}/` });
pyodide.unpackArchive(new Uint8Array(readFileSync(wheel)), "wheel");
/** @type {any} */ (globalThis).layerBytes = () => new Uint8Array(readFileSync(layer));
try {
  await pyodide.runPythonAsync(readFileSync(0, "utf8"));
} catch (e) {
  console.error(String(/** @type {any} */ (e).message));
  process.exitCode = 1;
}
