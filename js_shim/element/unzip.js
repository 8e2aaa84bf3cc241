// @ts-check
/**
 * Reads a zip archive, as wheels are: entries that are stored or deflated (PKWARE's APPNOTE.TXT 4.3; no zip64, no encryption).
 * Python's own zipfile takes longer for the wheel than a page may take to its prompt. Caller: worker.js.
 */

const [END, ENTRY, LOCAL] = [0x06054b50, 0x02014b50, 0x04034b50];
const [END_BYTES, ENTRY_BYTES, LOCAL_BYTES, COMMENT_MOST] = [22, 46, 30, 65535];
const [STORED, DEFLATED] = [0, 8];

/** Its files by name, in its order. Rejects with one sentence for what is no such archive. @param {ArrayBuffer} archive @returns {Promise<[string, Uint8Array][]>} */
export async function unzip(archive) {
  const view = new DataView(archive);
  const wrong = (/** @type {string} */ why) => new Error(`the package could not be unpacked (${why}): was it cut off on its way?`);
  let end = archive.byteLength - END_BYTES;
  const least = Math.max(0, end - COMMENT_MOST);
  while (end >= least && view.getUint32(end, true) !== END) end--;
  if (end < least) throw wrong("no zip archive");
  /** @type {Promise<[string, Uint8Array]>[]} */
  const files = [];
  try {
    let at = view.getUint32(end + 16, true);
    for (let left = view.getUint16(end + 10, true); left > 0; left--) {
      if (view.getUint32(at, true) !== ENTRY) throw wrong("a broken directory");
      const [method, packed, size] = [view.getUint16(at + 10, true), view.getUint32(at + 20, true), view.getUint32(at + 24, true)];
      const [nameBytes, extra, comment] = [28, 30, 32].map((n) => view.getUint16(at + n, true));
      const name = new TextDecoder().decode(new Uint8Array(archive, at + ENTRY_BYTES, nameBytes));
      const local = view.getUint32(at + 42, true);
      if (view.getUint32(local, true) !== LOCAL) throw wrong(`${name} is not there`);
      const start = local + LOCAL_BYTES + view.getUint16(local + 26, true) + view.getUint16(local + 28, true);
      const body = new Uint8Array(archive, start, packed);
      if (!name.endsWith("/")) files.push(unpacked(method, body).then((data) => [name, data.length === size ? data : fail(wrong(`${name} is too short`))]));
      at += ENTRY_BYTES + nameBytes + extra + comment;
    }
  } catch (e) {
    await Promise.allSettled(files);
    throw e instanceof RangeError ? wrong("it ends too early") : e;
  }
  return Promise.all(files);
}

/** @param {number} method @param {Uint8Array} body */
async function unpacked(method, body) {
  if (method === STORED) return body;
  if (method !== DEFLATED) throw new Error(`the package could not be unpacked: zip method ${method} is not known here`);
  const stream = new Blob([/** @type {BlobPart} */ (body)]).stream().pipeThrough(new DecompressionStream("deflate-raw"));
  try {
    return new Uint8Array(await new Response(stream).arrayBuffer());
  } catch {
    throw new Error("the package could not be unpacked (a broken entry): load the page again");
  }
}

/** @param {Error} error @returns {never} */
function fail(error) {
  throw error;
}
