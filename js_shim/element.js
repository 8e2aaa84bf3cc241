// @ts-check
/**
 * <tidemark-terminal layer="layers/busybox" cmd="sh -l">: a Linux terminal in a web page, from this one module script.
 *
 * Owns: the element, its xterm.js screen, the keys a phone lacks, what the guest learns of the browser (TZ, LANG, TERM,
 * window size), and the isolation of pages whose server sends no headers (isolation-worker.js). The runtime lives in a
 * worker of its own (element_worker.js), so the page needs no Pyodide and stays smooth.
 *
 * Attributes: layer (URLs, space separated), cmd (shell words), env (K=V, space separated), cwd, theme (dark | light |
 * auto), start (auto | click), font-size, base (where the runtime's files are; default: beside this script).
 * Events: "ready" (a process runs), "exit" (detail.code), "failed" (detail.text). Methods: write(text), focus(), restart().
 * Parts for styling: screen, keys, notice.
 */

const HERE = new URL(".", import.meta.url).href;
const ISOLATION_TRIED = "tidemark-isolation-tried";

const THEMES = {
  dark: {
    background: "#0e1518", foreground: "#d8e3e4", cursor: "#5ec4b6", cursorAccent: "#0e1518", selectionBackground: "#2b4a52",
    black: "#1b262b", red: "#ef7d77", green: "#8fca8a", yellow: "#e2c077", blue: "#7fb2e6", magenta: "#c79be0", cyan: "#5ec4b6", white: "#c3d0d2",
    brightBlack: "#6d7f85", brightRed: "#ff9d97", brightGreen: "#aee2a9", brightYellow: "#f4d899", brightBlue: "#a3cbf4", brightMagenta: "#dcb8ef", brightCyan: "#86ded2", brightWhite: "#f1f6f6",
  },
  light: {
    background: "#fbfcfb", foreground: "#22343a", cursor: "#0f7f74", cursorAccent: "#fbfcfb", selectionBackground: "#cfe6e3",
    black: "#22343a", red: "#b83227", green: "#2d7a33", yellow: "#8a6300", blue: "#1f62a8", magenta: "#86409f", cyan: "#0f7f74", white: "#5d6f74",
    brightBlack: "#6d7f85", brightRed: "#cf4a3f", brightGreen: "#3d9044", brightYellow: "#a37700", brightBlue: "#3179c4", brightMagenta: "#9d57b5", brightCyan: "#1c9387", brightWhite: "#22343a",
  },
};

const STYLE = `
  :host { display: block; position: relative; min-height: 12em; overflow: hidden; contain: content;
          --back: #fbfcfb; --ink: #22343a; --soft: #6d7f85; --line: #d7e0e0; --accent: #0f7f74; background: var(--back); }
  :host([data-dark]) { --back: #0e1518; --ink: #d8e3e4; --soft: #8b9ca1; --line: #26343a; --accent: #5ec4b6; }
  :host([hidden]) { display: none; }
  .frame { position: absolute; inset: 0; display: flex; flex-direction: column; }
  .screen { flex: 1; min-height: 0; padding: .6em 0 .4em 1em; }
  .screen .xterm { height: 100%; }
  .xterm .xterm-viewport { background: transparent !important; }
  .xterm .scrollbar.vertical { width: 8px !important; } .xterm .scrollbar.vertical .slider { width: 6px !important; left: 0 !important; border-radius: 3px; }
  .keys { display: none; gap: .35em; padding: .35em .5em; border-top: 1px solid var(--line); overflow-x: auto; touch-action: pan-x; }
  .keys button { flex: 1 0 auto; min-width: 2.9em; padding: .55em .4em; font: 500 14px/1 ui-monospace, monospace; color: var(--ink);
                 background: color-mix(in srgb, var(--ink) 7%, transparent); border: 0; border-radius: .5em; }
  .keys button[aria-pressed="true"] { background: var(--accent); color: var(--back); }
  @media (pointer: coarse) { .keys { display: flex; } }
  .notice { position: absolute; inset: 0; display: grid; place-content: center; justify-items: center; gap: .9em; padding: 1.5em; text-align: center;
            font: 15px/1.5 system-ui, sans-serif; color: var(--soft); background: var(--back); transition: opacity .25s; }
  .notice[hidden] { display: none; }
  .notice p { margin: 0; max-width: 34em; overflow-wrap: anywhere; }
  .notice.bad { color: var(--ink); } .notice.bad .bar { display: none; }
  .bar { width: min(15em, 60vw); height: 3px; border-radius: 2px; background: var(--line); overflow: hidden; }
  .bar i { display: block; height: 100%; width: 0; border-radius: 2px; background: var(--accent); transition: width .3s; }
  .notice button { font: 600 15px system-ui, sans-serif; color: var(--back); background: var(--accent); border: 0; border-radius: .6em; padding: .6em 1.3em; cursor: pointer; }
  :focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
  @media (prefers-reduced-motion: reduce) { .notice, .bar i { transition: none; } }
`;

