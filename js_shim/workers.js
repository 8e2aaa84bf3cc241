// @ts-check
/**
 * Owns: who makes a worker, and what ends with it. Nothing else calls platform.js' startWorker.
 *
 * Firefox (153) now and then never runs the workers that a worker makes, all of them at once; those that a window makes always
 * run. So wherever a window can be reached it makes every worker, and who wanted one talks to it over a port: the window itself
 * (makerHere), or over a port that a window serves (makerBehind, serveWorkers). Where none can be reached (a worker that is not
 * ours, Node) each worker makes its own.
 * A worker made for another ends with it, as the engine would have it.
 *
 * Callers: tidemark_py/host (page.py, worker.py through boot_role.js), element/machine.js, and pages whose own worker starts a
 * runtime. Messages: abi/messages.toml, worker.*.
 */
import { MESSAGE } from "./gen/messages.js";
import { portPeer, startWorker } from "./platform.js";

/**
 * @typedef {import("./platform.js").WorkerHandle} WorkerHandle
 *
 * @typedef {object} MadeWorker
 * @property {(message: any, transfer?: any[]) => void} post
 * @property {() => void} terminate with all that was made on its behalf; nothing is reported afterwards
 * @property {() => any} serve a port for the worker, over which it has workers made; undefined: it makes them itself
 *
 * @typedef {object} Maker
 * @property {(url: string, name: string, received: (data: any) => void, failed: (text: string) => void) => MadeWorker} startWorker
 */

const isWindow = typeof document === "object" && typeof window === "object";

/** Workers are made by this thread. @param {boolean} [serves] also those that they want in turn; by default a window does @returns {Maker} */
export function makerHere(serves = isWindow) {
  return {
    startWorker(url, name, received, failed) {
      const handle = startWorker(url, name, received, failed);
      /** @type {Served[]} */
      const wanted = [];
      return {
        post: handle.post,
        terminate() {
          handle.terminate();
          for (const each of wanted) each.end();
        },
        serve() {
          if (!serves) return undefined;
          const { port1, port2 } = new MessageChannel();
          wanted.push(serveWorkers(port1));
          return port2;
        },
      };
    },
  };
}

/**
 * @typedef {object} Served
 * @property {() => void} end terminate all that was made; no more is
 */

/** Makes workers for who has the other end of a port. @param {MessagePort} port @returns {Served} */
export function serveWorkers(port) {
  /** @type {Map<number, { handle: WorkerHandle, wanted: Served[] }>} */
  const made = new Map();
  const end = (/** @type {number} */ number) => {
    const worker = made.get(number);
    made.delete(number);
    worker?.handle.terminate();
    for (const each of worker?.wanted ?? []) each.end();
  };
  portPeer(port).listen((m) => {
    if (m.m === MESSAGE.WORKER_MAKE) {
      const lost = (/** @type {string} */ text) => port.postMessage({ m: MESSAGE.WORKER_LOST, worker: m.worker, text });
      try {
        const handle = startWorker(m.url, m.name, () => {}, lost);
        handle.post({ m: MESSAGE.WORKER_PORT, port: m.port }, [m.port]);
        made.set(m.worker, { handle, wanted: [] });
      } catch (/** @type {any} */ e) {
        lost(String(e?.message ?? e));
      }
    } else if (m.m === MESSAGE.WORKER_SERVE) {
      const worker = made.get(m.worker);
      if (worker) worker.wanted.push(serveWorkers(m.port));
      else m.port.close();
    } else if (m.m === MESSAGE.WORKER_END) end(m.worker);
  });
  return {
    end() {
      port.close();
      for (const number of [...made.keys()]) end(number);
    },
  };
}

/** Workers are made by who serves the port's other end. @param {MessagePort} port @returns {Maker} */
export function makerBehind(port) {
  let last = 0;
  /** @type {Map<number, (text: string) => void>} */
  const failing = new Map();
  portPeer(port).listen((m) => m.m === MESSAGE.WORKER_LOST && failing.get(m.worker)?.(m.text));
  return {
    startWorker(url, name, received, failed) {
      const worker = ++last;
      const { port1, port2 } = new MessageChannel();
      const mine = portPeer(port1);
      const fail = (/** @type {string} */ text) => {
        if (failing.delete(worker)) failed(text);
      };
      failing.set(worker, fail);
      mine.listen((data) => failing.has(worker) && received(data));
      port1.onmessageerror = () => fail("a message could not be read");
      port.postMessage({ m: MESSAGE.WORKER_MAKE, worker, url, name, port: port2 }, [port2]);
      return {
        post: mine.post,
        terminate() {
          failing.delete(worker);
          port1.close();
          port.postMessage({ m: MESSAGE.WORKER_END, worker });
        },
        serve() {
          const ends = new MessageChannel();
          port.postMessage({ m: MESSAGE.WORKER_SERVE, worker, port: ends.port1 }, [ends.port1]);
          return ends.port2;
        },
      };
    },
  };
}
