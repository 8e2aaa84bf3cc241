// @ts-check
/**
 * The preview: what the page's origin is asked below _guest/PORT/ is answered by the server that a guest runs on that port.
 *
 * Owns: the page's end of the service worker's questions (isolation-worker.js), bodies and messages piece by piece so that a slow
 * reader slows the guest. Called by pages through `machine`: `const url = await preview(machine, 8000)`, then an iframe's src.
 * A service worker does not see WebSockets: previewed pages get a script that brings those of their own origin here.
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
      if (e.data?.t === "tidemark.socket" && e.ports[0]) connect(machine, e.data, e.ports[0]);
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

// ---- WebSockets ----

const ROOM = 16; // messages on their way to a previewed page that has not taken them yet
const GOING_AWAY = 1001;
const ABNORMAL = 1006;

/**
 * In: { send }, { close, reason }, { took }. Out: { opened }, { message }, { sent }, { closed, reason }.
 * @param {import("./machine.js").Machine} machine @param {any} q @param {MessagePort} to
 */
async function connect(machine, q, to) {
  let room = ROOM;
  let more = () => {};
  let sending = Promise.resolve();
  /** @param {number} code @param {string} reason */
  const ended = (code, reason) => to.postMessage({ closed: code, reason });
  let head;
  try {
    head = await machine.call("socket_open", q.port, q.path, q.protocols);
  } catch (error) {
    console.warn(`A WebSocket of a previewed page: ${/** @type {any} */ (error)?.message ?? error}`);
    return ended(ABNORMAL, "");
  }
  to.onmessage = ({ data }) => {
    if ("took" in data) return void (++room, more());
    sending = sending
      .then(async () => {
        if ("close" in data) return machine.call("socket_close", head.number, data.close, data.reason);
        await machine.call("socket_send", head.number, typeof data.send === "string" ? data.send : new Uint8Array(data.send));
        to.postMessage({ sent: data.size });
      })
      .catch(() => {});
  };
  to.addEventListener("close", () => machine.call("socket_close", head.number, GOING_AWAY, "").catch(() => {}));
  to.postMessage({ opened: head.protocol });
  try {
    for (;;) {
      while (room <= 0) await new Promise((done) => (more = () => done(undefined)));
      const { message, code, reason } = await machine.call("socket_read", head.number);
      if (message === undefined) return ended(code, reason);
      room -= 1;
      to.postMessage({ message });
    }
  } catch {
    ended(ABNORMAL, ""); // the machine is gone
  }
}
