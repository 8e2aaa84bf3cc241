"""`build.py demo`: serve the site with isolation headers, run the main job in headless Chromium, print what it printed.

Owns nothing else: the job is site/demo.py, run by the site's own Python page as a person would run it.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from .browser import Browser, Page
from .server import Server
from .toolchain import say

JOB_TIMEOUT_S = 180.0
PROMPT = "performance.getEntriesByName('tidemark-prompt')[0]?.startTime"


def demo(site: Path, once: bool = True, port: int = 0) -> int:
    """0 when the job went as it should. Without `once` goes on serving until interrupted. Raises BuildError."""
    with Server({"/": site}, port=port) as server:
        with Browser() as browser:
            say(f"{browser.version}, {server.url('/')}")
            page = browser.page()
            code = _job(page, server)
            page.close()
            if code == 0:
                _terminal(browser.page(), server)
        if once:
            return code
        print(f"\nopen {server.url('/')} in a browser; Ctrl-C ends the server", flush=True)
        try:
            while True:
                time.sleep(3600)
        except KeyboardInterrupt:
            return code


def _job(page: Page, server: Server) -> int:
    """Run site/demo.py in the Python page, print as it prints."""
    page.goto(server.url("/python.html?program=demo.py"))
    page.wait_for("document.getElementById('state').textContent !== 'Loading Python …'", 60)
    page.evaluate("document.getElementById('run').click()")
    shown = 0
    end = time.monotonic() + JOB_TIMEOUT_S
    while True:
        text, state = page.evaluate(
            "[document.getElementById('printed').innerText, document.getElementById('state').textContent]"
        )
        if len(text) > shown:
            sys.stdout.write(text[shown:])
            sys.stdout.flush()
            shown = len(text)
        if state != "Running …":
            break
        if time.monotonic() > end:
            state = f"no end after {JOB_TIMEOUT_S:.0f} s"
            break
        time.sleep(0.1)
    print(f"\n[{state}]", flush=True)
    if state.startswith("Done"):
        return 0
    for line in page.console[-10:]:
        say(f"page: {line}")
    return 1


def _terminal(page: Page, server: Server) -> None:
    """The terminal page comes to its prompt: how long that takes, twice, since the first fills the caches."""
    for what in ("first visit", "second visit"):
        page.goto(server.url("/"))
        ms = page.wait_for(PROMPT, 60)
        say(f"terminal page to prompt, {what}: {ms / 1000:.2f} s")
