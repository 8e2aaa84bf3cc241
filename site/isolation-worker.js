// @ts-check
/**
 * Service worker that gives every answer of this site the headers of cross-origin isolation, for servers that cannot be
 * told to (GitHub Pages, `python3 -m http.server`), and brings what is asked below _guest/PORT/ to the server that a guest runs
 * on that port (tidemark/element/preview.js). Copy it beside your pages: it serves its own folder and all below.
 *
 * ?policy=credentialless lets other sites' images load without their consent; ?policy=require-corp is for browsers that lack it.
 */
const worker = /** @type {any} */ (globalThis);
const policy = new URL(worker.location.href).searchParams.get("policy") === "credentialless" ? "credentialless" : "require-corp";
const RESOURCE_POLICY = "Cross-Origin-Resource-Policy";
const isolated = { "Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Embedder-Policy": policy, [RESOURCE_POLICY]: "cross-origin" };

/** @param {Headers} headers */
function isolate(headers) {
  for (const [name, value] of Object.entries(isolated)) headers.set(name, value);
}

worker.addEventListener("install", () => worker.skipWaiting());
worker.addEventListener("activate", (/** @type {any} */ e) => e.waitUntil(worker.clients.claim()));
worker.addEventListener("fetch", (/** @type {any} */ e) => {
  const { request } = e;
  if (request.url === socketScript()) return e.respondWith(new Response(SOCKETS, { headers: { "Content-Type": "text/javascript", ...isolated } }));
  const asked = guestOf(request.url);
  if (asked) return e.respondWith(fromGuest(request, asked));
  // what a guest's page asks for by an absolute path is the guest's as well
  if (e.clientId && new URL(request.url).origin === worker.location.origin && guestOf(request.referrer))
    return e.respondWith(fromGuest(request, { ...guestOf(request.referrer), path: pathOf(request.url) }));
  if (request.cache === "only-if-cached" && request.mode !== "same-origin") return;
  // as the browser itself does under this policy: other sites that were not asked get no cookies
  const foreign = request.mode === "no-cors" && new URL(request.url).origin !== worker.location.origin;
  const bare = policy === "credentialless" && foreign ? new Request(request, { credentials: "omit" }) : request;
  e.respondWith(
    fetch(bare).then((response) => {
      if (response.status === 0) return response; // opaque: not ours to change
      const headers = new Headers(response.headers);
      const own = headers.get(RESOURCE_POLICY); // whom a site lets have it stays its word
      isolate(headers);
      if (own !== null) headers.set(RESOURCE_POLICY, own);
      return new Response(response.body, { status: response.status, statusText: response.statusText, headers });
    }),
  );
});

// ---- guests' servers ----

const ANSWER_MS = 3000;

/** @param {string} url */
function pathOf(url) {
  const { pathname, search } = new URL(url);
  return pathname + search;
}

/** Which port and path of a guest a URL means, or null. @param {string} url @returns {{ port: number, path: string } | null} */
function guestOf(url) {
  const root = `${worker.registration.scope}_guest/`;
  if (!url?.startsWith(root)) return null;
  const found = /^(\d{1,5})(\/.*)?$/.exec(url.slice(root.length).split("#")[0]);
  return found ? { port: Number(found[1]), path: found[2] ?? "/" } : null;
}

/** @param {number} status @param {string} text */
const sorry = (status, text) => new Response(`${text}\n`, { status, headers: { "Content-Type": "text/plain; charset=utf-8", ...isolated } });

/** Pages that may have a machine. */
const pages = async () => (await worker.clients.matchAll({ type: "window", includeUncontrolled: true })).filter((/** @type {any} */ c) => !guestOf(c.url));

/** The first page with a machine answers. @param {Request} request @param {any} asked */
async function fromGuest(request, asked) {
  const body = request.method === "GET" || request.method === "HEAD" ? null : await request.arrayBuffer();
  const question = { t: "tidemark.http", port: asked.port, method: request.method, path: asked.path, headers: [...request.headers], body };
  for (const page of await pages()) {
    const { port1, port2 } = new MessageChannel();
    const first = new Promise((resolve) => {
      port1.onmessage = (e) => resolve(e.data);
      setTimeout(resolve, ANSWER_MS, null);
    });
    page.postMessage(question, [port2]);
    const told = /** @type {any} */ (await first);
    if (told?.refused) return sorry(502, `Nothing answers on the guest's port ${asked.port}: ${told.refused}`);
    if (told?.head) return response(told.head, port1, asked.port);
  }
  return sorry(503, "No page with a running machine is open: open it and try again.");
}

