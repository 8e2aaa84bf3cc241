// @ts-check
/** The same on Node: origin as argument, token and Pyodide's folder as one JSON line on stdin (not in the process list). */
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";
import { start } from "./core.mjs";

const line = await new Promise((done) => createInterface({ input: process.stdin }).once("line", done));
const { token, pyodide } = JSON.parse(line);
process.stdin.on("close", () => process.exit(0)); // whoever started us is gone
await start({ origin: process.argv[2], token, indexURL: pathToFileURL(`${pyodide}/`).href, snapshot: false });
