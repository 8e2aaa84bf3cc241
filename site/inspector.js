// @ts-check
/**
 * The inspector: draws what the machine's state readers say (KernelRuntimeState, the event ring, system calls of one process).
 * Asks twice a second while the page is seen; changes nothing in the machine but by its signal buttons.
 */

const PERIOD_MS = 500;
const LINES = 400;
const STATES = /** @type {Record<string, string>} */ ({ R: "running", S: "waiting", D: "waiting", T: "stopped", Z: "zombie" });
const $ = (/** @type {string} */ id) => /** @type {HTMLElement} */ (document.getElementById(id));
const terminal = /** @type {any} */ ($("terminal"));
let chosen = 0;
let traced = 0;
let measuring = false;

/** @param {string} name @param {string} [text] @param {string} [kind] */
function make(name, text = "", kind = "") {
  const element = document.createElement(name);
  element.textContent = text;
  if (kind) element.className = kind;
  return element;
}

/** @param {number} bytes */
const size = (bytes) => (bytes >= 1 << 20 ? `${(bytes / (1 << 20)).toFixed(1)} MiB` : `${Math.round(bytes / 1024)} KiB`);

/** Replaces rows only when they changed, so that a selection and a screen reader's place stay. @param {HTMLElement} body @param {HTMLElement[]} rows */
function fill(body, rows) {
  const html = rows.map((row) => row.outerHTML).join("");
  if (body.dataset.html === html) return;
  body.dataset.html = html;
  const had = body.contains(document.activeElement);
  body.replaceChildren(...rows);
  if (had) /** @type {HTMLElement | null} */ (body.querySelector("[aria-pressed=true]"))?.focus();
}

/** @param {any[]} processes @param {any[]} threads */
function drawTree(processes, threads) {
  /** @type {Map<number, any[]>} */
  const children = new Map();
  const known = new Set(processes.map((p) => p.pid));
  for (const p of processes) {
    const parent = known.has(p.ppid) && p.ppid !== p.pid ? p.ppid : 0;
    children.set(parent, [...(children.get(parent) ?? []), p]);
  }
  /** @type {HTMLElement[]} */
  const rows = [];
  const walk = (/** @type {any} */ p, /** @type {number} */ depth) => {
    const row = make("tr");
    const cell = make("td", "", "tree");
    cell.style.setProperty("--depth", String(depth));
    const button = make("button", p.pid === 1 ? "init (the runtime)" : (p.command?.join(" ") || p.name).slice(0, 60));
    button.dataset.pid = String(p.pid);
    button.setAttribute("aria-pressed", String(p.pid === chosen));
    cell.append(button);
    const calls = threads.filter((t) => t.pid === p.pid && t.word === "PARKED").map((t) => t.call);
    row.append(cell, make("td", STATES[p.state] ?? p.state), make("td", String(p.pid), "n"), make("td", String(p.threads), "n"),
      make("td", p.resident_bytes ? size(p.resident_bytes) : "–", "n"), make("td", [...new Set(calls)].join(", ") || "–"));
    rows.push(row);
    for (const child of children.get(p.pid) ?? []) walk(child, depth + 1);
  };
  for (const p of children.get(0) ?? []) walk(p, 0);
  fill(/** @type {HTMLElement} */ ($("tree").tBodies?.[0] ?? $("tree").querySelector("tbody")), rows);
}

/** @param {any[]} processes */
function drawPipes(processes) {
  /** @type {Map<string, string[]>} */
  const holders = new Map();
  for (const p of processes)
    for (const fd of p.fds)
      if (/^(pipe|socket):/.test(fd.target)) holders.set(fd.target, [...(holders.get(fd.target) ?? []), `${p.pid === 1 ? "init" : p.name}[${p.pid}]:${fd.fd}`]);
  const rows = [...holders].sort().map(([what, who]) => {
    const row = make("tr");
    row.append(make("td", what), make("td", who.join("  ")));
    return row;
  });
  fill(/** @type {HTMLElement} */ ($("pipes").querySelector("tbody")), rows);
}

/** @param {any[]} processes */
function drawOne(processes) {
  const p = processes.find((each) => each.pid === chosen);
  if (!chosen) return;
  const box = $("one");
  if (!p) return fill(box, [make("p", `Process ${chosen} has ended.`, "soft")]);
  const table = make("table");
  const head = make("thead");
  head.innerHTML = '<tr><th class="n">fd</th><th>Open</th></tr>';
  const body = make("tbody");
  for (const fd of p.fds) {
    const row = make("tr");
    row.append(make("td", String(fd.fd), "n"), make("td", fd.target));
    body.append(row);
  }
  table.append(head, body);
  const line = make("p", `${p.name}, pid ${p.pid}, parent ${p.ppid}, group ${p.pgid}, session ${p.sid}${p.resident_bytes ? `, ${size(p.resident_bytes)} resident` : ""}`);
  const buttons = make("p", "", "buttons");
  if (p.pid !== 1) {
    const trace = make("button", traced === p.pid ? "Stop tracing" : "Trace");
    trace.dataset.act = "trace";
    buttons.append(trace);
    for (const [label, signal] of [["Interrupt", 2], ["Stop", 19], ["Continue", 18], ["Kill", 9]]) {
      const button = make("button", String(label), "quiet");
      button.dataset.signal = String(signal);
      buttons.append(button);
    }
  }
  const scroll = make("div", "", "scroll");
  scroll.append(table);
  fill(box, [line, buttons, scroll]);
}