/** What a phone's keyboard lacks: label, name for screen readers, what is sent (null: a modifier). @type {[string, string, string | null][]} */
const KEYS = [
  ["esc", "Escape", "\x1b"], ["tab", "Tab", "\t"], ["ctrl", "Control", null], ["^C", "Control C", "\x03"],
  ["←", "Left", "\x1b[D"], ["↓", "Down", "\x1b[B"], ["↑", "Up", "\x1b[A"], ["→", "Right", "\x1b[C"],
  ["|", "Pipe", "|"], ["/", "Slash", "/"], ["-", "Minus", "-"], ["~", "Tilde", "~"],
];

/** @param {string} url */
async function text(url) {
  const response = await fetch(url);
  if (!response.ok) throw new Error(`${url}: ${response.status}`);
  return response.text();
}

/**
 * The offsets of the browser's time zone as [since, seconds east] pairs, found by asking Intl month by month: layers
 * without tzdata get a zone file made of them.
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

/** Without shared memory nothing works: headers, or else the service worker beside the runtime. "" when all is well. */
async function isolate() {
  if (crossOriginIsolated) {
    sessionStorage.removeItem(ISOLATION_TRIED);
    return "";
  }
  const remedy =
    "This page is not cross-origin isolated, so it has no shared memory. Serve it over https (or from localhost) with the headers " +
    "Cross-Origin-Opener-Policy: same-origin and Cross-Origin-Embedder-Policy: require-corp.";
  if (!isSecureContext || !navigator.serviceWorker || sessionStorage.getItem(ISOLATION_TRIED)) return remedy;
  try {
    sessionStorage.setItem(ISOLATION_TRIED, "1");
    await navigator.serviceWorker.register(new URL("../isolation-worker.js", HERE).href);
    await navigator.serviceWorker.ready;
    location.reload();
    return "Reloading once, to isolate this page …";
  } catch {
    return remedy;
  }
}

export class TidemarkTerminal extends HTMLElement {
  static observedAttributes = ["theme", "font-size"];

