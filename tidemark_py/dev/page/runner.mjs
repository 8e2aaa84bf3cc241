// @ts-check
/** The page of run, demo and the tests: takes the token out of the address and hands over to core.mjs. */
import { start } from "./core.mjs";

const token = location.hash.slice(1);
history.replaceState(null, "", location.pathname);
await start({ origin: location.origin, token, indexURL: `${location.origin}/pyodide/`, snapshot: true });
