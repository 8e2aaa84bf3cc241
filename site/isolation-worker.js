// @ts-check
/**
 * Service worker that gives every answer of this site the headers of cross-origin isolation, for servers that cannot be
 * told to (GitHub Pages, `python3 -m http.server`). Registered by tidemark/element/isolation.js when a page is not isolated; does
 * nothing else. Copy it beside your pages: it serves its own folder and all below.
 *
 * ?policy=credentialless lets other sites' images load without their consent; ?policy=require-corp is for browsers that lack it.
 */
const worker = /** @type {any} */ (globalThis);
const policy = new URL(worker.location.href).searchParams.get("policy") === "credentialless" ? "credentialless" : "require-corp";

worker.addEventListener("install", () => worker.skipWaiting());
worker.addEventListener("activate", (/** @type {any} */ e) => e.waitUntil(worker.clients.claim()));
worker.addEventListener("fetch", (/** @type {any} */ e) => {
  const { request } = e;
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
