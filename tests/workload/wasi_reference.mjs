// @ts-check
/** One module on Node's own WASI, for comparison: `node wasi_reference.mjs MODULE DIRECTORY`, with V=x and one argument. */
import { readFileSync } from "node:fs";
import { WASI } from "node:wasi";

const [path, directory] = process.argv.slice(2);
const wasi = new WASI({ version: "preview1", args: [path, "all"], env: { V: "x" }, preopens: { "/": directory }, returnOnExit: true });
const { instance } = await WebAssembly.instantiate(readFileSync(path), /** @type {any} */ (wasi.getImportObject()));
process.exitCode = wasi.start(instance);
