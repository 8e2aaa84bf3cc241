"""`build.py site --screenshots DIR`: each page of the site as a person sees it, desktop and phone, light and dark.

Owns nothing but DIR. What a page runs by itself is waited for, so that the pictures show it.
"""

from __future__ import annotations

from pathlib import Path

from .browser import Browser, BrowserError, Page
from .server import Server
from .site_pages import PAGES
from .toolchain import say, step

SIZES = {"desktop": (1280, 800, 1.0, False), "phone": (390, 844, 2.0, True)}
SETTLED_S = 40.0
# elements that run by themselves have ended or show something
SETTLED = """(() => {
  for (const t of document.querySelectorAll("tidemark-terminal[start=now]")) if (!t.prompted) return false;
  for (const r of document.querySelectorAll("tidemark-run[autorun]")) {
    const box = r.getBoundingClientRect();
    if (box.top < innerHeight && !/^(Done|Exit)/.test(r.shadowRoot.querySelector(".state").textContent)) return false;
  }
  for (const c of document.querySelectorAll("tidemark-canvas"))
    if (c.getBoundingClientRect().top < innerHeight && !c.shadowRoot?.querySelector(".notice")?.hidden) return false;
  return !/Loading|Running/.test(document.getElementById("state")?.textContent ?? "");
})()"""


def take(site: Path, out: Path, names: tuple[str, ...] = ()) -> list[Path]:
    """Write NAME-SIZE-SCHEME.png (what is seen first) and, for a desktop, NAME-full-SCHEME.png (all of it)."""
    out.mkdir(parents=True, exist_ok=True)
    made: list[Path] = []
    with step("pictures of the site"), Server({"/": site}) as server, Browser() as browser:
        for size, (width, height, scale, mobile) in SIZES.items():
            for dark in (False, True):
                page = browser.page()
                page.viewport(width, height, scale, mobile, dark)
                for each in PAGES:
                    if names and each.name not in names:
                        continue
                    url, name = server.url(f"/{each.name}.html"), f"{each.name}-{size}-{_word(dark)}"
                    made += _one(page, url, out, name, each.act)
                page.close()
    say(f"{len(made)} pictures in {out}")
    return made


def _word(dark: bool) -> str:
    return "dark" if dark else "light"


def _one(page: Page, url: str, out: Path, name: str, act: str) -> list[Path]:
    page.goto(url)
    try:
        page.wait_for(SETTLED, SETTLED_S)
        if act:
            page.evaluate(act, SETTLED_S)
            page.wait_for(SETTLED, SETTLED_S)
    except BrowserError as e:
        say(f"{name}: {e}")
    page.evaluate("new Promise((r) => setTimeout(r, 600))")
    first = out / f"{name}.png"
    page.screenshot(first)
    whole = out / f"{name}-full.png"
    page.screenshot(whole, whole=True)
    return [first, whole]
