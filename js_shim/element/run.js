// @ts-check
/**
 * <tidemark-run layer="layers/busybox" language="sh">printf hi | cat</tidemark-run>: a block of code with a Run button and what
 * it prints.
 *
 * Owns: the code (a person may change it), its run, its output. Languages: sh and others run as a script of the guest (LANGUAGES,
 * or any `cmd` with `file`); python runs in the tab's own Python with subprocess (`python3` is the guest's, of its layer).
 *
 * Attributes: language, layer, cmd and file (the code is written to `file`, then `cmd` is run), env, cwd, machine, persist (as
 * <tidemark-terminal>), stdin (text), theme, readonly, autorun (when it is seen), label (a heading), base, isolation.
 * Events: "ready" (it runs), "exit" (detail.code, ms, output), "failed" (detail.text). Properties: code, output. Methods: run(), stop().
 * Keys: Ctrl or Cmd and Enter runs; Tab moves on, as everywhere. Parts: code, controls, output.
 */

import { commonOptions } from "./browser.js";
import { SHARED, Theme } from "./looks.js";
import { machineOf, whenSeen } from "./machine.js";

const SIGINT = 2;
const SIGKILL = 9;
const MOST_CHARACTERS = 100_000; // of output that is shown
const PIECE_CHARACTERS = 16_384;
const HIDDEN_MS = 100;
const MOST_MS_TO_STOP = 3000;

/** language -> file the code is written to, command that runs it; @ is the block's own name. @type {Record<string, [string, string]>} */
const LANGUAGES = {
  sh: ["@.sh", "sh @.sh"],
  bash: ["@.bash", "bash @.bash"],
  python3: ["@.py", "python3 @.py"],
  perl: ["@.pl", "perl @.pl"],
  lua: ["@.lua", "lua @.lua"],
  awk: ["@.awk", "awk -f @.awk"],
  c: ["@.c", "sh -c 'cc -O1 -o @ @.c && @'"],
  sql: ["@.sql", "sh -c 'sqlite3 -box < @.sql'"],
};
let blocks = 0;

const STYLE = `${SHARED}
  :host { display: block; position: relative; overflow: hidden; border: 1px solid var(--line); border-radius: .8rem; }
  textarea, pre { display: block; box-sizing: border-box; width: 100%; margin: 0; padding: .9rem 1.1rem; border: 0; background: none; color: inherit;
                  font: var(--tidemark-font-size, 13.5px)/1.55 var(--mono); tab-size: 4; white-space: pre; overflow: auto; }
  textarea { resize: none; outline-offset: -3px; border-radius: .8rem; overflow-y: hidden; }
  .controls { display: flex; align-items: center; gap: .7rem; padding: 0 1.1rem .8rem; font: 14px/1.4 system-ui, sans-serif; color: var(--soft); }
  .controls .state { flex: 1; min-width: 0; overflow-wrap: anywhere; }
  .controls .bad { color: var(--ink); }
  .output { max-height: 24em; border-top: 1px solid var(--line); background: color-mix(in srgb, var(--ink) 3.5%, transparent); white-space: pre-wrap; overflow-wrap: anywhere; }
  .output:empty { display: none; }
  .output i { font-style: normal; color: var(--soft); }
  @media (pointer: coarse) { textarea { font-size: 16px; } }
`;

export class TidemarkRun extends HTMLElement {
  static observedAttributes = ["theme"];

  constructor() {
    super();
    this.attachShadow({ mode: "open" });
    /** @type {import("./machine.js").Session | null} */
    this.session = null;
    /** @type {import("./machine.js").Machine | null} */
    this.machine = null;
    this.shown = 0;
    this.name = `/tmp/run${++blocks}`; // blocks may run at the same time in one file tree
    /** @type {[string, () => void][]} output of this frame, and what tells that it is drawn */
    this.waiting = [];
    this.killTimer = 0;
    this.forgetSeen = () => {};
    this.theme = new Theme(this);
  }

