// @ts-check
/** The gallery: says how big each piece's layer is, and what to do when this copy of the site was built without it. */

/** @param {number} bytes */
const mega = (bytes) => `${(bytes / 1e6).toFixed(bytes < 1e7 ? 1 : 0)} MB`;

const response = await fetch("layers/index.json");
/** @type {Record<string, { bytes: number, unpacked: number }>} */
const layers = response.ok ? await response.json() : {};
for (const piece of /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll("[data-layer]"))) {
  const layer = layers[piece.dataset.layer ?? ""];
  const size = /** @type {HTMLElement} */ (piece.querySelector(".size"));
  if (layer) size.textContent = `The first run loads ${mega(layer.bytes)} (${mega(layer.unpacked)} unpacked).`;
  else {
    size.textContent = "This copy of the site was built without its layer: python3 build.py site --gallery";
    piece.querySelector("tidemark-run, .window")?.remove();
  }
}