/** @param {any} head @param {MessagePort} from @param {number} port */
function response(head, from, port) {
  const headers = new Headers();
  for (const [name, value] of head.headers) {
    try {
      headers.append(name, value);
    } catch {
      // a name or value that no browser takes
    }
  }
  const location = headers.get("Location");
  if (location) headers.set("Location", moved(location, port));
  isolate(headers);
  const empty = [101, 204, 205, 304].includes(head.status);
  if (empty) from.postMessage("stop");
  if (head.status >= 300 && head.status < 400 && location) {
    from.postMessage("stop");
    return Response.redirect(moved(location, port), head.status === 304 ? 302 : head.status);
  }
  const pieces = new ReadableStream({
    pull: (controller) =>
      new Promise((done) => {
        from.onmessage = ({ data }) => {
          if (data.piece) controller.enqueue(data.piece);
          else if (data.end) controller.close();
          else controller.error(new Error(data.error));
          done(undefined);
        };
        from.postMessage("pull");
      }),
    cancel: () => from.postMessage("stop"),
  });
  const html = !empty && head.status !== 206 && /^text\/html\b/i.test(headers.get("Content-Type") ?? "") && !headers.has("Content-Encoding");
  if (html) headers.delete("Content-Length");
  return new Response(empty ? null : html ? pieces.pipeThrough(withSockets()) : pieces, { status: head.status, statusText: head.reason, headers });
}

/** A redirect of the guest's, below its port. @param {string} location @param {number} port */
function moved(location, port) {
  const root = `${worker.registration.scope}_guest/${port}`;
  if (location.startsWith("/") && !location.startsWith("//")) return root + location;
  const own = new RegExp(`^https?://(localhost|127\\.0\\.0\\.1|\\[::1\\]):${port}(?=/|$)`);
  return location.replace(own, root);
}

// ---- WebSockets of guests' pages: no service worker sees them, so these pages get a script that brings them here ----

const MOST_PROLOGUE = 4096;

/** Where that script is. */
const socketScript = () => `${worker.registration.scope}_guest/sockets.js`;

/** Puts the script right behind the doctype, where every parser takes it; a page that begins with none gets it first. */
function withSockets() {
  let head = new Uint8Array();
  let done = false;
  /** @param {TransformStreamDefaultController} to @param {boolean} last */
  const look = (to, last) => {
    const text = [...head.subarray(0, MOST_PROLOGUE)].map((c) => String.fromCharCode(c)).join("");
    if (/^(\xfe\xff|\xff\xfe)/.test(text)) done = true; // UTF-16: not ours to change
    const found = /^(\xef\xbb\xbf)?(\s|<!--[^]*?-->)*(<!doctype[^>]*>)?/i.exec(text)?.[0].length ?? 0;
    if (!done && found === text.length && text.length < MOST_PROLOGUE && !last) return; // there may be more of it
    if (!done && text.length < 9 + found && !last) return; // "<!doctype" itself may be cut
    const script = done ? new Uint8Array() : new TextEncoder().encode(`<script src="${socketScript()}"></script>`);
    done = true;
    to.enqueue(head.subarray(0, found));
    if (script.length) to.enqueue(script);
    to.enqueue(head.subarray(found));
  };
  return new TransformStream({
    transform(piece, to) {
      if (done) return to.enqueue(piece);
      const both = new Uint8Array(head.length + piece.length);
      both.set(head);
      both.set(piece, head.length);
      head = both;
      look(to, false);
    },
    flush(to) {
      if (!done) look(to, true);
    },
  });
}

/** A previewed page's socket, handed to the page with the machine: the first that has one answers. */
worker.addEventListener("message", (/** @type {any} */ e) => {
  if (e.data?.t !== "tidemark.socket" || !e.ports[0]) return;
  e.waitUntil(pages().then((all) => (all.length ? all[0].postMessage(e.data, [e.ports[0]]) : e.ports[0].postMessage({ closed: 1006, reason: "" }))));
});

