"""The site's pages with their programs, as a person meets them. The big layers only with `test --all`."""

from __future__ import annotations

import json
import re
import time
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tidemark_py.dev import site, site_docs, site_pages
from tidemark_py.dev.browser import Browser, BrowserError, Page
from tidemark_py.dev.server import Server
from tidemark_py.dev.toolchain import ROOT

from .elements import ready, run_block, shows

pytestmark = pytest.mark.page


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A desktop."""
    made = browser.page()
    made.viewport(1280, 800)
    yield made
    made.close()


@pytest.mark.parametrize("width", [390, 1280])
def test_no_page_scrolls_sideways_or_complains(browser: Browser, server: Server, width: int) -> None:
    for each in site_pages.PAGES:
        page = browser.page()
        page.viewport(width, 844, mobile=width < 500)
        page.goto(server.url(f"/{each.name}.html"))
        assert page.evaluate("document.documentElement.scrollWidth") <= width, each.name
        page.evaluate("new Promise((r) => setTimeout(r, 300))")
        assert [line for line in page.console if line.startswith("error")] == [], each.name
        page.close()


def test_every_link_of_the_site_leads_somewhere(built: Path) -> None:
    for each in site_pages.PAGES:
        text = (built / f"{each.name}.html").read_text("utf-8")
        assert "{{" not in text and "$body" not in text and "$title" not in text
        for address in re.findall(r'(?:href|src)="([^"]+)"', text):
            if address.startswith(("http", "data:")):
                continue
            file, _, anchor = address.partition("#")
            target = built / (file if file not in ("", "./") else f"{each.name}.html" if anchor else "index.html")
            assert target.exists(), (each.name, address)
            if anchor:
                assert f'id="{anchor}"' in target.read_text("utf-8"), (each.name, address)


def test_the_landing_page_runs_what_it_claims(page: Page, server: Server) -> None:
    page.goto(server.url("/"))
    ready(page)
    assert "riscv64" in shows(page, "a pipe says: hi")
    code = page.wait_for(
        "/^(Done|Exit)/.exec(document.getElementById('block').shadowRoot.querySelector('.state').textContent)?.[0]", 60
    )
    output = page.evaluate("document.getElementById('block').output")
    assert code == "Done" and "['BROWSER', 'IN', 'PROCESSES', 'THE'] exit code 0" in output
    assert "ready" in page.wait_for("document.getElementById('timing').textContent.match(/ready [0-9.]+ s/)?.[0]")


def test_gallery_python_and_vi(page: Page, server: Server) -> None:
    page.goto(server.url("/gallery.html"))
    code, output, _ = run_block(page, "#python tidemark-run")
    assert code == 0 and "largest: ['" in output and len(re.findall(r"is pid \d+", output)) == 8
    page.evaluate("document.querySelector('#vi tidemark-terminal').shadowRoot.querySelector('.choices button').click()")
    vi = "#vi tidemark-terminal"
    shows(page, "line 1\n", vi)
    for keys in ("ihello ", "\x1b", ":wq\r"):  # as a person types: Escape and what follows in one go is a function key
        page.evaluate(f"document.querySelector('{vi}').write({json.dumps(keys)})")
        time.sleep(0.5)
    shows(page, "[ended (0)", vi)
    assert page.evaluate(f"document.querySelector('{vi}').code") == 0


@pytest.mark.slow
def test_gallery_sqlite_git_and_gcc(page: Page, tmp_path_factory: pytest.TempPathFactory) -> None:
    with Server({"/": site.build(gallery=True)}) as server:
        page.goto(server.url("/gallery.html"))
        assert "loads" in page.wait_for("document.querySelector('#git .size').textContent")
        code, output, _ = run_block(page, "#sqlite tidemark-run", 120)
        assert code == 0 and output.count("\n") > 20 and "@" in output
        code, output, _ = run_block(page, "#git tidemark-run", 300)
        assert code == 0, output
        assert "Merge side" in output and "(You" in output
        code, output, state = run_block(page, "#gcc tidemark-run", 600)
        assert code == 0, (output, state)
        assert len(re.findall(r"child \d, pid", output)) == 3 and "left with 2" in output


def test_the_inspector_shows_processes_pipes_and_events(page: Page, server: Server) -> None:
    page.goto(server.url("/inspector.html"))
    ready(page)
    shows(page, "~ #")
    tree = "document.getElementById('tree').innerText"
    for last in (False, False, True):  # typed into the shell's question where the cursor is, a line may be lost
        page.evaluate("document.querySelector('tidemark-terminal').write('\\x15sleep 300 | cat &\\r')")
        try:
            page.wait_for(f"{tree}.includes('sleep 300') && {tree}.includes('cat')", 7)
            break
        except BrowserError:
            if last:
                raise
    page.wait_for("document.getElementById('pipes').querySelector('tbody').innerText.includes('sleep[')", 20)
    page.evaluate("[...document.querySelectorAll('[data-pid]')].find((b) => b.textContent === 'sleep 300').click()")
    page.wait_for("document.querySelector('#one tbody')?.innerText.includes('pipe:[')", 20)
    page.evaluate("document.querySelector('#one [data-signal=\"9\"]').click()")
    page.wait_for(f"{tree}.includes('zombie')", 20)  # until its shell asks
    page.evaluate("document.querySelector('tidemark-terminal').write('\\r')")
    page.wait_for("document.getElementById('one').innerText.includes('has ended')", 20)
    events = "document.getElementById('events').innerText"
    page.wait_for(f"{events}.includes('exec') && {events}.includes('signal 9')", 20)
    page.evaluate("document.getElementById('measure').click()")
    times = "[...document.querySelectorAll('#metrics tbody tr')].map((r) => [...r.cells].map((c) => c.textContent))"
    wanted = "r[0] === 'call.wait4' && r.length === 5 && r.slice(1).every((n) => /^[\\d .]+$/.test(n))"
    for _ in range(30):  # a line may be lost, as above
        page.evaluate("document.querySelector('tidemark-terminal').write('\\x15ls | wc -l\\r')")
        try:
            page.wait_for(f"{times}.some((r) => {wanted})", 2)
            break
        except BrowserError:
            continue
    found = page.evaluate(times)
    assert {"call.wait4", "handover"} <= {row[0] for row in found}, found
    page.evaluate("document.getElementById('measure').click()")
    assert page.evaluate("document.getElementById('measure').getAttribute('aria-pressed')") == "false"


def test_every_row_of_what_works_names_something_that_exists() -> None:
    """A published claim without its test is only a claim."""
    tasks = (ROOT / "build.py").read_text("utf-8")
    for group in tomllib.loads(site_docs.SCALE.read_text("utf-8"))["group"]:
        for row in group["row"]:
            assert row["grade"] in site_docs.GRADES, row
            assert row["grade"] in ("works", "not") or row.get("note") or row["grade"] == "slow", row
            for path in re.findall(r"`(tests/[^`]*)`", row["by"]):
                assert (ROOT / path).exists(), row
            for task in re.findall(r"`build\.py (\w+)", row["by"]):
                assert f"  {task}  " in tasks, row
