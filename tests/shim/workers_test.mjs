// @ts-check
/** Tests of js_shim/workers.js on Node: `node --test workers_test.mjs`. The same module runs in browsers. */
import assert from "node:assert/strict";
import test from "node:test";
import { makerBehind, makerHere, serveWorkers } from "../../js_shim/workers.js";

const ECHO = new URL("echo_worker.mjs", import.meta.url).href;

/** What a callback was called with, one after the other. */
function queue() {
  /** @type {any[]} */
  const got = [];
  let wake = () => {};
  return {
    put: (/** @type {any} */ x) => (got.push(x), wake()),
    next: async () => {
      while (!got.length) await new Promise((resolve) => (wake = () => resolve(0)));
      return got.shift();
    },
    got,
  };
}

/** A port of which `closed` resolves when who holds the other end is gone. */
function held() {
  const { port1, port2 } = new MessageChannel();
  const said = queue();
  port1.onmessage = (e) => said.put(e.data);
  const closed = new Promise((resolve) => /** @type {any} */ (port1).on("close", resolve));
  return { port: port2, said, closed };
}

/** [name, a maker, what ends all that it made] */
function makers() {
  const { port1, port2 } = new MessageChannel();
  const served = serveWorkers(port1);
  return /** @type {[string, import("../../js_shim/workers.js").Maker, () => void][]} */ ([
    ["here", makerHere(true), () => {}],
    ["behind a port", makerBehind(port2), () => (served.end(), port2.close())],
  ]);
}

for (const [name, maker, end] of makers()) {
  test(`a worker made ${name} talks, fails once, and takes its children with it`, async () => {
    const heard = queue();
    const failed = queue();
    const worker = maker.startWorker(ECHO, "echo", heard.put, failed.put);
    worker.post({ n: 1 });
    assert.deepEqual(await heard.next(), { echo: { n: 1 } });
    const grip = held();
    const over = worker.serve();
    worker.post({ t: "make", maker: over, port: grip.port }, [over, grip.port]);
    assert.equal(await grip.said.next(), "held");
    assert.deepEqual(await heard.next(), { child: "holds" });
    worker.terminate();
    await grip.closed;
    assert.deepEqual(failed.got, []);

    const thrower = maker.startWorker(ECHO, "thrower", heard.put, failed.put);
    thrower.post({ t: "throw" });
    assert.match(await failed.next(), /thrown by a test/);
    thrower.terminate();
    const missing = maker.startWorker("file:///nowhere/none.js", "missing", heard.put, failed.put);
    assert.match(await failed.next(), /nowhere/);
    missing.terminate();
    assert.deepEqual(failed.got, []);
    end();
  });
}

test("who serves a port ends all that was made over it", async () => {
  const { port1, port2 } = new MessageChannel();
  const served = serveWorkers(port1);
  const maker = makerBehind(port2);
  const grips = [held(), held(), held()];
  for (const grip of grips) {
    const heard = queue();
    const worker = maker.startWorker(ECHO, "holder", heard.put, () => {});
    worker.post({ t: "hold", port: grip.port }, [grip.port]);
    assert.equal(await heard.next(), "holds");
  }
  served.end();
  await Promise.all(grips.map((grip) => grip.closed));
  port2.close();
});

test("without a window a worker is left to make its own", () => {
  const worker = makerHere().startWorker(ECHO, "alone", () => {}, () => {});
  assert.equal(worker.serve(), undefined);
  worker.terminate();
});