/** Runs in guests' pages. @param {string} root the scope's _guest/ */
function sockets(root) {
  const scope = /** @type {any} */ (globalThis);
  const Real = scope.WebSocket;
  const STATES = { CONNECTING: 0, OPEN: 1, CLOSING: 2, CLOSED: 3 };

  /** Which guest's port a URL means; null: it is the world's. @param {URL} url */
  const guest = (url) => {
    const http = new URL(url.href.replace(/^ws/, "http"));
    const here = /^(\d{1,5})(\/.*)?$/;
    const below = http.href.startsWith(root) ? here.exec(http.href.slice(root.length)) : null;
    if (below) return { port: Number(below[1]), path: below[2] ?? "/" };
    const path = http.pathname + http.search;
    const own = here.exec(scope.location.href.slice(root.length));
    if (http.host === scope.location.host) return own && { port: Number(own[1]), path };
    return /^(localhost|127\.0\.0\.1|\[::1\])$/.test(http.hostname) ? { port: Number(http.port || 80), path } : null;
  };

  class GuestSocket extends EventTarget {
    /** @param {string | URL} address @param {string | string[]} [protocols] */
    constructor(address, protocols = []) {
      super();
      const url = new URL(address, scope.location.href);
      if (url.protocol === "http:") url.protocol = "ws:";
      if (url.protocol === "https:") url.protocol = "wss:";
      const to = /^wss?:$/.test(url.protocol) && !url.hash ? guest(url) : null;
      if (!to) return new Real(address, protocols);
      const asked = [protocols].flat().map(String);
      if (new Set(asked).size !== asked.length || asked.some((p) => !/^[!#-'*+\-.\w^`|~]+$/.test(p))) throw new DOMException("The protocols are no tokens, or one is there twice.", "SyntaxError");
      this.url = url.href;
      this.readyState = STATES.CONNECTING;
      this.bufferedAmount = 0;
      this.extensions = "";
      this.protocol = "";
      this.binaryType = "blob";
      /** @type {any} */ this.onopen = this.onmessage = this.onerror = this.onclose = null;
      const { port1, port2 } = new MessageChannel();
      this.wire = port1;
      /** @type {Promise<any>} keeps the order where a Blob must be read first */
      this.sending = Promise.resolve();
      port1.onmessage = (e) => this.heard(e.data);
      open.add(this);
      const worker = scope.navigator.serviceWorker?.controller;
      if (worker) worker.postMessage({ t: "tidemark.socket", ...to, protocols: asked }, [port2]);
      else setTimeout(() => this.heard({ closed: 1006, reason: "" }));
    }

    /** @param {any} m */
    heard(m) {
      if (this.readyState === STATES.CLOSED) return;
      if ("opened" in m) {
        if (this.readyState !== STATES.CONNECTING) return;
        this.protocol = m.opened;
        this.readyState = STATES.OPEN;
        this.tell(new Event("open"));
      } else if ("message" in m) {
        this.wire.postMessage({ took: 1 });
        const { message } = m;
        const data = typeof message === "string" ? message : this.binaryType === "blob" ? new Blob([message]) : message.slice().buffer;
        if (this.readyState === STATES.OPEN) this.tell(new MessageEvent("message", { data, origin: new URL(this.url).origin }));
      } else if ("sent" in m) {
        this.bufferedAmount -= m.sent;
      } else {
        this.readyState = STATES.CLOSED;
        open.delete(this);
        if (m.closed === 1006) this.tell(new Event("error"));
        this.tell(new CloseEvent("close", { code: m.closed, reason: m.reason, wasClean: m.closed !== 1006 }));
        this.wire.close();
      }
    }

    /** @param {Event} event */
    tell(event) {
      const handler = /** @type {any} */ (this)[`on${event.type}`];
      if (typeof handler === "function") this.addEventListener(event.type, handler, { once: true });
      this.dispatchEvent(event);
    }

    /** @param {any} data */
    send(data) {
      if (this.readyState === STATES.CONNECTING) throw new DOMException("The WebSocket is still connecting.", "InvalidStateError");
      if (this.readyState !== STATES.OPEN) return;
      const binary = data instanceof ArrayBuffer || ArrayBuffer.isView(data);
      const bytes = data instanceof ArrayBuffer ? data.slice(0) : binary ? new Uint8Array(data.buffer, data.byteOffset, data.byteLength).slice().buffer : null;
      const size = bytes ? bytes.byteLength : data instanceof Blob ? data.size : new TextEncoder().encode(String(data)).length;
      this.bufferedAmount += size;
      const body = data instanceof Blob ? data.arrayBuffer() : (bytes ?? String(data));
      this.sending = this.sending.then(async () => this.wire.postMessage({ send: await body, size }));
    }

    /** @param {number} [code] @param {string} [reason] */
    close(code, reason = "") {
      if (code !== undefined && code !== 1000 && !(code >= 3000 && code <= 4999)) throw new DOMException("The code is neither 1000 nor one of 3000 to 4999.", "InvalidAccessError");
      if (new TextEncoder().encode(reason).length > 123) throw new DOMException("The reason is longer than 123 bytes.", "SyntaxError");
      if (this.readyState >= STATES.CLOSING) return;
      this.readyState = STATES.CLOSING;
      this.sending = this.sending.then(() => this.wire.postMessage({ close: code ?? 1005, reason }));
    }
  }
  /** @type {Set<GuestSocket>} */
  const open = new Set();
  Object.assign(GuestSocket, STATES);
  Object.assign(GuestSocket.prototype, STATES);
  Object.defineProperty(GuestSocket, Symbol.hasInstance, { value: (/** @type {any} */ x) => GuestSocket.prototype.isPrototypeOf(x) || x instanceof Real });
  Object.defineProperty(GuestSocket, "name", { value: "WebSocket" });
  scope.WebSocket = GuestSocket;
  scope.addEventListener("pagehide", () => {
    for (const each of open) each.wire.postMessage({ close: 1001, reason: "" });
  });
}

const SOCKETS = `(${sockets})(${JSON.stringify(`${worker.registration.scope}_guest/`)});`;
