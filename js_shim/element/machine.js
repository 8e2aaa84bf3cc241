// @ts-check
/**
 * Machine: the page's side of the worker in which the elements' runtime lives; all elements of a page share one.
 *
 * Owns: that worker, its sessions (one program of one element each) and calls. Callers: terminal.js, run.js, and pages that
 * want more (the site's inspector) through `element.machine`. Messages: tidemark_py/sdk/elements.py.
 */

import { serveWorkers } from "../workers.js";
import { isolate } from "./isolation.js";

/**
 * @typedef {object} Handlers
 * @property {(text: string, fraction: number) => void} [progress]
 * @property {(pid: number) => void} [started]
 * @property {(data: Uint8Array, drawn: () => void) => void} [output] `drawn` once it is on the screen: only then comes more
 * @property {(code: number, ms: number) => void} [exit]
 * @property {(text: string, saved: string) => void} [failed] `saved`: the name of kept files that are damaged, or ""
 */

const HERE = new URL("../", import.meta.url).href;

/** One program of one element. */
export class Session {
  /** @param {Machine} machine @param {number} number @param {Handlers} handlers */
  constructor(machine, number, handlers) {
    this.machine = machine;
    this.number = number;
    this.handlers = handlers;
  }

  /** @param {string | Uint8Array} data */
  input(data) {
    this.#post({ t: "input", data: typeof data === "string" ? new TextEncoder().encode(data) : data });
  }

  /** No more input. */
  eof() {
    this.#post({ t: "eof" });
  }

  /** @param {number} rows @param {number} columns */
  resize(rows, columns) {
    this.#post({ t: "resize", rows, columns });
  }

  /** @param {number} signal */
  signal(signal) {
    this.#post({ t: "signal", signal });
  }

  /** Ends the program and all of its session; nothing more is heard of it. */
  close() {
    this.handlers = {};
    this.#post({ t: "close" });
    this.machine.forget(this);
  }

  /** @param {string} name @param {...any} args */
  call(name, ...args) {
    return this.machine.call(name, this.number, ...args);
  }

  /** @param {any} m */
  #post(m) {
    this.machine.post({ s: this.number, ...m });
  }
}

/** Events: "frame" (detail: of a <tidemark-canvas>), "event" and "trace" (detail: what the inspector asked for), "say" (detail.text), "saved" (detail.name, bytes), "lost" (detail.text). */
export class Machine extends EventTarget {
  /** @param {string} base @param {string} isolation */
  constructor(base, isolation) {
    super();
    this.base = base;
    this.isolation = isolation;
    /** @type {Worker | null} */
    this.worker = null;
    /** @type {import("../workers.js").Served | null} the workers that it wanted */
    this.served = null;
    /** @type {Map<number, Session>} */
    this.sessions = new Map();
    /** @type {Map<number, { resolve: (value: any) => void, reject: (error: Error) => void }>} */
    this.calls = new Map();
    this.last = 0;
    this.up = false;
    /** @type {{ text: string, fraction: number }} */
    this.progress = { text: "Starting …", fraction: 0.05 };
  }

  /** Its worker, started when it is not there. Rejects with one sentence that says what to do. */
  async start() {
    const problem = await isolate(this.isolation);
    if (problem) throw new Error(problem);
    if (!this.worker) this.#boot();
  }

