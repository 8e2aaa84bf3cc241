// @ts-check
/**
 * Owns: the elements' colours and the styles they share. A page overrides any of it by CSS variables on the element:
 * --tidemark-background, -foreground, -cursor, -accent, -soft, -line, -selectionBackground, -font, -font-size and the 16 terminal
 * colours by their names below (--tidemark-red, --tidemark-brightRed, …).
 */

export const THEMES = {
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

export const MONO = 'ui-monospace, "SF Mono", "Cascadia Mono", "JetBrains Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace';

/** The colours of one element, with what its page overrides. @param {Element} element @param {boolean} dark */
export function themeOf(element, dark) {
  const style = getComputedStyle(element);
  const entries = Object.entries(THEMES[dark ? "dark" : "light"]).map(([name, value]) => [name, style.getPropertyValue(`--tidemark-${name}`).trim() || value]);
  return Object.fromEntries(entries);
}

/** Keeps `data-dark` of one element as its attribute `theme` says, or else the system while the element is in a page. */
export class Theme {
  /** @param {Element} element @param {() => void} [changed] what else follows the colours */
  constructor(element, changed = () => {}) {
    this.element = element;
    this.scheme = matchMedia("(prefers-color-scheme: dark)");
    this.paint = () => {
      if (element.hasAttribute("data-dark") !== this.dark) element.toggleAttribute("data-dark", this.dark);
      changed();
    };
  }

  get dark() {
    const theme = this.element.getAttribute("theme");
    return theme === "dark" || (theme !== "light" && this.scheme.matches);
  }

  /** From connectedCallback. */
  follow() {
    this.paint();
    this.scheme.addEventListener("change", this.paint);
  }

  /** From disconnectedCallback. */
  leave() {
    this.scheme.removeEventListener("change", this.paint);
  }
}

export const SHARED = `
  :host { --back: var(--tidemark-background, #fbfcfb); --ink: var(--tidemark-foreground, #22343a); --soft: var(--tidemark-soft, #5a6c72);
          --line: var(--tidemark-line, #d7e0e0); --accent: var(--tidemark-accent, #0f7f74); --mono: var(--tidemark-font, ${MONO});
          background: var(--back); color: var(--ink); }
  :host([data-dark]) { --back: var(--tidemark-background, #0e1518); --ink: var(--tidemark-foreground, #d8e3e4); --soft: var(--tidemark-soft, #93a4a9);
          --line: var(--tidemark-line, #26343a); --accent: var(--tidemark-accent, #5ec4b6); }
  :host([hidden]) { display: none; }
  button { font: 600 14px system-ui, sans-serif; color: var(--back); background: var(--accent); border: 0; border-radius: .55em; padding: .5em 1.1em; cursor: pointer; }
  button.quiet { color: var(--ink); background: color-mix(in srgb, var(--ink) 9%, transparent); }
  button:disabled { opacity: .55; cursor: default; }
  :focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
  .bar { width: min(15em, 60vw); height: 3px; border-radius: 2px; background: var(--line); overflow: hidden; }
  .bar i { display: block; height: 100%; width: 0; border-radius: 2px; background: var(--accent); transition: width .3s; }
  .unseen:not(:focus) { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
  @media (prefers-reduced-motion: reduce) { * { transition: none !important; } }
`;
