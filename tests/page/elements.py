"""Pages of their own for the element tests: HTML on the built site's origin, with its elements."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from tidemark_py.dev.browser import Page
from tidemark_py.dev.server import Server

HEAD = (
    '<!doctype html><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
    '<link rel="icon" href="data:,">'
    '<script type="module" src="/tidemark/element.js"></script><style>tidemark-terminal{height:20em}</style>'
)


class Pages:
    """Writes pages into a folder that `server` serves as /t."""

    def __init__(self, server: Server, folder: Path) -> None:
        self.server = server
        self.folder = folder
        self.made = 0

    def url(self, body: str, head: str = HEAD) -> str:
        """Address of a page with this body."""
        self.made += 1
        (self.folder / f"{self.made}.html").write_text(head + body, "utf-8")
        return self.server.url(f"/t/{self.made}.html")


def text_of(page: Page, selector: str = "tidemark-terminal") -> str:
    """What a terminal shows."""
    return str(page.evaluate(f"document.querySelector({selector!r}).text()"))


def shows(page: Page, expect: str, selector: str = "tidemark-terminal", seconds: float = 30) -> str:
    """The terminal's text once it has `expect`."""
    end = time.monotonic() + seconds
    while expect not in (text := text_of(page, selector)):
        assert time.monotonic() < end, f"{text!r}; {notice(page, selector)}"
        time.sleep(0.05)
    return text


def enter(page: Page, line: str, selector: str = "tidemark-terminal") -> None:
    """Type a line."""
    page.evaluate(f"document.querySelector({selector!r}).write({json.dumps(line)} + '\\r')")


def notice(page: Page, selector: str = "tidemark-terminal") -> str:
    """What stands over a terminal, or "" when nothing does."""
    code = f"(() => {{ const n = document.querySelector({selector!r}).shadowRoot.querySelector('.notice');"
    return str(page.evaluate(f"{code} return n.hidden ? '' : n.innerText; }})()"))


def ready(page: Page, selector: str = "tidemark-terminal", seconds: float = 60) -> None:
    """Wait for the prompt."""
    page.wait_for(f"document.querySelector({selector!r})?.running", seconds)
    shows(page, "#", selector)


def run_block(page: Page, selector: str = "tidemark-run", seconds: float = 60) -> tuple[Any, str, str]:
    """Press Run: (exit code, output, state line)."""
    block = f"document.querySelector({selector!r})"
    code = page.evaluate(f"{block}.run()", seconds)
    state = f"{block}.shadowRoot.querySelector('.state').textContent"
    output, line = page.evaluate(f"[{block}.output, {state}]")
    return code, str(output), str(line)
