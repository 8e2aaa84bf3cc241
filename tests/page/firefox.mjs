// @ts-check
/**
 * Firefox on the built site, driven over WebDriver BiDi by puppeteer-core: again and again the terminal comes to its prompt and runs a
 * pipeline and the tab's Python has subprocess (its runtime lives in a worker); then the same for a Pyodide on the page's main
 * thread, where also a process's worker is lost. Arguments: the folder of npm's packages, Firefox's path, the site's URL, how
 * often. Prints JSON.
 */
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const LIMIT_MS = 240_000;
const [modules, firefox, site, starts] = process.argv.slice(2);
const puppeteer = (await import(pathToFileURL(createRequire(`${modules}/`).resolve("puppeteer-core")).href)).default;
const browser = await puppeteer.launch({
  browser: "firefox",
  executablePath: firefox,
  headless: true,
  protocolTimeout: LIMIT_MS * 2,
  args: ["--width=1280", "--height=800"],
  extraPrefsFirefox: { "datareporting.policy.dataSubmissionEnabled": false, "app.update.disabledForTesting": true },
});
/** @type {Record<string, any>} */
const found = { version: await browser.version(), console: [], elements: [] };

/** @param {string} url @param {(page: any) => Promise<void>} use */
async function visit(url, use) {
  const page = await browser.newPage();
  page.on("console", (/** @type {any} */ m) => found.console.push(m.text()));
  page.on("pageerror", (/** @type {any} */ e) => found.console.push(String(e)));
  await page.goto(url, { waitUntil: "load", timeout: LIMIT_MS });
  await use(page);
  await page.close();
}

/** The landing page: a terminal and a block of Python. @param {any} page */
async function elements(page) {
  const settled = (/** @type {string} */ condition) => page.waitForFunction(condition, { timeout: LIMIT_MS, polling: 200 });
  const text = "document.querySelector('tidemark-terminal').text()";
  const bad = "document.querySelector('tidemark-terminal').shadowRoot.querySelector('.notice.bad p')?.textContent";
  await settled(`${text}.includes("#") || ${bad}`);
  await page.evaluate("document.querySelector('tidemark-terminal').write(\"printf 'b\\\\na\\\\n' | sort | tr '\\\\n' +; echo; echo ca''lm\\r\")");
  await settled(`${text}.includes("calm") || ${bad}`);
  await page.evaluate("document.getElementById('block').scrollIntoView()");
  const block = "document.getElementById('block')";
  await settled(`/^(Done|Exit)/.test(${block}.shadowRoot.querySelector('.state').textContent)`);
  found.elements.push({
    isolated: await page.evaluate("crossOriginIsolated"),
    notice: await page.evaluate(`${bad} ?? ""`),
    terminal: await page.evaluate(text),
    python: await page.evaluate(`${block}.output`),
  });
}

const PYTHON = `
import asyncio, subprocess
import tidemark_py
from tidemark_py.abi.gen.messages import PoolCrash
rt = await tidemark_py.install(layers=["/layers/busybox"])
said = [subprocess.run(["sh", "-c", "printf hi | cat; exit 3"], capture_output=True)]
said = [said[0].stdout.decode(), said[0].returncode]
said += [len({subprocess.run(["sh", "-c", "echo $$"], capture_output=True).stdout for _ in range(50)})]
with subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as p:
    said += [p.communicate(bytes(1 << 20))[0] == bytes(1 << 20)]
p = await asyncio.create_subprocess_exec("sh", "-c", "sleep 0.01 & sleep 0.01 & wait; echo done", stdout=subprocess.PIPE)
said += [(await p.communicate())[0].decode()]
victim = await rt.spawn(["sleep", "1000"])
await rt._ports["process_owner"].request(PoolCrash(victim.pid, False))
said += [await victim.wait(), subprocess.getoutput("echo on")]
rt.close()
said
`;

/** Pyodide on the page's main thread. @param {any} page */
async function mainThread(page) {
  found.main = await page.evaluate(
    async (/** @type {string} */ code) => {
      const base = `${location.origin}/tidemark/`;
      const names = await (await fetch(`${base}files.json`)).json();
      const { loadPyodide } = await import(`${base}pyodide/pyodide.mjs`);
      const pyodide = await loadPyodide({ indexURL: `${base}pyodide/` });
      const packages = pyodide.runPython("import site; site.getsitepackages()[0]");
      pyodide.unpackArchive(await (await fetch(base + names.wheel)).arrayBuffer(), "zip", { extractDir: packages });
      return (await pyodide.runPythonAsync(code)).toJs();
    },
    PYTHON,
  );
}

try {
  for (let n = 0; n < Number(starts); n++) await visit(site, elements);
  await visit(`${site}tidemark/files.json`, mainThread);
} catch (e) {
  found.error = String(/** @type {any} */ (e)?.stack ?? e);
} finally {
  await browser.close();
}
console.log(JSON.stringify(found));
