// @ts-check
/**
 * Opens the WebSocket to the command line tool, loads Pyodide and the wheel, starts agent.py. The socket comes first, so
 * that whatever fails afterwards is told.
 */

/** @param {{ origin: string, token: string, indexURL: string, snapshot: boolean }} o */
export async function start(o) {
  const socket = new WebSocket(`${o.origin.replace("http", "ws")}/rpc?token=${o.token}`);
  socket.binaryType = "arraybuffer";
  /** @type {any[]} */
  const early = [];
  let take = (/** @type {any} */ data) => void early.push(data);
  socket.onmessage = (e) => take(e.data);
  await new Promise((ok, no) => {
    socket.onopen = ok;
    socket.onerror = () => no(new Error("no connection to the command line tool"));
  });
  const fail = (/** @type {any} */ e) => socket.send(JSON.stringify({ t: "failed", text: String(e?.stack ?? e) }));
  try {
    const node = o.indexURL.startsWith("file:");
    const files = `${o.origin}/`;
    const [{ loadPyodide }, wheel, agent, snapshot] = await Promise.all([
      import(`${o.indexURL}pyodide.mjs`),
      bytes(`${files}wheel`),
      fetch(`${files}run/agent.py`).then((r) => r.text()),
      o.snapshot ? bytes(`${files}pyodide-snapshot.bin`).catch(() => null) : null,
    ]);
    const indexURL = node ? decodeURIComponent(new URL(o.indexURL).pathname) : o.indexURL;
    /** @type {any} */
    const options = { indexURL };
    if (snapshot) options._loadSnapshot = new Uint8Array(snapshot);
    const pyodide = await loadPyodide(options);
    delete pyodide._api?.config?._loadSnapshot;
    // where the snapshot's modules came from, so that both are one package
    const site = pyodide.runPython("import site; site.getsitepackages()[0]");
    pyodide.unpackArchive(wheel, "zip", { extractDir: site });
    pyodide.pyimport("tidemark_py.host.baked").check();
    /** @type {any} */ (globalThis).tidemarkAgent = {
      origin: o.origin,
      token: o.token,
      indexURL: o.indexURL,
      snapshot,
      send: (/** @type {any} */ m) => socket.send(m),
      listen: (/** @type {(data: any) => void} */ f) => {
        take = f;
        for (const data of early.splice(0)) f(data);
      },
      buffered: () => socket.bufferedAmount,
    };
    await pyodide.runPythonAsync(agent, { filename: "agent.py" });
  } catch (e) {
    fail(e);
  }
}

/** @param {string} url */
async function bytes(url) {
  const response = await fetch(url);
  if (!response.ok) throw new Error(`${url}: ${response.status}`);
  return response.arrayBuffer();
}
