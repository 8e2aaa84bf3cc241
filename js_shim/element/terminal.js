// @ts-check
/**
 * <tidemark-terminal layer="layers/busybox" cmd="sh -l">: a Linux terminal in a web page.
 *
 * Owns: its xterm.js screen, the keys a phone lacks, files dropped on it and asked for by the guest (upload, download).
 * The program runs in the page's one machine (machine.js), so the page needs no Pyodide and stays smooth.
 *
 * Attributes: layer (URLs, space separated), cmd (shell words), env (K=V, space separated), cwd, machine (elements of the same
 * name share files; default: those with the same layers), persist (name under which /root and /home are kept), theme (dark |
 * light | auto), start (visible | now | click), font-size, screen-reader, downloads (auto | ask), base, isolation (place of
 * isolation-worker.js).
 * Events: "ready" (a process runs), "exit" (detail.code), "failed" (detail.text), "upload" (detail.names, directory),
 * "download" (detail.name, bytes), "saved" (detail.name, bytes).
 * Methods: write(text), focus(), restart(), text(), upload(files, directory), readFile(path), save().
 * Parts for styling: screen, keys, notice, toast. Colours: looks.js.
 */

import { commonOptions } from "./browser.js";
import { bodies, choose, dropped, pathOf, save, size } from "./files.js";
import { MONO, SHARED, Theme, themeOf } from "./looks.js";
import { machineOf, whenSeen } from "./machine.js";

const OSC = 7717; // tidemark_py/sdk/terminal.py
const SIGNAL_TOAST_MS = 6000;

