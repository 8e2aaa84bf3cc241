// @ts-check
/**
 * The preview: what the page's origin is asked below _guest/PORT/ is answered by the server that a guest runs on that port.
 *
 * Owns: the page's end of the service worker's questions (isolation-worker.js), bodies piece by piece so that a slow reader slows the
 * guest. Called by pages through `machine`: `const url = await preview(machine, 8000)`, then an iframe's src.
 * Missing: WebSocket upgrades (a service worker does not see them).
 */

/** @type {WeakSet<object>} */
const answering = new WeakSet();

/**
 * The address at which a guest's port is seen. Rejects with one sentence where there is no service worker.
 * @param {import("./machine.js").Machine} machine @param {number} port @returns {Promise<string>}
 */
export async function preview(machine, port) {
  if (!navigator.serviceWorker) throw new Error("A preview needs a service worker: serve the page over https or from localhost.");
  const registration = (await navigator.serviceWorker.getRegistration()) ?? (await navigator.serviceWorker.register(machine.isolation));
  if (!location.href.startsWith(registration.scope)) throw new Error(`The service worker ${machine.isolation} does not serve this page.`);
  await navigator.serviceWorker.ready;
  if (!answering.has(machine)) {
    answering.add(machine);
    navigator.serviceWorker.addEventListener("message", (e) => {
      if (e.data?.t === "tidemark.http" && e.ports[0]) answer(machine, e.data, e.ports[0]);
    });
    navigator.serviceWorker.startMessages();
  }
  return new URL(`_guest/${port}/`, registration.scope).href;
}

/** @param {import("./machine.js").Machine} machine @param {any} q @param {MessagePort} to */
async function answer(machine, q, to) {
  try {
    const head = await machine.call("http_open", q.port, q.method, q.path, q.headers, q.body && new Uint8Array(q.body));
    to.onmessage = async (e) => {
      if (e.data !== "pull") return void machine.call("http_close", head.number).catch(() => {});
      try {
        const piece = await machine.call("http_read", head.number);
        if (piece) to.postMessage({ piece }, [piece.buffer]);
        else to.postMessage({ end: true });
      } catch (error) {
        to.postMessage({ error: String(/** @type {any} */ (error)?.message ?? error) });
      }
    };
    to.postMessage({ head });
  } catch (error) {
    to.postMessage({ refused: String(/** @type {any} */ (error)?.message ?? error) });
  }
}
