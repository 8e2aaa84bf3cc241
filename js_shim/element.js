// @ts-check
/**
 * The one module script of a page: <tidemark-terminal> (element/terminal.js), <tidemark-run> (element/run.js)
 * and <tidemark-canvas> (element/canvas.js).
 * All elements of a page share one runtime (element/machine.js), started when the first of them is seen.
 */
import { TidemarkCanvas } from "./element/canvas.js";
import { TidemarkRun } from "./element/run.js";
import { TidemarkTerminal } from "./element/terminal.js";

export { isolate } from "./element/isolation.js";
export { machineOf } from "./element/machine.js";
export { serveWorkers } from "./workers.js";
export { preview } from "./element/preview.js";
export { TidemarkCanvas, TidemarkRun, TidemarkTerminal };

if (!customElements.get("tidemark-terminal")) customElements.define("tidemark-terminal", TidemarkTerminal);
if (!customElements.get("tidemark-run")) customElements.define("tidemark-run", TidemarkRun);
if (!customElements.get("tidemark-canvas")) customElements.define("tidemark-canvas", TidemarkCanvas);
