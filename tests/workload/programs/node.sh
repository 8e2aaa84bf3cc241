# packages: nodejs
# seconds: 900
cat > /tmp/n.js <<'S'
const fs = require("fs"), cp = require("child_process"), http = require("http"), net = require("net"), crypto = require("crypto"), zlib = require("zlib");
const { Worker, isMainThread, parentPort, workerData } = require("worker_threads");
if (!isMainThread) { const a = new Int32Array(workerData); for (let i = 0; i < 1000; i++) Atomics.add(a, 0, 1); parentPort.postMessage("worked"); return; }
(async () => {
  fs.mkdirSync("/tmp/nd/a", { recursive: true }); fs.writeFileSync("/tmp/nd/f", "text"); await fs.promises.appendFile("/tmp/nd/f", " more");
  console.log(fs.readFileSync("/tmp/nd/f", "utf8"), fs.readdirSync("/tmp/nd").join(), fs.statSync("/tmp/nd/f").size);
  console.log(cp.execSync("echo sub | tr a-z A-Z").toString().trim(), cp.spawnSync("sh", ["-c", "exit 3"]).status);
  const c = cp.spawn("cat"); c.stdin.end("spawned"); let out = ""; for await (const d of c.stdout) out += d; console.log(out);
  const f = cp.fork("/tmp/child.js"); console.log(await new Promise((r) => { f.on("message", r); f.send(20); })); f.disconnect();
  const shared = new SharedArrayBuffer(4); const ws = [1, 2].map(() => new Worker(__filename, { workerData: shared }));
  console.log(await Promise.all(ws.map((w) => new Promise((r) => w.on("message", r)))), new Int32Array(shared)[0]);
  const s = http.createServer((q, r) => { let b = ""; q.on("data", (d) => (b += d)).on("end", () => r.end(`${q.method} ${q.url} ${b.length}`)); });
  await new Promise((r) => s.listen(0, "127.0.0.1", r)); const u = `http://127.0.0.1:${s.address().port}`;
  const post = () => new Promise((r) => { const q = http.request(u + "/p", { method: "POST" }, (m) => { let b = ""; m.on("data", (d) => (b += d)).on("end", () => r(b)); }); q.end("x".repeat(70000)); });
  console.log(await post(), await (await fetch(u + "/g")).text()); s.close(); s.closeAllConnections();
  console.log(crypto.createHash("sha256").update("x").digest("hex").slice(0, 16), zlib.gunzipSync(zlib.gzipSync("zip")).toString(), crypto.pbkdf2Sync("p", "s", 1000, 8, "sha1").toString("hex"));
  console.log([3, 1, 2].toSorted(), 2n ** 70n, "häß".length, structuredClone(new Map([[1, 2]])), new Intl.NumberFormat("de").format(1234.5));
  let n = 0; for (let i = 0; i < 2e6; i++) n = (n * 31 + i) | 0; console.log(n); process.on("SIGUSR2", () => { console.log("signal"); process.exit(5); }); process.kill(process.pid, "SIGUSR2"); setTimeout(() => {}, 5000);
})();
S
echo 'process.on("message", (m) => process.send(m * 2 + 2));' > /tmp/child.js
node /tmp/n.js; echo "code $?"; echo 'console.log(6 * 7)' | node -; node -p '[1,2,3].map(x => x * x).join()'; node -e 'import("node:os").then((o) => console.log(o.platform(), o.arch()))'
