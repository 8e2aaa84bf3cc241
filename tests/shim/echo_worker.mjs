// @ts-check
/** A worker of the tests: says what it hears, throws, and has workers like itself made over a port that it is given. */
import { parentPeer } from "../../js_shim/platform.js";
import { makerBehind } from "../../js_shim/workers.js";

const parent = parentPeer();
/** @type {import("../../js_shim/workers.js").MadeWorker[]} */
const children = [];

parent.listen((m) => {
  if (m.t === "throw") setTimeout(() => { throw new Error("thrown by a test"); });
  else if (m.t === "make") {
    const child = makerBehind(m.maker).startWorker(import.meta.url, "child", (said) => parent.post({ child: said }), () => {});
    children.push(child);
    child.post({ t: "hold", port: m.port }, [m.port]);
  } else if (m.t === "hold") {
    m.port.postMessage("held"); // it closes with this worker
    parent.post("holds");
  } else parent.post({ echo: m });
});
