// @ts-check
/**
 * <tidemark-canvas layer="layers/frames" cmd="triangle">: what a guest draws, from its frame device or its framebuffer.
 *
 * Owns: the canvas, its size and pixel ratio, focus, keys and pointer for the guest. A worker draws (frame_renderer.js): the page's
 * own thread only passes input on. With prefers-reduced-motion the program starts when a person asks for it.
 *
 * Attributes: layer, cmd, env, cwd, machine (as <tidemark-terminal>), device (frame0 … frame7, or fb0: the default), width and
 * height (the framebuffer's pixels, default 640 and 480; also the canvas' shape), pixelated (no smoothing), start (auto | click),
 * theme, label (for screen readers), base, isolation.
 * Events: "ready", "shown" (detail.kind, width, height), "exit" (detail.code), "failed" (detail.text). Methods: stats(), read(), restart().
 * Parts: canvas, notice. Keys: everything goes to the guest while the canvas has the focus; Escape twice leaves it.
 */

import { ABS_X, ABS_Y, BTN_LEFT, BTN_MIDDLE, BTN_RIGHT, EV_ABS, EV_KEY, EV_REL, REL_WHEEL } from "../gen/input.js";
import { commonOptions } from "./browser.js";
import { SHARED, Theme } from "./looks.js";
import { KEY_CODES } from "./keys.js";
import { machineOf, whenSeen } from "./machine.js";

const BUTTONS = [BTN_LEFT, BTN_MIDDLE, BTN_RIGHT];
const [KEYBOARD, POINTER] = [0, 1];
const LEAVE_MS = 500;
const MOST_RATIO = 2;

const STYLE = `${SHARED}
  :host { display: block; position: relative; overflow: hidden; border: 1px solid var(--line); border-radius: .8rem; aspect-ratio: 4 / 3; }
  .place { height: 100%; }
  canvas { display: block; width: 100%; height: 100%; touch-action: none; outline-offset: -3px; }
  .notice { position: absolute; inset: 0; display: grid; place-content: center; justify-items: center; gap: .9em; padding: 1.5em; text-align: center;
            font: 15px/1.5 system-ui, sans-serif; color: var(--soft); background: var(--back); }
  .notice[hidden] { display: none; }
  .notice p { margin: 0; max-width: 34em; overflow-wrap: anywhere; }
`;

export class TidemarkCanvas extends HTMLElement {
  static observedAttributes = ["theme"];

  constructor() {
    super();
    this.attachShadow({ mode: "open" });
    /** @type {import("./machine.js").Machine | null} */
    this.machine = null;
    /** @type {import("./machine.js").Session | null} */
    this.session = null;
    this.view = 0;
    this.escaped = 0;
    this.forgetSeen = () => {};
    this.stopSizing = () => {};
    this.theme = new Theme(this);
    this.heard = (/** @type {any} */ e) => this.#heard(e.detail);
  }

  connectedCallback() {
    const root = /** @type {ShadowRoot} */ (this.shadowRoot);
    if (!root.firstChild) root.innerHTML = `<style>${STYLE}</style><div class="place"></div><div class="notice" part="notice" role="status"></div>`;
    this.style.aspectRatio = `${this.#number("width", 640)} / ${this.#number("height", 480)}`;
    this.theme.follow();
    this.machine = machineOf(this);
    this.machine.addEventListener("frame", this.heard);
    const asked = this.getAttribute("start") === "click" || matchMedia("(prefers-reduced-motion: reduce)").matches;
    if (asked) this.#offer("Run", this.getAttribute("label") ?? this.getAttribute("cmd") ?? "");
    else this.forgetSeen = whenSeen(this, () => this.restart());
  }

  disconnectedCallback() {
    this.forgetSeen();
    this.theme.leave();
    this.machine?.removeEventListener("frame", this.heard);
    this.#end();
  }

  attributeChangedCallback() {
    this.theme.paint();
  }

  // ---- for pages ----

  /** Frames drawn, microseconds from a guest's publishing to the renderer, and what draws. */
  stats() {
    return this.#view("canvas_stats");
  }

  /** RGBA of what is shown, rows from the top. @returns {Promise<Uint8Array>} */
  read() {
    return this.#view("canvas_read");
  }

