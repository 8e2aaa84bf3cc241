// @ts-check
/**
 * A "page" on Node for one test after the other: Pyodide with the wheel; each line of stdin is Python as a JSON string, each answer
 * a line {value} or {error}. Arguments: Pyodide's folder, the wheel, a layer. Caller: tests/page/places.py.
 */
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";

const [pyodideFolder, wheel, layer] = process.argv.slice(2);
const { loadPyodide } = await import(pathToFileURL(`${pyodideFolder}/pyodide.mjs`).href);
const pyodide = await loadPyodide({ indexURL: `${pyodideFolder}/`, stdout: (/** @type {string} */ line) => console.error(line) });
pyodide.unpackArchive(new Uint8Array(readFileSync(wheel)), "wheel");
/** @type {any} */ (globalThis).layerBytes = () => new Uint8Array(readFileSync(layer));
for await (const line of createInterface({ input: process.stdin })) {
  let answer;
  try {
    const value = await pyodide.runPythonAsync(JSON.parse(line), { globals: pyodide.toPy({}) });
    answer = { value: value?.toJs ? value.toJs({ dict_converter: Object.fromEntries }) : value };
  } catch (e) {
    answer = { error: String(/** @type {any} */ (e).message) };
  }
  console.log(JSON.stringify(answer));
}
process.exit();
