"""The static site as a person meets it: the terminal page, the Python page, a server without isolation headers."""

from __future__ import annotations

import functools
import http.server
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tidemark_py.dev.browser import Browser, Page
from tidemark_py.dev.demo import PROMPT
from tidemark_py.dev.server import Server

pytestmark = pytest.mark.page
TERMINAL = "document.querySelector('tidemark-terminal')"
SCREEN = f"""(() => {{ const b = {TERMINAL}.screen.buffer.active; let text = "";
  for (let i = 0; i < b.length; i++) text += b.getLine(i).translateToString(true) + "\\n";
  return text.trimEnd(); }})()"""


@pytest.fixture(scope="module")
def terminal(browser: Browser, server: Server) -> Iterator[Page]:
    """The terminal page at its prompt, for somebody in Berlin."""
    page = browser.page()
    page.viewport(1200, 800)
    page.call("Emulation.setTimezoneOverride", timezoneId="Europe/Berlin")
    page.goto(server.url("/"))
    page.wait_for(PROMPT, 90)
    yield page
    page.close()


def enter(page: Page, line: str, expect: str, seconds: float = 20) -> str:
    """Type a line; the screen once it shows `expect`."""
    page.evaluate(f"{TERMINAL}.focus()")
    page.type(line + "\n")
    end = time.monotonic() + seconds
    while True:
        screen: str = page.evaluate(SCREEN)
        if expect in screen:
            return screen
        assert time.monotonic() < end, screen
        time.sleep(0.05)


def test_a_shell_runs_in_the_page(terminal: Page) -> None:
    enter(terminal, "uname -sm; echo $((6*7))", "Linux riscv64\n42")
    enter(terminal, "printf 'b\\na\\n' | sort | tr '\\n' +", "a+b+")


def test_the_guest_knows_the_browser(terminal: Page) -> None:
    enter(terminal, 'echo "<$TZ $TERM $HOME $LANG>"', "<Europe/Berlin xterm-256color /root C.UTF-8>")
    enter(terminal, "date -d @1720000000 +%H:%M", "11:46")  # summer time, without tzdata in the layer
    enter(terminal, "date -d @1736000000 +%H:%M", "15:13")


def test_the_window_size_follows(terminal: Page) -> None:
    rows, columns = terminal.evaluate(f"[{TERMINAL}.screen.rows, {TERMINAL}.screen.cols]")
    enter(terminal, "stty size", f"{rows} {columns}")
    terminal.viewport(800, 700)
    terminal.wait_for(f"{TERMINAL}.screen.cols !== {columns}")
    rows, columns = terminal.evaluate(f"[{TERMINAL}.screen.rows, {TERMINAL}.screen.cols]")
    enter(terminal, "clear; stty size", f"{rows} {columns}")


def test_control_c_and_job_control(terminal: Page) -> None:
    terminal.type("sleep 100\n")
    time.sleep(0.5)
    terminal.evaluate(f"{TERMINAL}.write('\\x03')")
    enter(terminal, "echo status $?", "status 130")
    # an interactive shell ignores SIGTERM, and so does its child until it has come to exec
    enter(terminal, "sleep 100 & sleep 0.5; jobs; kill %1; wait; echo go''ne", "gone")


def test_a_flood_does_not_drown_the_page(terminal: Page) -> None:
    terminal.type("yes tidemark\n")
    time.sleep(1.5)
    terminal.evaluate(f"{TERMINAL}.write('\\x03')")
    enter(terminal, "clear; echo calm $((1+1))", "calm 2")


def test_exit_and_start_again(terminal: Page) -> None:
    enter(terminal, "exit 3", "[ended (3): Enter starts it again]")
    enter(terminal, "", "#")
    enter(terminal, "sleep 100 & echo again", "again")
    enter(terminal, "exit", "[ended (0): Enter starts it again]")


def test_a_missing_layer_is_said_in_the_page(browser: Browser, server: Server) -> None:
    page = browser.page()
    page.goto(server.url("/"))
    page.evaluate(f"{TERMINAL}.setAttribute('layer', 'layers/nothing')")
    text = page.wait_for(f"{TERMINAL}.shadowRoot.querySelector('.notice.bad p')?.textContent", 60)
    assert "layers/nothing.tdl.gz" in text and "404" in text
    page.close()


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("name", ["", "python.html"])
def test_a_phone_needs_no_sideways_scrolling(browser: Browser, server: Server, name: str, dark: bool) -> None:
    page = browser.page()
    page.viewport(360, 740, 2, mobile=True, dark=dark)
    page.goto(server.url(f"/{name}"))
    assert page.evaluate("document.documentElement.scrollWidth") == 360
    background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (background == "rgb(10, 16, 18)") == dark
    if not name:
        assert page.evaluate(f"getComputedStyle({TERMINAL}.shadowRoot.querySelector('.keys')).display") == "flex"
    page.close()


def test_the_python_page_runs_its_program(browser: Browser, server: Server) -> None:
    page = browser.page()
    page.goto(server.url("/python.html"))
    page.wait_for("document.getElementById('state').textContent === 'Ready'", 60)
    page.evaluate("document.getElementById('run').click()")
    state = page.wait_for("/^(Done|Failed)/.exec(document.getElementById('state').textContent)?.[0]", 90)
    printed = page.evaluate("document.getElementById('printed').innerText")
    assert state == "Done", printed
    assert "riscv64\nhi\n exit code 3" in printed and "and by sh" in printed
    page.close()


class Plain(http.server.SimpleHTTPRequestHandler):
    """A server that knows nothing of isolation."""

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""


def test_a_server_without_headers_is_made_up_for(browser: Browser, built: Path) -> None:
    """The service worker adds the headers, after one reload."""
    handler = functools.partial(Plain, directory=str(built))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as plain:
        threading.Thread(target=plain.serve_forever, daemon=True).start()
        page = browser.page()
        page.goto(f"http://127.0.0.1:{plain.server_address[1]}/")
        assert page.wait_for(PROMPT, 90)
        assert page.evaluate("crossOriginIsolated") is True
        page.close()
        plain.shutdown()


def test_without_any_isolation_one_sentence_says_the_remedy(browser: Browser, built: Path, tmp_path: Path) -> None:
    """As on a server without headers and without the service worker's file."""
    for path in built.iterdir():
        if path.name != "isolation-worker.js":
            (tmp_path / path.name).symlink_to(path)
    handler = functools.partial(Plain, directory=str(tmp_path))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as plain:
        threading.Thread(target=plain.serve_forever, daemon=True).start()
        page = browser.page()
        page.goto(f"http://127.0.0.1:{plain.server_address[1]}/")
        text = page.wait_for(f"{TERMINAL}.shadowRoot.querySelector('.notice.bad p')?.textContent", 30)
        assert "not cross-origin isolated" in text and "Cross-Origin-Opener-Policy: same-origin" in text
        page.close()
        plain.shutdown()
