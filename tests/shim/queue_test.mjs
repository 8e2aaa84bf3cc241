// @ts-check
/**
 * js_shim/queue.js: every interleaving of its steps, then two real workers. `node --test queue_test.mjs`.
 *
 * The module's own text is run: each `Atomics.` becomes a place where the explorer may go on with somebody else, each
 * method a generator. What a thread has seen is its state, so states met before are left alone. A schedule is run from its
 * beginning each time, since generators cannot be copied.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test from "node:test";
import { Worker } from "node:worker_threads";
import { QUEUE_PAD, SHARED_QUEUE as QUEUE } from "../../js_shim/gen/abi.js";
import { Queue, makeQueue } from "../../js_shim/queue.js";

const SOURCE = new URL("../../js_shim/queue.js", import.meta.url);
const METHODS = ["reserve", "reserveOwn", "commit", "push", "offer", "pushWait", "look", "done", "lookWait"];
let text = readFileSync(SOURCE, "utf8").replace(/async (filled|room)\([^]*?\n  }\n/g, "").replace(/import .* from .*;/, "");
text = text.replace(/^export /gm, "").replace(/(?<!\()Atomics\.wait\(/g, "yield* H.a.sleep(").replace(/\bAtomics\./g, "(yield, H.a).");
text = text.replace(/get lost\(\) {[^]*?\n  }\n/, "");
for (const name of METHODS) {
  text = text.replace(new RegExp(`^  ${name}\\(`, "m"), `  *${name}(`).replaceAll(`this.${name}(`, `yield* this.${name}(`);
}
text = text.replace(/!yield\* this\.(\w+)\(([^()]*)\)/g, "!(yield* this.$1($2))").replace(/ {2}(front|pop|popWait|copyOut)\((ms|place)?\) {[^]*?\n  }\n/g, "").replace(/LOOKS = \d+/, "LOOKS = 1");

/** Atomics of one run: what each thread saw goes into its history. */
class Shared {
  constructor() {
    this.history = [1, 1, 1, 1];
    this.now = 0;
    /** @type {(number | null)[]} */
    this.asleep = [null, null, null, null];
  }
  /** @param {number} value */
  saw(value) {
    this.history[this.now] = (Math.imul(this.history[this.now], 0x9e3779b1) ^ (value + 0x7f4a7c15)) | 0;
    return value;
  }
  /** @param {Int32Array} w @param {number} i */
  load(w, i) {
    return this.saw(w[i]);
  }
  /** @param {Int32Array} w @param {number} i @param {number} v */
  store(w, i, v) {
    this.saw(v);
    w[i] = v;
  }
  /** @param {Int32Array} w @param {number} i @param {number} v */
  add(w, i, v) {
    const old = this.saw(w[i]);
    w[i] = old + v;
    return old;
  }
  /** @param {Int32Array} w @param {number} i @param {number} v */
  sub(w, i, v) {
    return this.add(w, i, -v);
  }
  /** @param {Int32Array} w @param {number} i @param {number} from @param {number} to */
  compareExchange(w, i, from, to) {
    const old = this.saw(w[i]);
    if (old === from) w[i] = to;
    return old;
  }
  /** @param {Int32Array} w @param {number} i */
  notify(w, i) {
    this.saw(i);
    for (const n of this.asleep.keys()) if (this.asleep[n] === i) this.asleep[n] = null;
  }
  /** @param {Int32Array} w @param {number} i @param {number} seen */
  *sleep(w, i, seen) {
    yield;
    if (this.saw(w[i]) !== seen) return;
    this.asleep[this.now] = i;
    yield;
  }
}

const holder = { a: new Shared() };
const Q = new Function("H", "Q", "QUEUE_ALIGN", "QUEUE_COMMITTED", "QUEUE_HEAD_BYTES", "QUEUE_PAD", `${text}; return Queue;`)(holder, QUEUE, 8, 0x80000000, 8, QUEUE_PAD);

/** @typedef {{ producers: number, sizes: number[], waits: boolean, start: number }} Scenario */
const byte = (/** @type {number} */ p, /** @type {number} */ n, /** @type {number} */ i) => (p << 6) | (n << 4) | (i & 15);

/** @param {Scenario} s */
function start(s) {
  const buffer = makeQueue(64, s.producers > 1);
  const words = new Int32Array(buffer, 0, QUEUE.BYTES / 4);
  words[QUEUE.head / 4] = words[QUEUE.tail / 4] = s.start;
  const shared = new Shared();
  holder.a = shared;
  const taken = [0, 0, 0, 0];
  const lost = [0, 0, 0, 0];
  const ended = new Set();
  function* produce(/** @type {number} */ me) {
    const q = new Q(buffer);
    for (const [n, size] of s.sizes.entries()) {
      const record = Uint8Array.from({ length: size }, (_, i) => byte(me, n, i));
      if (!(yield* s.waits ? q.pushWait(record) : q.offer(record))) lost[me] |= 1 << n;
    }
    ended.add(me);
  }
  function* consume() {
    const q = new Q(buffer);
    for (let left = s.producers * s.sizes.length; left; ) {
      const place = yield* s.waits ? q.lookWait() : q.look();
      if (place < 0) {
        if (ended.size === s.producers && (yield* q.look()) < 0) break;
        shared.history[0] = 7; // it looked in vain: as if it had not
        continue;
      }
      const record = q.bytes.subarray(place, place + q.size);
      const [p, n] = [record[0] >> 6, (record[0] >> 4) & 3];
      assert.equal(record.length, s.sizes[n]);
      record.forEach((/** @type {number} */ b, /** @type {number} */ i) => assert.equal(b, byte(p, n, i), "torn"));
      assert.equal(taken[p] >> n, 0, "out of order or twice");
      taken[p] |= 1 << n;
      shared.history[0] = taken.reduce((h, t) => h * 16 + t, 1);
      yield* q.done();
      left--;
    }
    ended.add(0);
  }
  const threads = [consume(), ...Array.from({ length: s.producers }, (_, n) => produce(n + 1))];
  const all = (1 << s.sizes.length) - 1;
  return {
    threads, shared, ended,
    /** @param {number} n */
    step(n) {
      shared.now = n;
      shared.saw(99);
      threads[n].next();
    },
    state: () => `${shared.history},${shared.asleep},${[...ended]},${lost},${Buffer.from(buffer).toString("latin1")}`,
    whole: () => taken.slice(1, s.producers + 1).every((t, n) => (t | lost[n + 1]) === all),
  };
}

