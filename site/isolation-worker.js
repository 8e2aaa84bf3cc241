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

worker.addEventListener("install", () => worker.skipWaiting());
worker.addEventListener("activate", (/** @type {any} */ e) => e.waitUntil(worker.clients.claim()));
worker.addEventListener("fetch", (/** @type {any} */ e) => {
  const { request } = e;
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
      headers.set("Cross-Origin-Opener-Policy", "same-origin");
      headers.set("Cross-Origin-Embedder-Policy", policy);
      if (!headers.has("Cross-Origin-Resource-Policy")) headers.set("Cross-Origin-Resource-Policy", "cross-origin");
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
const sorry = (status, text) => new Response(`${text}\n`, { status, headers: { "Content-Type": "text/plain; charset=utf-8", "Cross-Origin-Embedder-Policy": policy, "Cross-Origin-Resource-Policy": "cross-origin" } });

/** The first page with a machine answers. @param {Request} request @param {any} asked */
async function fromGuest(request, asked) {
  const body = request.method === "GET" || request.method === "HEAD" ? null : await request.arrayBuffer();
  const question = { t: "tidemark.http", port: asked.port, method: request.method, path: asked.path, headers: [...request.headers], body };
  const pages = await worker.clients.matchAll({ type: "window", includeUncontrolled: true });
  for (const page of pages.filter((/** @type {any} */ c) => !guestOf(c.url))) {
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
  headers.set("Cross-Origin-Opener-Policy", "same-origin");
  headers.set("Cross-Origin-Embedder-Policy", policy);
  headers.set("Cross-Origin-Resource-Policy", "cross-origin");
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
  return new Response(empty ? null : pieces, { status: head.status, statusText: head.reason, headers });
}

/** A redirect of the guest's, below its port. @param {string} location @param {number} port */
function moved(location, port) {
  const root = `${worker.registration.scope}_guest/${port}`;
  if (location.startsWith("/") && !location.startsWith("//")) return root + location;
  const own = new RegExp(`^https?://(localhost|127\\.0\\.0\\.1|\\[::1\\]):${port}(?=/|$)`);
  return location.replace(own, root);
}
