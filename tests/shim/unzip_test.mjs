// js_shim/element/unzip.js on Node: an archive that Python's zipfile made (its path in ZIP), and broken ones.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { unzip } from "../../js_shim/element/unzip.js";

const whole = readFileSync(process.env.ZIP);
const archive = (bytes = whole) => bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length);
const changed = (at, byte) => {
  const copy = Buffer.from(whole);
  copy[at] = byte;
  return archive(copy);
};
const sentence = /could not be unpacked/;

test("files come out as they went in, stored or deflated, without directories", async () => {
  const files = new Map(await unzip(archive()));
  assert.deepEqual([...files.keys()], ["stored.txt", "a/deflated.txt", "a/empty", "a/ü.txt"]);
  assert.equal(Buffer.from(files.get("stored.txt")).toString(), "stored");
  assert.equal(Buffer.from(files.get("a/deflated.txt")).toString(), "again ".repeat(1000));
  assert.equal(files.get("a/empty").length, 0);
  assert.equal(Buffer.from(files.get("a/ü.txt")).toString(), "umlaut");
});

test("a comment at its end is no matter", async () => {
  assert.equal((await unzip(archive(Buffer.concat([whole, Buffer.alloc(3)])))).length, 4);
});

test("what is cut off anywhere is refused in one sentence", async () => {
  for (let n = 0; n < whole.length; n++) await assert.rejects(unzip(archive(whole.subarray(0, n))), sentence, `${n} bytes`);
});

test("a body that is not deflated", async () => {
  const at = whole.indexOf("a/deflated.txt") + "a/deflated.txt".length;
  await assert.rejects(unzip(changed(at, 0xff)), sentence);
});

test("another method, a wrong size, a directory that lies", async () => {
  const directory = whole.readUInt32LE(whole.length - 6);
  await assert.rejects(unzip(changed(directory + 10, 12)), sentence);
  await assert.rejects(unzip(changed(directory + 24, 1)), sentence);
  await assert.rejects(unzip(changed(directory, 0)), sentence);
  await assert.rejects(unzip(changed(whole.length - 3, 255)), sentence);
});