  constructor() {
    super();
    this.attachShadow({ mode: "open" });
    /** @type {any} */
    this.screen = null;
    /** @type {any} */
    this.fitter = null;
    /** @type {Worker | null} */
    this.worker = null;
    this.control = false;
    this.running = false;
    this.prompted = false;
    this.code = 0;
    this.scheme = matchMedia("(prefers-color-scheme: dark)");
    this.paint = () => this.#paint();
    this.resizer = new ResizeObserver(() => this.#fit());
  }

  connectedCallback() {
    if (this.screen || this.worker) return;
    const root = /** @type {ShadowRoot} */ (this.shadowRoot);
    root.innerHTML = `<style>${STYLE}</style><div class="frame"><div class="screen" part="screen"></div><div class="keys" part="keys" role="toolbar" aria-label="Terminal keys"></div></div>
      <div class="notice" part="notice" role="status"><p></p><div class="bar"><i></i></div></div>`;
    this.#keys();
    this.#paint();
    this.scheme.addEventListener("change", this.paint);
    if (this.getAttribute("start") === "click") this.#ask("Start Linux", "Runs in this tab; nothing is installed.");
    else this.#begin();
  }

  disconnectedCallback() {
    this.scheme.removeEventListener("change", this.paint);
    this.resizer.disconnect();
    this.worker?.terminate();
    this.worker = null;
    this.screen?.dispose();
    this.screen = null;
  }

  attributeChangedCallback() {
    if (this.screen) this.#paint();
  }

  /** Types into the terminal. @param {string} input */
  write(input) {
    this.worker?.postMessage({ t: "input", data: new TextEncoder().encode(input) });
  }

  focus() {
    this.screen?.focus();
  }

  /** Ends what runs and starts the command again. */
  restart() {
    this.screen?.reset();
    this.#notice("");
    this.worker?.postMessage({ t: "start", ...this.#command() });
  }

  // ---- looks ----

  #dark() {
    const theme = this.getAttribute("theme");
    return theme === "dark" || (theme !== "light" && this.scheme.matches);
  }

  #paint() {
    this.toggleAttribute("data-dark", this.#dark());
    if (!this.screen) return;
    this.screen.options.theme = THEMES[this.#dark() ? "dark" : "light"];
    this.screen.options.fontSize = this.#fontSize();
    this.#fit();
  }

  #fontSize() {
    return Number(this.getAttribute("font-size")) || (this.clientWidth < 480 ? 12 : 14);
  }

  #fit() {
    if (!this.screen || !this.clientWidth || !this.clientHeight) return;
    this.fitter.fit();
  }

  #keys() {
    const bar = this.#find(".keys");
    for (const [label, name, sent] of KEYS) {
      const button = document.createElement("button");
      button.textContent = label;
      button.setAttribute("aria-label", name);
      // pointerdown, and no default: the screen keeps the focus, so the phone's keyboard stays
      button.addEventListener("pointerdown", (e) => e.preventDefault());
      button.addEventListener("click", () => {
        if (sent !== null) this.write(this.screen?.modes.applicationCursorKeysMode ? sent.replace("\x1b[", "\x1bO") : sent);
        else this.#setControl(!this.control);
        this.focus();
      });
      bar.append(button);
    }
  }