/** @param {Record<string, number>} counters */
function drawCounters(counters) {
  const rows = Object.entries(counters).flatMap(([name, value]) => {
    const text = /bytes|heap/.test(name) ? size(value) : value.toLocaleString("en").replace(/,/g, " ");
    return [make("dt", name.replace(/_/g, " ")), make("dd", text)];
  });
  fill($("counters"), rows);
}

/** @param {{name: string, count: number, p50_us: number, p99_us: number, max_us: number}[]} metrics */
function drawMetrics(metrics) {
  const number = (/** @type {number} */ n) => make("td", n.toLocaleString("en", { maximumFractionDigits: n < 100 ? 1 : 0 }).replace(/,/g, " "), "n");
  const rows = metrics.map((m) => {
    const row = make("tr");
    row.append(make("td", m.name.replace(/_/g, " ")), number(m.count), number(m.p50_us), number(m.p99_us), number(m.max_us));
    return row;
  });
  fill(/** @type {HTMLElement} */ ($("metrics").querySelector("tbody")), rows);
}

/** @param {HTMLElement} log @param {string} line */
function append(log, line) {
  const follow = log.scrollHeight - log.scrollTop - log.clientHeight < 30;
  log.append(`${line}\n`);
  while (log.childNodes.length > LINES) log.firstChild?.remove();
  if (follow) log.scrollTop = log.scrollHeight;
}

/** @param {any} e */
function describe(e) {
  const time = (e.time_ns / 1e9).toFixed(3).padStart(9);
  const who = `pid ${e.pid}`;
  const what = { exit: `ended (${e.a & 0x7f ? `signal ${e.a & 0x7f}` : (e.a >> 8) & 0xff})`, spawn: `of ${e.ppid}`, reap: `of ${e.ppid}` };
  return `${time}  ${e.kind.padEnd(14)} ${who.padEnd(9)} ${/** @type {any} */ (what)[e.kind] ?? ""}`.trimEnd();
}

async function look() {
  const machine = terminal.machine;
  if (document.visibilityState === "visible" && machine?.up) {
    try {
      const state = await machine.call("state");
      drawTree(state.processes, state.threads);
      drawOne(state.processes);
      drawPipes(state.processes);
      drawCounters(state.counters);
      if (measuring) drawMetrics(await machine.call("metrics", true));
    } catch (e) {
      append($("events"), `--- ${/** @type {any} */ (e).message}`);
    }
  }
  setTimeout(look, PERIOD_MS);
}

/** @param {number} pid */
async function trace(pid) {
  if (traced) await terminal.machine.call("trace", traced, false);
  traced = traced === pid ? 0 : pid;
  $("traced").textContent = traced ? `of pid ${traced}` : "";
  if (!traced) return;
  $("trace").textContent = "";
  await terminal.machine.call("trace", traced, true).catch((/** @type {Error} */ e) => {
    append($("trace"), e.message);
    traced = 0;
    $("traced").textContent = "";
  });
}

async function measure() {
  measuring = !measuring;
  $("measure").setAttribute("aria-pressed", String(measuring));
  $("measure").textContent = measuring ? "Stop measuring" : "Measure";
  if (!measuring) await terminal.machine.call("metrics", false);
}

addEventListener("click", (e) => {
  const button = /** @type {HTMLElement} */ (e.target);
  if (button.dataset?.pid) {
    chosen = Number(button.dataset.pid);
    for (const each of document.querySelectorAll("[data-pid]")) each.setAttribute("aria-pressed", String(each === button));
    $("tree").querySelector("tbody")?.removeAttribute("data-html");
  } else if (button.dataset?.signal) terminal.machine.call("kill", chosen, Number(button.dataset.signal)).catch((/** @type {Error} */ x) => append($("events"), `--- ${x.message}`));
  else if (button.dataset?.act === "trace") trace(chosen);
  else if (button.id === "measure") measure();
  else if (button.closest(".try")) {
    terminal.write(`${button.textContent}\r`);
    terminal.focus();
  }
});

terminal.addEventListener("ready", () => terminal.machine.call("watch", true), { once: true });
await customElements.whenDefined("tidemark-terminal");
terminal.machine.addEventListener("event", (/** @type {any} */ e) => append($("events"), describe(e.detail)));
terminal.machine.addEventListener("trace", (/** @type {any} */ e) => e.detail.pid === traced && append($("trace"), e.detail.text));
look();
