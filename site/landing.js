// @ts-check
/** The landing page: buttons that type, and how long the start took in this browser. */

const terminal = /** @type {any} */ (document.getElementById("terminal"));
const timing = /** @type {HTMLElement} */ (document.getElementById("timing"));

for (const button of document.querySelectorAll(".try button"))
  button.addEventListener("click", () => {
    terminal.write(`${button.textContent}\r`);
    terminal.focus();
  });

terminal.addEventListener("failed", () => (timing.textContent = ""));
const watch = setInterval(() => {
  const mark = performance.getEntriesByName("tidemark-prompt")[0];
  if (!mark) return;
  clearInterval(watch);
  timing.textContent = `This shell was ready ${(mark.startTime / 1000).toFixed(1)} s after the page began to load, in your browser.`;
}, 100);