  connectedCallback() {
    const root = /** @type {ShadowRoot} */ (this.shadowRoot);
    if (!root.firstChild) {
      root.innerHTML = `<style>${STYLE}</style><textarea part="code" spellcheck="false" autocapitalize="off" autocomplete="off" wrap="off"></textarea>
        <div class="controls" part="controls"><button class="run">Run</button><button class="quiet copy">Copy</button><span class="state" role="status"></span></div>
        <pre class="output" part="output" role="log" aria-label="Output" aria-live="polite" tabindex="0"></pre>`;
      const area = this.#area;
      area.value = unindent(this.textContent ?? "");
      area.readOnly = this.hasAttribute("readonly");
      area.setAttribute("aria-label", `${this.getAttribute("label") ?? "Program"}, ${this.language}; Control and Enter run it`);
      area.addEventListener("input", () => this.#grow());
      area.addEventListener("keydown", (e) => {
        if (e.key !== "Enter" || !(e.ctrlKey || e.metaKey)) return;
        e.preventDefault();
        this.run();
      });
      this.#find(".run").addEventListener("click", () => (this.session ? this.stop() : this.run()));
      this.#find(".copy").addEventListener("click", () =>
        navigator.clipboard?.writeText(this.code).then(
          () => this.#state("Copied"),
          () => this.#state("The browser does not allow copying here"),
        ),
      );
    }
    this.#grow();
    this.theme.follow();
    this.machine = machineOf(this);
    if (this.hasAttribute("autorun")) this.forgetSeen = whenSeen(this, () => this.run());
  }

  disconnectedCallback() {
    this.forgetSeen();
    this.theme.leave();
    clearTimeout(this.killTimer);
    this.session?.close();
    this.session = null;
  }

  attributeChangedCallback() {
    this.theme.paint();
  }

  // ---- for pages ----

  get language() {
    return this.getAttribute("language") ?? "sh";
  }

  get code() {
    return this.#area.value;
  }

  set code(text) {
    this.#area.value = text;
    this.#grow();
  }

  /** What the last run printed. */
  get output() {
    return [...this.#find(".output").childNodes].filter((n) => n.nodeType === Node.TEXT_NODE).map((n) => n.textContent).join("");
  }

  /** Runs the code; the exit code, or null when it did not start. @returns {Promise<number | null>} */
  async run() {
    if (this.session) return null;
    const options = this.#options();
    if (!options) return null;
    this.#find(".output").textContent = "";
    this.shown = 0;
    this.#busy(true);
    this.#state("Starting …");
    try {
      await /** @type {any} */ (this.machine).start();
    } catch (e) {
      this.#failed(/** @type {any} */ (e)?.message ?? String(e));
      return null;
    }
    return new Promise((resolve) => {
      const decoder = new TextDecoder();
      this.session = /** @type {any} */ (this.machine).open(options, {
        progress: (/** @type {string} */ text) => this.#state(text),
        started: () => (this.#state("Running …"), this.dispatchEvent(new CustomEvent("ready"))),
        output: (/** @type {Uint8Array} */ data, /** @type {() => void} */ drawn) => {
          this.#print(decoder.decode(data, { stream: true }), drawn);
        },
        exit: (/** @type {number} */ code, /** @type {number} */ ms) => {
          this.#draw();
          this.#over();
          this.#state(`${code === 0 ? "Done" : code < 0 ? `Ended by signal ${-code}` : `Exit code ${code}`} in ${ms < 995 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(2)} s`}`, code !== 0);
          this.dispatchEvent(new CustomEvent("exit", { detail: { code, ms, output: this.output } }));
          resolve(code);
        },
        failed: (/** @type {string} */ text) => {
          this.#over();
          this.#failed(text);
          resolve(null);
        },
      });
      const stdin = this.getAttribute("stdin");
      if (stdin) this.session?.input(stdin);
      this.session?.eof();
    });
  }

  /** Interrupts it; what does not end then is killed. */
  stop() {
    const session = this.session;
    if (!session) return;
    this.#state("Stopping …");
    session.signal(SIGINT);
    this.killTimer = setTimeout(() => {
      if (this.session !== session) return;
      if (this.language !== "python") return session.signal(SIGKILL);
      // it computes in the worker that serves all elements: only a new machine helps
      this.#state("Python does not answer.", true);
      const button = document.createElement("button");
      button.textContent = "Start everything anew";
      button.addEventListener("click", () => this.machine?.reset());
      this.#find(".state").append(" ", button);
    }, MOST_MS_TO_STOP);
  }

  // ---- inside ----

  get #area() {
    return /** @type {HTMLTextAreaElement} */ (this.#find("textarea"));
  }

  /** @param {string} selector @returns {HTMLElement} */
  #find(selector) {
    return /** @type {HTMLElement} */ (/** @type {ShadowRoot} */ (this.shadowRoot).querySelector(selector));
  }

  /** What the machine is asked to run; null, and said, when nobody knows how. */
  #options() {
    const common = commonOptions(this);
    if (this.language === "python" && !this.hasAttribute("cmd")) return { ...common, python: this.code };
    const [file, cmd] = (LANGUAGES[this.language] ?? ["@.txt", null]).map((text) => text?.replaceAll("@", this.name));
    const command = this.getAttribute("cmd") ?? cmd;
    const path = this.getAttribute("file") ?? file ?? "";
    if (command) return { ...common, cmd: command, files: { [path]: this.code.endsWith("\n") ? this.code : `${this.code}\n` } };
    this.#failed(`Nobody knows how to run ${JSON.stringify(this.language)}: give the element a cmd and a file, or a language of ${Object.keys(LANGUAGES).join(", ")}, python.`);
    return null;
  }