  /** Ends the program, if any, and starts it on a new canvas. */
  async restart() {
    this.#end();
    const machine = /** @type {import("./machine.js").Machine} */ (this.machine);
    const canvas = this.#canvas();
    this.#say("Starting …");
    try {
      await machine.start();
    } catch (e) {
      return this.#failed(/** @type {any} */ (e)?.message ?? String(e));
    }
    const offscreen = canvas.transferControlToOffscreen();
    const screen = [this.#number("width", 640), this.#number("height", 480)];
    const options = { ...commonOptions(this), cmd: this.getAttribute("cmd") ?? "", canvas: { device: this.#device, screen, pixelated: this.hasAttribute("pixelated") } };
    this.session = machine.open({ ...options, offscreen }, {
      progress: (text) => this.#say(text),
      started: () => (this.#say(""), this.dispatchEvent(new CustomEvent("ready"))),
      exit: (code) => {
        this.session = null;
        this.dispatchEvent(new CustomEvent("exit", { detail: { code } }));
        if (code !== 0 && !this.shown) this.#offer("Run again", `The program ended with ${code < 0 ? `signal ${-code}` : `exit code ${code}`}.`);
      },
      failed: (text) => this.#failed(text),
    }, [offscreen]);
    this.view = this.session.number;
    this.shown = false;
    const size = new ResizeObserver(() => this.#sized());
    size.observe(canvas);
    this.stopSizing = () => size.disconnect();
  }

  // ---- the element's own ----

  get #device() {
    return this.getAttribute("device") ?? "fb0";
  }

  /** @param {string} name @param {number} otherwise */
  #number(name, otherwise) {
    const n = Number(this.getAttribute(name));
    return Number.isInteger(n) && n > 0 ? n : otherwise;
  }

  /** A canvas can be given away once: each start has its own. */
  #canvas() {
    const place = /** @type {HTMLElement} */ (this.#find(".place"));
    const canvas = document.createElement("canvas");
    canvas.setAttribute("part", "canvas");
    canvas.tabIndex = 0;
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", this.getAttribute("label") ?? `What ${this.getAttribute("cmd")} draws. Press Escape twice to leave.`);
    [canvas.width, canvas.height] = this.#pixels();
    place.replaceChildren(canvas);
    canvas.addEventListener("keydown", (e) => this.#key(e, true));
    canvas.addEventListener("keyup", (e) => this.#key(e, false));
    for (const kind of ["pointerdown", "pointerup", "pointermove"]) canvas.addEventListener(kind, (e) => this.#pointer(/** @type {PointerEvent} */ (e)));
    canvas.addEventListener("contextmenu", (e) => e.preventDefault());
    canvas.addEventListener("wheel", (e) => (e.preventDefault(), this.#send(POINTER, [EV_REL, REL_WHEEL, e.deltaY < 0 ? 1 : -1])), { passive: false });
    return canvas;
  }

  #pixels() {
    const box = this.#find(".place").getBoundingClientRect();
    const ratio = Math.min(devicePixelRatio || 1, MOST_RATIO);
    return [Math.max(1, Math.round(box.width * ratio)), Math.max(1, Math.round(box.height * ratio))];
  }

  #sized() {
    if (this.view) this.machine?.call("canvas_size", this.view, ...this.#pixels()).catch(() => {});
  }

  /** @param {KeyboardEvent} e @param {boolean} down */
  #key(e, down) {
    const code = KEY_CODES.get(e.code);
    if (e.code === "Escape" && down) {
      if (performance.now() - this.escaped < LEAVE_MS) return /** @type {HTMLElement} */ (e.target).blur();
      this.escaped = performance.now();
    }
    if (code === undefined) return;
    e.preventDefault();
    this.#send(KEYBOARD, [EV_KEY, code, down ? (e.repeat ? 2 : 1) : 0]);
  }

  /** @param {PointerEvent} e */
  #pointer(e) {
    const canvas = /** @type {HTMLCanvasElement} */ (e.target);
    if (e.type === "pointerdown") canvas.focus(), canvas.setPointerCapture(e.pointerId);
    const box = canvas.getBoundingClientRect();
    const place = (/** @type {number} */ at, /** @type {number} */ size, /** @type {number} */ most) => Math.min(most - 1, Math.max(0, Math.floor((at / size) * most)));
    const events = [
      EV_ABS, ABS_X, place(e.clientX - box.left, box.width, this.#number("width", 640)),
      EV_ABS, ABS_Y, place(e.clientY - box.top, box.height, this.#number("height", 480)),
    ];
    if (e.type !== "pointermove") events.push(EV_KEY, BUTTONS[e.button] ?? BTN_LEFT, e.type === "pointerdown" ? 1 : 0);
    this.#send(POINTER, events);
  }

  /** @param {number} device @param {number[]} events */
  #send(device, events) {
    if (this.view) this.machine?.call("canvas_input", this.view, device, events).catch(() => {});
  }

  /** @param {string} name @returns {Promise<any>} */
  #view(name) {
    if (!this.machine || !this.view) return Promise.reject(new Error("nothing is shown yet"));
    return this.machine.call(name, this.view);
  }

  #end() {
    this.stopSizing();
    if (this.view) this.machine?.call("canvas_close", this.view).catch(() => {});
    this.session?.close();
    this.session = null;
    this.view = 0;
  }

  /** @param {any} m */
  #heard(m) {
    if (m.s !== this.view) return;
    if (m.what === "failed") return this.#failed(m.text);
    if (m.what !== "shown") return;
    this.shown = true;
    this.#say("");
    this.dispatchEvent(new CustomEvent("shown", { detail: { kind: m.kind, width: m.width, height: m.height } }));
  }

  /** @param {string} text */
  #say(text) {
    const notice = this.#find(".notice");
    notice.hidden = !text;
    notice.replaceChildren(Object.assign(document.createElement("p"), { textContent: text }));
  }

  /** @param {string} label @param {string} text */
  #offer(label, text) {
    this.#say(text || " ");
    const button = Object.assign(document.createElement("button"), { textContent: label });
    button.addEventListener("click", () => this.restart());
    this.#find(".notice").append(button);
  }

  /** @param {string} text */
  #failed(text) {
    this.session = null;
    this.#offer("Try again", text);
    this.dispatchEvent(new CustomEvent("failed", { detail: { text } }));
  }

  /** @param {string} selector @returns {HTMLElement} */
  #find(selector) {
    return /** @type {HTMLElement} */ (/** @type {ShadowRoot} */ (this.shadowRoot).querySelector(selector));
  }
}