  #boot() {
    // by way of a Blob, so that the elements also work from another origin
    const [script, base] = [`${this.base}element/worker.js`, this.base].map((text) => JSON.stringify(text));
    const code = new Blob([`import { start } from ${script}; start(${base});`], { type: "text/javascript" });
    this.worker = new Worker(URL.createObjectURL(code), { type: "module", name: "tidemark" });
    this.worker.onmessage = (e) => this.#heard(e.data);
    const { port1, port2 } = new MessageChannel();
    this.served = serveWorkers(port1);
    this.worker.postMessage({ t: "workers", port: port2 }, [port2]);
    this.worker.onerror = (e) => this.#lost(`The runtime's worker could not start: ${e.message || "its script did not load"}`);
  }

  /** Opens a session. @param {Record<string, any>} options @param {Handlers} handlers @param {Transferable[]} [transfer] */
  open(options, handlers, transfer) {
    const session = new Session(this, ++this.last, handlers);
    this.sessions.set(session.number, session);
    if (!this.up) handlers.progress?.(this.progress.text, this.progress.fraction);
    this.post({ t: "open", s: session.number, ...options }, transfer);
    return session;
  }

  /** @param {Session} session */
  forget(session) {
    this.sessions.delete(session.number);
  }

  /** A call of the elements' server. @param {string} name @param {...any} args @returns {Promise<any>} */
  call(name, ...args) {
    const n = ++this.last;
    return new Promise((resolve, reject) => {
      if (!this.worker) return reject(new Error("the machine of this page was not started yet"));
      this.calls.set(n, { resolve, reject });
      this.post({ t: "call", n, name, args });
    });
  }

  /** Ends everything; the next start() is a new machine, with the files that were kept. */
  reset() {
    this.#lost("The machine was started anew.");
  }

  /** @param {any} m @param {Transferable[]} [transfer] */
  post(m, transfer) {
    this.worker?.postMessage(m, transfer ?? []);
  }

  /** @param {string} text */
  #lost(text) {
    this.worker?.terminate();
    this.served?.end();
    this.worker = this.served = null;
    this.up = false;
    const [sessions, calls] = [[...this.sessions.values()], [...this.calls.values()]];
    this.sessions.clear();
    this.calls.clear();
    for (const { handlers } of sessions) handlers.failed?.(text, "");
    for (const call of calls) call.reject(new Error(text));
    this.dispatchEvent(new CustomEvent("lost", { detail: { text } }));
  }

  /** @param {any} m */
  #heard(m) {
    const session = this.sessions.get(m.s);
    switch (m.t) {
      case "progress":
        if (!("s" in m)) {
          this.progress = m;
          for (const each of this.sessions.values()) each.handlers.progress?.(m.text, m.fraction);
        } else session?.handlers.progress?.(m.text, m.fraction);
        break;
      case "up":
        this.up = true;
        break;
      case "output": {
        const drawn = () => this.post({ t: "ack", s: m.s, n: m.data.length });
        if (session?.handlers.output) session.handlers.output(m.data, drawn);
        else drawn();
        break;
      }
      case "started":
        session?.handlers.started?.(m.pid);
        break;
      case "exit":
        if (session) this.forget(session);
        session?.handlers.exit?.(m.code, m.ms);
        break;
      case "failed":
        if (session) this.forget(session);
        session?.handlers.failed?.(m.text, m.saved);
        break;
      case "fatal":
        this.#lost(m.text);
        break;
      case "reply": {
        const call = this.calls.get(m.n);
        this.calls.delete(m.n);
        if (m.error === undefined) call?.resolve(m.value);
        else call?.reject(new Error(m.error));
        break;
      }
      default:
        this.dispatchEvent(new CustomEvent(m.t, { detail: m }));
    }
  }
}

/** @type {Map<string, Machine>} */
const machines = new Map();

/**
 * The page's machine: one per place of the runtime's files, which is one.
 * @param {HTMLElement} element its attributes `base` (default: where this script is) and `isolation` (the service worker's file)
 */
export function machineOf(element) {
  const base = new URL(element.getAttribute("base") ?? HERE, location.href).href;
  const isolation = new URL(element.getAttribute("isolation") ?? `${base}../isolation-worker.js`, location.href).href;
  let machine = machines.get(base);
  if (!machine) machines.set(base, (machine = new Machine(base, isolation)));
  return machine;
}

/** Calls `start` when the element comes near what is seen; returns what forgets it. @param {Element} element @param {() => void} start */
export function whenSeen(element, start) {
  const observer = new IntersectionObserver(
    (entries) => {
      if (!entries.some((e) => e.isIntersecting)) return;
      observer.disconnect();
      start();
    },
    { rootMargin: "120px" },
  );
  observer.observe(element);
  return () => observer.disconnect();
}