  /** @param {boolean} on */
  #setControl(on) {
    this.control = on;
    this.#find('[aria-label="Control"]').setAttribute("aria-pressed", String(on));
  }

  /** @param {string} selector @returns {HTMLElement} */
  #find(selector) {
    return /** @type {HTMLElement} */ (/** @type {ShadowRoot} */ (this.shadowRoot).querySelector(selector));
  }

  /** @param {string} message @param {{ bad?: boolean, fraction?: number }} [o] */
  #notice(message, o = {}) {
    const box = this.#find(".notice");
    box.hidden = !message;
    box.classList.toggle("bad", !!o.bad);
    this.#find(".notice p").textContent = message;
    this.#find(".bar i").style.width = `${Math.round((o.fraction ?? 0) * 100)}%`;
    box.querySelector("button")?.remove();
  }

  /** @param {string} label @param {string} message @param {() => void} [then] */
  #ask(label, message, then = () => this.#begin()) {
    this.#notice(message, { bad: true });
    const button = document.createElement("button");
    button.textContent = label;
    button.addEventListener("click", then);
    this.#find(".notice").append(button);
  }

  /** @param {string} message */
  #fail(message) {
    this.#notice(message, { bad: true });
    this.dispatchEvent(new CustomEvent("failed", { detail: { text: message } }));
  }

  // ---- work ----

  async #begin() {
    this.#notice("Starting …", { fraction: 0.05 });
    const problem = await isolate();
    if (problem) return this.#fail(problem);
    const base = new URL(this.getAttribute("base") ?? HERE, location.href).href;
    // by way of a Blob, so that the element also works from another origin
    const code = new Blob([`import ${JSON.stringify(`${base}element_worker.js`)};`], { type: "text/javascript" });
    this.worker = new Worker(URL.createObjectURL(code), { type: "module", name: "tidemark" });
    this.worker.onmessage = (e) => this.#heard(e.data);
    this.worker.onerror = (e) => this.#fail(`The runtime's worker could not start: ${e.message || "its script did not load"}`);
    this.worker.postMessage({ t: "boot", base });
    try {
      await this.#screen(base);
    } catch (e) {
      return this.#fail(`The terminal could not be loaded: ${e}`);
    }
    this.worker?.postMessage({ t: "start", ...this.#command() });
  }

  /** @param {string} base */
  async #screen(base) {
    const [{ Terminal }, { FitAddon }, css] = await Promise.all([
      import(`${base}xterm/xterm.mjs`),
      import(`${base}xterm/addon-fit.mjs`),
      text(`${base}xterm/xterm.css`),
    ]);
    const style = document.createElement("style");
    style.textContent = css;
    this.shadowRoot?.prepend(style);
    this.screen = new Terminal({
      theme: THEMES[this.#dark() ? "dark" : "light"],
      fontFamily: 'ui-monospace, "SF Mono", "Cascadia Mono", "JetBrains Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace',
      fontSize: this.#fontSize(),
      lineHeight: 1.2,
      cursorBlink: true,
      scrollback: 5000,
      allowProposedApi: true,
    });
    this.fitter = new FitAddon();
    this.screen.loadAddon(this.fitter);
    this.screen.open(this.#find(".screen"));
    this.#fit();
    this.resizer.observe(this);
    this.screen.onData((/** @type {string} */ data) => this.#typed(data));
    this.screen.onBinary((/** @type {string} */ data) => this.write(data));
    this.screen.onResize((/** @type {{ rows: number, cols: number }} */ s) => this.worker?.postMessage({ t: "resize", rows: s.rows, columns: s.cols }));
  }

  /** @param {string} data */
  #typed(data) {
    if (!this.running) {
      if (data === "\r" && this.worker) this.restart();
      return;
    }
    if (this.control && data.length === 1) {
      const c = data.toUpperCase().charCodeAt(0);
      data = c >= 63 && c < 96 ? String.fromCharCode(c === 63 ? 127 : c - 64) : data;
      this.#setControl(false);
    }
    this.write(data);
  }

  #command() {
    const zone = Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC";
    return {
      layers: (this.getAttribute("layer") ?? "").split(/\s+/).filter(Boolean).map((url) => new URL(url, document.baseURI).href),
      cmd: this.getAttribute("cmd") ?? "sh -l",
      cwd: this.getAttribute("cwd") ?? "",
      env: Object.fromEntries((this.getAttribute("env") ?? "").split(/\s+/).filter(Boolean).map((kv) => kv.split(/=(.*)/s))),
      language: navigator.language || "en",
      zone,
      offsets: zoneOffsets(zone),
      rows: this.screen?.rows ?? 24,
      columns: this.screen?.cols ?? 80,
    };
  }

  /** @param {any} m */
  #heard(m) {
    if (m.t === "output") {
      // written means parsed: only then may more come, so that a guest's flood waits in its own pipe
      this.screen?.write(m.data, () => {
        if (!this.prompted) performance.mark("tidemark-prompt"); // the first thing the program shows is on the screen
        this.prompted = true;
        this.worker?.postMessage({ t: "ack", n: m.data.length });
      });
    } else if (m.t === "progress") {
      if (!this.running) this.#notice(m.text, { fraction: m.fraction });
    } else if (m.t === "started") {
      this.running = true;
      performance.mark("tidemark-started");
      this.#notice("");
      this.dispatchEvent(new CustomEvent("ready"));
      if (this.hasAttribute("autofocus")) this.focus();
    } else if (m.t === "exit") {
      this.running = false;
      this.code = m.code;
      this.screen?.write(`\r\n\x1b[0;2m[ended (${m.code}): Enter starts it again]\x1b[0m\r\n`);
      this.dispatchEvent(new CustomEvent("exit", { detail: { code: m.code } }));
    } else if (m.t === "failed") {
      this.running = false;
      this.#fail(m.text);
    }
  }
}

if (!customElements.get("tidemark-terminal")) customElements.define("tidemark-terminal", TidemarkTerminal);
