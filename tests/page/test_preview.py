"""The preview in Chromium: a guest's web server seen at the page's own origin, through the service worker."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tidemark_py.dev.browser import Browser, Page

from .elements import Pages, enter, ready, shows

pytestmark = pytest.mark.page
CGI = r"""#!/bin/sh
case $QUERY_STRING in
  set) printf 'Set-Cookie: who=guest; Path=/\r\nContent-Type: text/plain\r\n\r\nset' ;;
  move) printf 'Status: 302 Found\r\nLocation: /hello.txt\r\n\r\n' ;;
  *) printf 'Content-Type: text/plain\r\n\r\n%s|%s|%s' "$REQUEST_METHOD" "$HTTP_COOKIE" "$(cat)" ;;
esac
"""
PAGE = (
    '<link rel="stylesheet" href="/style.css"><h1>From the guest</h1>'
    "<script>fetch('/hello.txt').then((r) => r.text()).then((t) => (document.title = t))</script>"
)


@pytest.fixture(scope="module")
def page(browser: Browser, pages: Pages) -> Page:
    """A terminal in which httpd serves port 8080."""
    made = browser.page()
    isolation = 'isolation="/isolation-worker.js"'
    made.goto(pages.url(f'<tidemark-terminal layer="/layers/busybox" cmd="sh" {isolation}></tidemark-terminal>'))
    ready(made)
    enter(made, "mkdir -p /www/cgi-bin; cd /www; dd if=/dev/zero of=big.bin bs=1M count=50 2>/dev/null; echo he''re")
    shows(made, "here")
    for name, text in {"index.html": PAGE, "style.css": "h1 { color: rgb(1, 2, 3) }", "cgi-bin/ask": CGI}.items():
        write = "document.querySelector('tidemark-terminal').session.call('write_files', '/www', [%s], [%s])"
        body = f"new TextEncoder().encode({json.dumps(text)})"
        made.evaluate(f"(async () => {write % (json.dumps(name), body)})()")
    enter(made, "printf hello > hello.txt; chmod +x cgi-bin/ask; httpd -p 8080 -h /www; echo ser''ved")
    shows(made, "served")
    made.evaluate(
        """(async () => { const m = await import("/tidemark/element.js");
        globalThis.guest = await m.preview(m.machineOf(document.querySelector("tidemark-terminal")), 8080);
        while (!navigator.serviceWorker.controller) await new Promise((r) => setTimeout(r, 50)); })()"""
    )
    return made


def ask(page: Page, path: str, options: str = "{}") -> Any:
    """[status, text, address in the end]"""
    code = f"""(async () => {{ const r = await fetch(guest + {json.dumps(path)}, {options});
      return [r.status, await r.text(), r.url.replace(guest, "")]; }})()"""
    return page.evaluate(code)


def test_files_errors_and_redirects(page: Page) -> None:
    assert ask(page, "hello.txt") == [200, "hello", "hello.txt"]
    assert ask(page, "nothing")[0] == 404
    assert ask(page, "cgi-bin/ask?move") == [200, "hello", "hello.txt"]


def test_bodies_and_cookies(page: Page) -> None:
    assert ask(page, "cgi-bin/ask", "{method: 'POST', body: 'some text'}")[1] == "POST||some text"
    assert ask(page, "cgi-bin/ask?set")[1] == "set"
    assert ask(page, "cgi-bin/ask")[1] == "GET|who=guest|"


def test_a_page_in_a_frame_gets_what_it_asks_for_by_absolute_paths(page: Page) -> None:
    page.evaluate("document.body.append(Object.assign(document.createElement('iframe'), {src: guest, id: 'guest'}))")
    inside = "document.getElementById('guest').contentDocument"
    page.wait_for(f"{inside}?.title === 'hello'", 20)
    assert page.evaluate(f"getComputedStyle({inside}.querySelector('h1')).color") == "rgb(1, 2, 3)"


def test_a_websocket_that_the_server_refuses_is_an_error_and_the_doctype_still_counts(page: Page) -> None:
    """busybox' httpd has none: error, then close with 1006, as browsers tell it."""
    text = (
        "<!-- first --><!doctype html><title>?</title><script>const s = new WebSocket('/none'), said = [s.readyState];"
        "s.onopen = s.onerror = (e) => said.push(e.type);"
        "s.onclose = (e) => (document.title = [...said, e.code, s.readyState, document.compatMode].join());</script>"
    )
    write = "document.querySelector('tidemark-terminal').session.call('write_files', '/www', ['s.html'], [%s])"
    page.evaluate(f"(async () => {write % f'new TextEncoder().encode({json.dumps(text)})'})()")
    page.evaluate(
        "document.body.append(Object.assign(document.createElement('iframe'), {src: guest + 's.html', id: 's'}))"
    )
    title = "document.getElementById('s').contentDocument?.title"
    assert page.wait_for(f"{title}?.length > 3 && {title}", 60) == "0,error,1006,3,CSS1Compat"


def test_a_big_download(page: Page) -> None:
    """50 MB, all of it."""
    size, ms = page.evaluate(
        """(async () => { const t = performance.now(); let n = 0;
        const reader = (await fetch(guest + "big.bin")).body.getReader();
        for (;;) { const { done, value } = await reader.read(); if (done) break; n += value.length; }
        return [n, performance.now() - t]; })()"""
    )
    print(f"{size / 1000 / ms:.0f} MB/s")
    assert size == 50 << 20


def test_nobody_listens(page: Page) -> None:
    status, text = page.evaluate(
        "(async () => { const r = await fetch(guest.replace('8080', '8081')); return [r.status, await r.text()]; })()"
    )
    assert status == 502 and "8081" in text and "refused" in text.lower()
