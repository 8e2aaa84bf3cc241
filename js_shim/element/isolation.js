// @ts-check
/**
 * Owns: getting shared memory for a page. A page has it when its server sends the isolation headers; else a service worker
 * (isolation-worker.js, same origin) adds them after one reload. Called by the elements and the site's own pages.
 *
 * No reload loop: what was tried is written down before each reload, and there are at most two, one per policy
 * ("credentialless" keeps other sites' images working; browsers without it get "require-corp").
 */

const TRIED = "tidemark-isolation-tried"; // sessionStorage: policies tried since the page was last isolated
const POLICY = "tidemark-isolation-policy"; // localStorage: the one that worked
const POLICIES = ["credentialless", "require-corp"];

const FRAMED = ' It is shown in a frame: the page around it must send both headers too and say allow="cross-origin-isolated"; or open it in a tab of its own.';
export const REMEDY =
  "This page is not cross-origin isolated, so it has no shared memory. Serve it over https (or from localhost) with the headers " +
  "Cross-Origin-Opener-Policy: same-origin and Cross-Origin-Embedder-Policy: require-corp, or put isolation-worker.js beside it." +
  (window === window.top ? "" : FRAMED);

/** @type {Promise<string> | null} */
let asked = null;

/**
 * "" when the page has shared memory. Otherwise reloads once with the service worker, or returns what to do.
 * @param {string} workerUrl of isolation-worker.js; its folder is what it serves
 * @returns {Promise<string>}
 */
export function isolate(workerUrl) {
  return (asked ??= attempt(workerUrl));
}

/** @param {string} workerUrl */
async function attempt(workerUrl) {
  const tried = (read(() => sessionStorage.getItem(TRIED)) ?? "").split(" ").filter(Boolean);
  if (crossOriginIsolated) {
    if (tried.length) {
      write(() => localStorage.setItem(POLICY, tried[tried.length - 1]));
      write(() => sessionStorage.removeItem(TRIED));
    }
    return "";
  }
  if (!isSecureContext || !navigator.serviceWorker) return REMEDY;
  const known = read(() => localStorage.getItem(POLICY));
  const order = known && POLICIES.includes(known) ? [known, ...POLICIES.filter((p) => p !== known)] : POLICIES;
  const policy = order.find((p) => !tried.includes(p));
  // without storage nothing remembers the reload: then rather none
  if (!policy || !write(() => sessionStorage.setItem(TRIED, [...tried, policy].join(" ")))) return REMEDY;
  try {
    const registration = await navigator.serviceWorker.register(`${workerUrl}?policy=${policy}`);
    if (!location.href.startsWith(registration.scope)) return `${REMEDY} (${workerUrl} serves ${registration.scope} only.)`;
    await activated(registration);
    location.reload();
    return "Reloading once, to isolate this page …";
  } catch {
    return REMEDY;
  }
}

/** The newest worker of a registration is at work. @param {ServiceWorkerRegistration} registration */
async function activated(registration) {
  const newest = registration.installing ?? registration.waiting ?? registration.active;
  if (!newest || newest.state === "activated") return;
  await new Promise((resolve, reject) => {
    newest.addEventListener("statechange", () => {
      if (newest.state === "activated") resolve(undefined);
      if (newest.state === "redundant") reject(new Error("it was replaced"));
    });
  });
}

/** @template T @param {() => T} get @returns {T | null} */
function read(get) {
  try {
    return get();
  } catch {
    return null; // storage is forbidden here
  }
}

/** @param {() => void} set */
function write(set) {
  return read(() => (set(), true)) ?? false;
}
