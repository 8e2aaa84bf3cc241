// @ts-check
/** Owns: files between a page and its guests: what was dropped or chosen, and saving one. Called by terminal.js. */

export const MOST_BYTES = 512 << 20; // of one upload: bodies pass through memory

/** @typedef {{ name: string, file: File }} Named a path below the target directory */

/** What a drop brings, folders with all that is in them. @param {DataTransfer} transfer @returns {Promise<Named[]>} */
export async function dropped(transfer) {
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.()).filter((entry) => entry !== null && entry !== undefined);
  if (!entries.length) return [...transfer.files].map((file) => ({ name: file.name, file }));
  /** @type {Named[]} */
  const found = [];
  for (const entry of entries) await walk(/** @type {any} */ (entry), "", found);
  return found;
}

/** @param {any} entry @param {string} above @param {Named[]} found */
async function walk(entry, above, found) {
  const name = above + entry.name;
  if (entry.isFile) {
    found.push({ name, file: await new Promise((resolve, reject) => entry.file(resolve, reject)) });
    return;
  }
  const reader = entry.createReader();
  for (;;) {
    /** @type {any[]} */
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (!some.length) return;
    for (const each of some) await walk(each, `${name}/`, found);
  }
}

/** Asks for files by the browser's own dialog; needs a user's click. @returns {Promise<Named[]>} */
export function choose() {
  const input = document.createElement("input");
  input.type = "file";
  input.multiple = true;
  return new Promise((resolve) => {
    input.addEventListener("change", () => resolve([...(input.files ?? [])].map((file) => ({ name: file.name, file }))));
    input.addEventListener("cancel", () => resolve([]));
    input.click();
  });
}

/** Names and bodies, as the call write_files takes them. Throws when they are too many bytes. @param {Named[]} files */
export async function bodies(files) {
  const bytes = files.reduce((sum, { file }) => sum + file.size, 0);
  if (bytes > MOST_BYTES) throw new Error(`${size(bytes)} are too much for one upload: at most ${size(MOST_BYTES)}`);
  const data = await Promise.all(files.map(async ({ file }) => new Uint8Array(await file.arrayBuffer())));
  return { names: files.map(({ name }) => name), data, bytes };
}

/** Hands bytes to the browser's downloads. @param {string} name @param {Uint8Array<ArrayBuffer>} data */
export function save(name, data) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([data]));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

/** @param {number} bytes */
export function size(bytes) {
  const units = ["bytes", "kB", "MB", "GB"];
  const n = Math.min(Math.floor(Math.log10(Math.max(bytes, 1)) / 3), units.length - 1);
  return `${(bytes / 1000 ** n).toFixed(n && bytes / 1000 ** n < 10 ? 1 : 0)} ${units[n]}`;
}

/** A path that a guest wrote as hexadecimal bytes; "" when it is none. @param {string} hex */
export function pathOf(hex) {
  if (!/^(?:[0-9a-f]{2})+$/i.test(hex)) return "";
  const bytes = Uint8Array.from(/** @type {string[]} */ (hex.match(/../g)), (pair) => parseInt(pair, 16));
  const path = new TextDecoder().decode(bytes);
  return path.startsWith("/") && !path.includes("\0") ? path : "";
}
