// @ts-check
/** Owns: what a guest learns of the browser (language, time zone). Called by the elements. */

/**
 * The offsets of a time zone as [since, seconds east] pairs, found by asking Intl month by month: layers without tzdata
 * get a zone file made of them.
 * @param {string} zone
 */
export function zoneOffsets(zone) {
  const format = new Intl.DateTimeFormat("en", { timeZone: zone, timeZoneName: "longOffset" });
  const offset = (/** @type {number} */ s) => {
    const name = format.formatToParts(s * 1000).find((p) => p.type === "timeZoneName")?.value ?? "";
    const m = /([+-])(\d+):(\d+)(?::(\d+))?/.exec(name);
    return m ? (m[1] === "-" ? -1 : 1) * (+m[2] * 3600 + +m[3] * 60 + +(m[4] ?? 0)) : 0;
  };
  /** @type {[number, number][]} */
  const found = [];
  const step = 30 * 86400;
  let at = 0;
  let last = offset(0);
  found.push([0, last]);
  for (let next = step; next < 2145916800; at = next, next += step) {
    const o = offset(next);
    if (o === last) continue;
    let [low, high] = [at, next];
    while (high - low > 1) {
      const middle = Math.floor((low + high) / 2);
      if (offset(middle) === last) low = middle;
      else high = middle;
    }
    found.push([high, (last = o)]);
  }
  return found;
}

/** @type {{ language: string, zone: string, offsets: [number, number][] } | null} */
let known = null;

/** Language and time zone, found once per page. */
export function surroundings() {
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC";
  return (known ??= { language: navigator.language || "en", zone, offsets: zoneOffsets(zone) });
}

/**
 * What every element's attributes say about the program: layers, machine, env, cwd, persist.
 * @param {HTMLElement} element
 */
export function commonOptions(element) {
  const words = (/** @type {string} */ name) => (element.getAttribute(name) ?? "").split(/\s+/).filter(Boolean);
  return {
    layers: words("layer").map((url) => new URL(url, document.baseURI).href),
    machine: element.getAttribute("machine") ?? "",
    persist: element.getAttribute("persist") ?? "",
    cwd: element.getAttribute("cwd") ?? "",
    env: Object.fromEntries(words("env").map((kv) => kv.split(/=(.*)/s))),
    ...surroundings(),
  };
}