  /** Shown with all that comes until the next frame: laying out is what costs. @param {string} text @param {() => void} drawn */
  #print(text, drawn) {
    this.waiting.push([text, drawn]);
    if (this.waiting.length > 1) return;
    if (document.visibilityState === "visible") requestAnimationFrame(() => this.#draw());
    else setTimeout(() => this.#draw(), HIDDEN_MS); // no frames then
  }

  #draw() {
    const waiting = this.waiting.splice(0);
    if (!waiting.length) return;
    // a pipe's output is plain text: colours, when a program insists on them, are left out
    const plain = waiting.map(([text]) => text).join("").replace(/\x1b\[[0-9;?]*[ -/]*[@-~]/g, "").replace(/\r\n?/g, "\n");
    const box = this.#find(".output");
    const follow = box.scrollHeight - box.scrollTop - box.clientHeight < 30;
    this.shown += plain.length;
    const last = box.lastChild;
    if (last instanceof Text && last.length < PIECE_CHARACTERS) last.appendData(plain);
    else box.append(plain);
    while (this.shown > MOST_CHARACTERS && box.childNodes.length > 2) {
      if (!box.querySelector("i")) box.prepend(Object.assign(document.createElement("i"), { textContent: "… the beginning is left out\n" }));
      const first = /** @type {Text} */ (box.childNodes[1]);
      this.shown -= first.length;
      first.remove();
    }
    for (const [, drawn] of waiting) drawn();
    if (follow) box.scrollTop = box.scrollHeight;
  }

  /** @param {boolean} on */
  #busy(on) {
    this.#find(".run").textContent = on ? "Stop" : "Run";
    this.#find(".output").setAttribute("aria-busy", String(on));
  }

  #over() {
    clearTimeout(this.killTimer);
    this.session = null;
    this.#busy(false);
  }

  /** @param {string} text @param {boolean} [bad] */
  #state(text, bad = false) {
    const line = this.#find(".state");
    line.textContent = text;
    line.classList.toggle("bad", bad);
  }

  /** @param {string} text */
  #failed(text) {
    this.#busy(false);
    this.#state(text, true);
    this.dispatchEvent(new CustomEvent("failed", { detail: { text } }));
  }

  #grow() {
    const area = this.#area;
    area.rows = Math.min(Math.max(area.value.split("\n").length, 1), 40);
  }
}

/** The element's text without the indentation and the empty lines around it that HTML has. @param {string} text */
function unindent(text) {
  const lines = text.replace(/^\s*\n|\n\s*$/g, "").split("\n");
  const least = Math.min(...lines.filter((l) => l.trim()).map((l) => /** @type {any} */ (/^\s*/.exec(l))[0].length));
  return lines.map((l) => l.slice(Number.isFinite(least) ? least : 0)).join("\n");
}
