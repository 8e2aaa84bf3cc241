// @ts-check
/**
 * Service worker that gives every answer of this site the headers of cross-origin isolation, for servers that cannot be
 * told to. Registered by <tidemark-terminal> and the example pages when a page is not isolated; does nothing else.
 */
const worker = /** @type {any} */ (globalThis);

worker.addEventListener("install", () => worker.skipWaiting());
worker.addEventListener("activate", (/** @type {any} */ e) => e.waitUntil(worker.clients.claim()));
worker.addEventListener("fetch", (/** @type {any} */ e) => {
  const { request } = e;
  if (request.cache === "only-if-cached" && request.mode !== "same-origin") return;
  e.respondWith(
    fetch(request).then((response) => {
      if (response.status === 0) return response; // opaque: not ours to change
      const headers = new Headers(response.headers);
      headers.set("Cross-Origin-Opener-Policy", "same-origin");
      headers.set("Cross-Origin-Embedder-Policy", "require-corp");
      if (!headers.has("Cross-Origin-Resource-Policy")) headers.set("Cross-Origin-Resource-Policy", "cross-origin");
      return new Response(response.body, { status: response.status, statusText: response.statusText, headers });
    }),
  );
});