/** @param {Scenario} s @returns {{states: number, ends: number}} */
function explore(s) {
  const seen = new Set();
  /** @type {number[][]} */
  const todo = [[]];
  let ends = 0;
  while (todo.length) {
    const schedule = /** @type {number[]} */ (todo.pop());
    const run = start(s);
    for (const n of schedule) run.step(n);
    for (;;) {
      const state = run.state();
      if (seen.has(state)) break;
      seen.add(state);
      const able = run.threads.map((_, n) => n).filter((n) => !run.ended.has(n) && run.shared.asleep[n] === null);
      if (!able.length) {
        assert.equal(run.ended.size, run.threads.length, "all asleep: a wake-up was lost");
        assert.ok(run.whole(), "a record is missing");
        ends++;
        break;
      }
      for (const n of able.slice(1)) todo.push([...schedule, n]);
      schedule.push(able[0]);
      run.step(able[0]);
    }
  }
  return { states: seen.size, ends };
}

/** @type {Record<string, Scenario>} */
const SCENARIOS = {
  "one producer that waits": { producers: 1, sizes: [24, 24, 8], waits: true, start: 0 },
  "one producer that gives up": { producers: 1, sizes: [8, 24, 24, 12], waits: false, start: -64 },
  "two producers that give up": { producers: 2, sizes: [24], waits: false, start: 0 },
};
for (const [name, scenario] of Object.entries(SCENARIOS)) {
  test(`every interleaving: ${name}`, () => {
    const { states, ends } = explore(scenario);
    assert.ok(states > 50 && ends > 0, `${states} states, ${ends} ends`);
  });
}

test("a full queue takes nothing, what never fits is refused, no queue is no queue", () => {
  const q = new Queue(makeQueue(64));
  assert.throws(() => q.push(new Uint8Array(25)), /takes 24/);
  assert.ok(q.push(new Uint8Array(24)) && q.push(new Uint8Array(24)));
  assert.equal(q.offer(new Uint8Array(1)), false);
  assert.equal(q.lost, 1);
  assert.equal(q.pop()?.length, 24);
  assert.ok(q.push(Uint8Array.of(7)));
  q.pop();
  assert.deepEqual([...(q.pop() ?? [])], [7]);
  assert.equal(q.pop(), undefined);
  assert.throws(() => makeQueue(100), /power of two/);
  assert.throws(() => makeQueue(2 ** 40), /power of two/);
  assert.throws(() => new Queue(new SharedArrayBuffer(4096)), /no queue here/);
  assert.throws(() => new Queue(new SharedArrayBuffer(4096), 4), /multiple of 8/);
});

const PRODUCER = `
import { workerData } from "node:worker_threads";
const { Queue } = await import(workerData.url);
const q = new Queue(workerData.buffer);
const words = new Uint32Array(4), bytes = new Uint8Array(words.buffer);
for (let n = 1; n <= workerData.records; n++) {
  words.fill(n), words[0] = workerData.me;
  q.pushWait(bytes.subarray(0, 8 + 4 * (n % 3)));
}`;
const CONSUMER = `
import { workerData, parentPort } from "node:worker_threads";
const { Queue } = await import(workerData.url);
const q = new Queue(workerData.buffer);
const last = [0, 0, 0];
let wrong = 0;
for (let left = workerData.records * workerData.producers; left; left--) {
  const record = q.popWait();
  const words = new Uint32Array(record.buffer);
  const [me, n] = words;
  if (n !== ++last[me] || words.length !== 2 + n % 3 || words.subarray(1).some((w) => w !== n)) wrong++;
}
parentPort.postMessage({ wrong, last });`;

for (const producers of [1, 2]) {
  test(`workers: ${producers} producer(s), every record whole and in order`, async () => {
    const buffer = makeQueue(256, producers > 1);
    const records = 100_000;
    const begin = (/** @type {string} */ code, /** @type {object} */ data) =>
      new Worker(new URL(`data:text/javascript,${encodeURIComponent(code)}`), { workerData: { url: SOURCE.href, buffer, records, producers, ...data } });
    const workers = [begin(CONSUMER, {})];
    for (let me = 1; me <= producers; me++) workers.push(begin(PRODUCER, { me }));
    const got = await new Promise((done, fail) => {
      workers[0].once("message", done);
      for (const w of workers) w.once("error", fail);
    });
    await Promise.all(workers.map((w) => w.terminate()));
    assert.equal(got.wrong, 0);
    assert.deepEqual(got.last.slice(1, producers + 1), Array(producers).fill(records));
  });
}
