"""The site's pages: one list of them, from which come files, navigation and pictures.

Owns PAGES and the layout. A page's body is a fragment in site/pages (title, description and head in comments at its
top), or is made by a function of site_docs. site/layout.html goes around all of them.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from html import escape
from pathlib import Path
from string import Template

from . import site_docs, site_speed
from .toolchain import ROOT, BuildError

FOLDER = ROOT / "site" / "pages"
LAYOUT = ROOT / "site" / "layout.html"
META = re.compile(r"<!-- (title|description|head): (.*?) -->\n", re.S)


@dataclass(frozen=True)
class SitePage:
    """One page: its file is `{name}.html`. `label` is what the navigation says; docs pages share a second line of it.

    `act`: JavaScript that a picture waits for, so that it shows the page at work.
    """

    name: str
    label: str
    docs: bool = False
    make: Callable[[], tuple[str, str, str]] | None = None  # (title, description, body)
    act: str = ""


PAUSE = "new Promise((r) => setTimeout(r, 2500))"
PAGES = (
    SitePage("index", "Terminal"),
    SitePage("gallery", "Gallery", act="document.querySelector('#python tidemark-run').run()"),
    SitePage("python", "Python", act=f"(document.getElementById('run').click(), {PAUSE})"),
    SitePage("frames", "Frames"),
    SitePage(
        "inspector",
        "Inspector",
        act=f"(document.querySelectorAll('.try button')[2].click(), {PAUSE.replace('2500', '1500')})"
        ".then(() => [...document.querySelectorAll('[data-pid]')].at(-1).click())",
    ),
    SitePage("embedding", "Embedding", docs=True),
    SitePage("api", "Reference", docs=True, make=site_docs.api),
    SitePage("syscalls", "System calls", docs=True, make=site_docs.syscalls),
    SitePage("scale", "What works", docs=True, make=site_docs.scale),
    SitePage("speed", "Speed", docs=True, make=site_speed.speed),
    SitePage("limits", "Limits", docs=True),
)
DOCS = "Docs"


def render(page: SitePage) -> str:
    """The whole page. Raises BuildError when its fragment lacks something."""
    if page.make:
        title, description, body = page.make()
        head = ""
    else:
        text = (FOLDER / f"{page.name}.html").read_text("utf-8")
        meta = dict(META.findall(text))
        if missing := {"title", "description"} - set(meta):
            raise BuildError(f"site/pages/{page.name}.html lacks {' and '.join(sorted(missing))}")
        title, description, head = meta["title"], meta["description"], meta.get("head", "")
        body = site_docs.inserted(META.sub("", text))
    return Template(LAYOUT.read_text("utf-8")).substitute(
        title=escape(title),
        description=escape(description),
        head=head,
        nav=_nav(page),
        subnav=_subnav(page),
        body=body.rstrip(),
    )


def _link(page: SitePage, label: str, here: bool) -> str:
    address = "./" if page.name == "index" else f"{page.name}.html"
    return f'<a href="{address}"{" aria-current=page" if here else ""}>{label}</a>'


def _nav(here: SitePage) -> str:
    links = [_link(p, p.label, p is here) for p in PAGES if not p.docs]
    first = next(p for p in PAGES if p.docs)
    return "".join([*links, _link(first, DOCS, here.docs)])


def _subnav(here: SitePage) -> str:
    if not here.docs:
        return ""
    links = "".join(_link(p, p.label, p is here) for p in PAGES if p.docs)
    return f'<nav class="sub" aria-label="{DOCS}">{links}</nav>'


def write(out: Path) -> None:
    """Every page into `out`; one that did not change is left alone."""
    for page in PAGES:
        target, text = out / f"{page.name}.html", render(page)
        if not target.exists() or target.read_text("utf-8") != text:
            target.write_text(text, "utf-8")