const STYLE = `${SHARED}
  :host { display: block; position: relative; min-height: 12em; overflow: hidden; contain: content; }
  .frame { position: absolute; inset: 0; display: flex; flex-direction: column; }
  .screen { flex: 1; min-height: 0; padding: .6em 0 .4em 1em; }
  .screen .xterm { height: 100%; }
  .xterm .xterm-viewport { background: transparent !important; }
  .xterm .scrollbar.vertical { width: 8px !important; } .xterm .scrollbar.vertical .slider { width: 6px !important; left: 0 !important; border-radius: 3px; }
  :host(:focus-within) .frame { box-shadow: inset 0 0 0 2px color-mix(in srgb, var(--accent) 55%, transparent); border-radius: inherit; }
  .keys { display: none; gap: .35em; padding: .35em .5em; border-top: 1px solid var(--line); overflow-x: auto; touch-action: pan-x; }
  .keys button { flex: 1 0 auto; min-width: 2.9em; padding: .55em .4em; font: 500 14px/1 ui-monospace, monospace; color: var(--ink);
                 background: color-mix(in srgb, var(--ink) 7%, transparent); border-radius: .5em; }
  .keys button[aria-pressed="true"] { background: var(--accent); color: var(--back); }
  @media (pointer: coarse) { .keys { display: flex; } }
  .notice { position: absolute; inset: 0; display: grid; place-content: center; justify-items: center; gap: .9em; padding: 1.5em; text-align: center;
            font: 15px/1.5 system-ui, sans-serif; color: var(--soft); background: var(--back); transition: opacity .25s; }
  .notice[hidden], .toast[hidden] { display: none; }
  .notice p { margin: 0; max-width: 34em; overflow-wrap: anywhere; }
  .notice.bad { color: var(--ink); } .notice.bad .bar { display: none; }
  .notice div.choices { display: flex; flex-wrap: wrap; justify-content: center; gap: .6em; } .notice div.choices:empty { display: none; }
  .toast { position: absolute; right: .8em; bottom: .8em; left: .8em; width: fit-content; max-width: min(34em, calc(100% - 1.6em)); margin-left: auto; display: flex; flex-wrap: wrap;
           align-items: center; gap: .5em .8em; box-sizing: border-box; padding: .6em .9em; font: 14px/1.45 system-ui, sans-serif; color: var(--ink);
           background: color-mix(in srgb, var(--ink) 6%, var(--back)); border: 1px solid var(--line); border-radius: .7em; box-shadow: 0 6px 20px -8px #0006; }
  .toast span { overflow-wrap: anywhere; }
  .after:focus { top: auto; bottom: .6em; padding: .3em .7em; font: 13px system-ui, sans-serif; color: var(--soft); background: var(--back); border-radius: .4em; }
  .over { position: absolute; inset: .5em; display: grid; place-content: center; font: 600 15px system-ui, sans-serif; color: var(--accent); pointer-events: none;
          background: color-mix(in srgb, var(--back) 88%, transparent); border: 2px dashed var(--accent); border-radius: .7em; }
  .over[hidden] { display: none; }
  button.unseen:focus, .after:focus { position: absolute; top: .6em; left: .6em; z-index: 9; }
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

export class TidemarkTerminal extends HTMLElement {
  static observedAttributes = ["theme", "font-size", "screen-reader", "style", "class"];

  constructor() {
    super();
    this.attachShadow({ mode: "open" });
    /** @type {any} */
    this.screen = null;
    /** @type {any} */
    this.fitter = null;
    /** @type {import("./machine.js").Machine | null} */
    this.machine = null;
    /** @type {import("./machine.js").Session | null} */
    this.session = null;
    this.control = false;
    this.running = false;
    this.prompted = false;
    this.begun = false;
    this.code = 0;
    this.toastTimer = 0;
    this.forgetSeen = () => {};
    this.theme = new Theme(this, () => this.#paint());
    this.said = (/** @type {any} */ e) => e.detail.machine === this.getAttribute("persist") && this.#toast(e.detail.text);
    this.saved = (/** @type {any} */ e) => e.detail.name === this.getAttribute("persist") && this.#tell("saved", e.detail);
    this.hiding = () => document.visibilityState === "hidden" && this.getAttribute("persist") && this.session?.call("save", true).catch(() => {});
    this.resizer = new ResizeObserver(() => this.#fit());
  }

  connectedCallback() {
    if (this.begun) return;
    const root = /** @type {ShadowRoot} */ (this.shadowRoot);
    root.innerHTML = `<style>${STYLE}</style><button class="unseen reader">Screen reader mode</button>
      <div class="frame"><div class="screen" part="screen"></div><div class="keys" part="keys" role="toolbar" aria-label="Terminal keys"></div></div>
      <span class="after unseen" role="note">End of the terminal</span>
      <div class="notice" part="notice" role="status"><p></p><div class="bar"><i></i></div><div class="choices"></div></div>
      <div class="over" hidden>Drop files to upload them</div>
      <div class="toast" part="toast" role="status" hidden></div>`;
    if (!this.hasAttribute("role")) this.setAttribute("role", "region");
    if (!this.hasAttribute("aria-label")) this.setAttribute("aria-label", "Linux terminal; Shift and Escape leave it");
    this.#keys();
    this.#drops();
    this.theme.follow();
    this.#find(".reader").addEventListener("click", () => (this.toggleAttribute("screen-reader"), this.focus()));
    document.addEventListener("visibilitychange", this.hiding);
    this.machine = machineOf(this);
    this.machine.addEventListener("say", this.said);
    this.machine.addEventListener("saved", this.saved);
    const start = this.getAttribute("start");
    if (start === "click") this.#ask("Start Linux", "Runs in this tab; nothing is installed.", () => this.#begin());
    else if (start === "now") this.#begin();
    else {
      this.#notice("Starts when it is seen …");
      this.forgetSeen = whenSeen(this, () => this.#begin());
    }
  }

  disconnectedCallback() {
    this.forgetSeen();
    this.theme.leave();
    document.removeEventListener("visibilitychange", this.hiding);
    this.machine?.removeEventListener("say", this.said);
    this.machine?.removeEventListener("saved", this.saved);
    this.resizer.disconnect();
    this.session?.close();
    this.session = null;
    this.screen?.dispose();
    this.screen = null;
    this.running = this.begun = false;
  }

  attributeChangedCallback() {
    if (this.screen) this.theme.paint();
  }

  // ---- for pages ----

  /** Types into the terminal. @param {string} input */
  write(input) {
    this.session?.input(input);
  }

  focus() {
    this.screen?.focus();
  }

  /** Ends what runs and starts the command again. */
  restart() {
    this.screen?.reset();
    this.#notice("");
    this.#open();
  }

  /** What the screen and its scrollback show. */
  text() {
    const buffer = this.screen?.buffer.active;
    let lines = "";
    for (let i = 0; i < (buffer?.length ?? 0); i++) lines += `${buffer.getLine(i).translateToString(true)}\n`;
    return lines.trimEnd();
  }

  /**
   * Gives files to the guest, in `directory` or where its program stands.
   * @param {Iterable<File | import("./files.js").Named>} files @param {string} [directory] @returns {Promise<string>} the directory
   */
  async upload(files, directory) {
    const session = this.#running();
    const named = [...files].map((f) => (f instanceof File ? { name: f.name, file: f } : f));
    const { names, data, bytes } = await bodies(named);
    const target = directory ?? /** @type {string} */ (await session.call("cwd"));
    await session.call("write_files", target, names, data);
    this.#toast(`${names.length === 1 ? names[0] : `${names.length} files`} (${size(bytes)}) now in ${target}`);
    this.#tell("upload", { names, directory: target });
    return target;
  }

  /** A guest's file. @param {string} path @returns {Promise<Uint8Array<ArrayBuffer>>} */
  async readFile(path) {
    return this.#running().call("read_file", path);
  }

  /** Keeps the files now, as `persist` does from time to time; bytes stored. @returns {Promise<number>} */
  async save() {
    return this.session ? this.session.call("save") : 0;
  }

  #running() {
    if (!this.session) throw new Error("nothing runs in this terminal");
    return this.session;
  }

  /** @param {string} name @param {any} detail */
  #tell(name, detail) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }

  // ---- looks ----

  #paint() {
    if (!this.screen) return;
    this.screen.options.theme = themeOf(this, this.theme.dark);
    this.screen.options.fontSize = this.#fontSize();
    this.screen.options.screenReaderMode = this.hasAttribute("screen-reader");
    this.#fit();
  }

  #fontSize() {
    const wanted = this.getAttribute("font-size") ?? getComputedStyle(this).getPropertyValue("--tidemark-font-size");
    return parseFloat(wanted) || (this.clientWidth < 480 ? 12 : 14);
  }

  #fit() {
    if (this.screen && this.clientWidth && this.clientHeight) this.fitter.fit();
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
    this.#find(".choices").replaceChildren();
  }

  /** @param {string} label @param {string} message @param {() => void} then */
  #ask(label, message, then) {
    this.#notice(message, { bad: true });
    this.#find(".choices").append(button(label, then));
  }

  /** A line that goes by itself, unless it asks something. @param {string} message @param {HTMLElement[]} buttons */
  #toast(message, ...buttons) {
    const box = this.#find(".toast");
    const line = document.createElement("span");
    line.textContent = message;
    box.replaceChildren(line, ...buttons);
    box.hidden = false;
    clearTimeout(this.toastTimer);
    if (buttons.length) buttons.push(button("Not now", () => this.#untoast(), "quiet")), box.append(buttons[buttons.length - 1]);
    else this.toastTimer = setTimeout(() => this.#untoast(), SIGNAL_TOAST_MS);
  }

  #untoast() {
    this.#find(".toast").hidden = true;
  }

  /** @param {string} message */
  #fail(message) {
    this.#notice(message, { bad: true });
    this.#find(".choices").append(button("Try again", () => this.#begin()));
    this.#tell("failed", { text: message });
  }

  /** Kept files are damaged: nothing is thrown away without a word. @param {string} message @param {string} name */
  #damaged(message, name) {
    this.#notice(message, { bad: true });
    this.#find(".choices").append(
      button("Begin without them", () => (this.#notice("Starting …"), this.#open({ fresh: true }))),
      button("Try again", () => this.#begin(), "quiet"),
    );
    this.#tell("failed", { text: message, saved: name });
  }

  // ---- files ----

  #drops() {
    const over = this.#find(".over");
    this.addEventListener("dragover", (e) => {
      if (!e.dataTransfer?.types.includes("Files") || !this.session) return;
      e.preventDefault();
      e.dataTransfer.dropEffect = "copy";
      over.hidden = false;
    });
    this.addEventListener("dragleave", () => (over.hidden = true));
    this.addEventListener("drop", (e) => {
      over.hidden = true;
      if (!e.dataTransfer?.types.includes("Files") || !this.session) return;
      e.preventDefault();
      dropped(e.dataTransfer)
        .then((files) => (files.length ? this.upload(files) : ""))
        .catch((error) => this.#toast(`Upload failed: ${error.message}`));
    });
  }

  /** ESC ] 7717 ; verb ; path in hexadecimal BEL, as the commands `download` and `upload` write it. @param {string} data */
  #asked(data) {
    const [verb, hex] = data.split(";");
    const path = pathOf(hex ?? "");
    if (!path) return true;
    const name = path.slice(path.lastIndexOf("/") + 1);
    if (verb === "download") {
      // what a program prints must not fill the downloads by itself: somebody has just typed, or is asked
      const get = () => this.#download(path, name);
      if (this.getAttribute("downloads") !== "ask" && navigator.userActivation?.isActive) get();
      else this.#toast(`A program offers ${name}`, button("Save", get));
    } else if (verb === "upload") {
      const pick = () => choose().then((files) => (files.length ? this.upload(files, path) : this.#untoast()));
      this.#toast(`Files for ${path}`, button("Choose files …", () => pick().catch((error) => this.#toast(`Upload failed: ${error.message}`))));
    }
    return true;
  }

  /** @param {string} path @param {string} name */
  async #download(path, name) {
    this.#untoast();
    try {
      const data = await this.readFile(path);
      save(name, data);
      this.#toast(`${name} (${size(data.length)}) saved by the browser`);
      this.#tell("download", { name, bytes: data.length });
    } catch (error) {
      this.#toast(`Download failed: ${/** @type {any} */ (error).message}`);
    }
  }

  // ---- work ----

  async #begin() {
    this.begun = true;
    this.#notice("Starting …", { fraction: 0.05 });
    const machine = /** @type {import("./machine.js").Machine} */ (this.machine);
    try {
      await machine.start();
      if (!this.screen) await this.#screen(machine.base);
    } catch (e) {
      return this.#fail(/** @type {any} */ (e)?.message ?? String(e));
    }
    if (this.isConnected) this.#open();
  }

  /** @param {Record<string, any>} [more] */
  #open(more = {}) {
    this.session?.close();
    this.running = false;
    const size = { rows: this.screen?.rows ?? 24, columns: this.screen?.cols ?? 80 };
    const options = { tty: true, cmd: this.getAttribute("cmd") ?? "sh -l", ...size, ...commonOptions(this), ...more };
    this.session = /** @type {any} */ (this.machine).open(options, {
      progress: (/** @type {string} */ message, /** @type {number} */ fraction) => this.running || this.#notice(message, { fraction }),
      started: () => this.#started(),
      output: (/** @type {Uint8Array} */ data, /** @type {() => void} */ drawn) =>
        // written means parsed: only then may more come, so that a guest's flood waits in its own pipe
        this.screen?.write(data, () => {
          if (!this.prompted) performance.mark("tidemark-prompt"); // the first thing the program shows is on the screen
          this.prompted = true;
          drawn();
        }),
      exit: (/** @type {number} */ code) => this.#ended(code),
      failed: (/** @type {string} */ message, /** @type {string} */ saved) => {
        this.running = false;
        this.session = null;
        if (saved) this.#damaged(message, saved);
        else this.#fail(message);
      },
    });
  }

  #started() {
    this.running = true;
    performance.mark("tidemark-started");
    this.#notice("");
    this.#tell("ready", {});
    if (this.hasAttribute("autofocus")) this.focus();
  }

  /** @param {number} code */
  #ended(code) {
    this.running = false;
    this.session = null;
    this.code = code;
    this.screen?.write(`\r\n\x1b[0;2m[ended (${code}): Enter starts it again]\x1b[0m\r\n`);
    this.#tell("exit", { code });
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
      theme: themeOf(this, this.theme.dark),
      fontFamily: getComputedStyle(this).getPropertyValue("--tidemark-font") || MONO,
      fontSize: this.#fontSize(),
      lineHeight: 1.2,
      cursorBlink: !matchMedia("(prefers-reduced-motion: reduce)").matches,
      scrollback: 5000,
      screenReaderMode: this.hasAttribute("screen-reader"),
      minimumContrastRatio: 4.5,
      allowProposedApi: true,
    });
    this.fitter = new FitAddon();
    this.screen.loadAddon(this.fitter);
    this.screen.open(this.#find(".screen"));
    this.#fit();
    this.resizer.observe(this);
    this.screen.attachCustomKeyEventHandler((/** @type {KeyboardEvent} */ e) => this.#key(e));
    this.screen.parser.registerOscHandler(OSC, (/** @type {string} */ data) => this.#asked(data));
    this.screen.onData((/** @type {string} */ data) => this.#typed(data));
    this.screen.onBinary((/** @type {string} */ data) => this.write(data));
    this.screen.onResize((/** @type {{ rows: number, cols: number }} */ s) => this.session?.resize(s.rows, s.cols));
  }

  /** The focus goes behind the screen, so that the next Tab goes on in the page. */
  #leave() {
    const after = this.#find(".after");
    after.tabIndex = 0; // only now: it is no stop of its own
    after.focus();
    after.addEventListener("blur", () => after.removeAttribute("tabindex"), { once: true });
  }

  /** Keys that are the page's: false keeps them from the guest. @param {KeyboardEvent} e */
  #key(e) {
    if (e.key === "Escape" && e.shiftKey) {
      if (e.type === "keydown") this.#leave();
      return false;
    }
    const copy = (e.ctrlKey && e.shiftKey && e.code === "KeyC") || (e.ctrlKey && e.key === "Insert");
    if (!copy || !this.screen.hasSelection()) return true;
    if (e.type === "keydown") navigator.clipboard?.writeText(this.screen.getSelection());
    e.preventDefault();
    return false;
  }

  /** @param {string} data */
  #typed(data) {
    if (!this.running) {
      if (data === "\r" && this.begun && !this.session) this.restart();
      return;
    }
    if (this.control && data.length === 1) {
      const c = data.toUpperCase().charCodeAt(0);
      data = c >= 63 && c < 96 ? String.fromCharCode(c === 63 ? 127 : c - 64) : data;
      this.#setControl(false);
    }
    this.write(data);
  }
}

/** @param {string} label @param {() => void} then @param {string} [kind] */
function button(label, then, kind = "") {
  const made = document.createElement("button");
  made.textContent = label;
  made.className = kind;
  made.addEventListener("click", then);
  return made;
}
