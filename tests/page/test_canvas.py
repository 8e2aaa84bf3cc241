"""<tidemark-canvas> in Chromium: a guest's triangle, its framebuffer with keys and pointer, what goes wrong is said."""

from __future__ import annotations

import pytest

from tidemark_py.dev.browser import Browser, Page

from .elements import HEAD, Pages

pytestmark = pytest.mark.page
CANVAS = "document.querySelector('tidemark-canvas')"
SHOWN = f"{CANVAS}.shown === true"
NOTICE = f"{CANVAS}.shadowRoot.querySelector('.notice').textContent"
STYLE = "<style>tidemark-canvas{width:320px;height:240px}</style>"


@pytest.fixture(scope="module")
def page(browser: Browser) -> Page:
    """One tab."""
    return browser.page()


def colour(page: Page, x: float, y: float) -> list[int]:
    """RGBA where the canvas is x, y of its width and height."""
    found: list[int] = page.evaluate(
        f"""(async () => {{ const e = {CANVAS}, c = e.shadowRoot.querySelector("canvas").getBoundingClientRect();
          const bytes = await e.read(), ratio = Math.min(devicePixelRatio, 2);
          const [w, h] = [Math.round(c.width * ratio), Math.round(c.height * ratio)];
          if (bytes.length !== w * h * 4) return [bytes.length, w, h];
          const at = (Math.floor({y} * h) * w + Math.floor({x} * w)) * 4; return [...bytes.slice(at, at + 4)]; }})()"""
    )
    return found


def test_hello_triangle(page: Page, pages: Pages) -> None:
    """Red on top, green left, blue right, clear outside; sized and named for a screen reader."""
    element = '<tidemark-canvas layer="/layers/frames" cmd="triangle /dev/frame3 1" device="frame3" label="A triangle">'
    page.goto(pages.url(element, HEAD + STYLE))
    page.wait_for(SHOWN, 60)
    assert page.evaluate(f"{CANVAS}.shadowRoot.querySelector('canvas').getAttribute('aria-label')") == "A triangle"
    top, left, right = colour(page, 0.5, 0.12), colour(page, 0.17, 0.7), colour(page, 0.83, 0.7)
    assert top[0] > 180 and max(top[1], top[2]) < 80, (top, left, right)
    assert left[1] > 150 and right[2] > 150, (top, left, right)
    assert colour(page, 0.02, 0.05) == [0, 0, 0, 0]
    assert page.evaluate(f"(async () => (await {CANVAS}.stats()).frames)()") >= 1


def test_framebuffer_keys_and_pointer(page: Page, pages: Pages) -> None:
    """A program fills the screen with the colour of a key, and with another one where the pointer went down."""
    script = (
        "fill() { yes \"$1\" | head -n 64 | tr -d '\\n' > /dev/fb0; }; fill abcdabcdabcdabcdabcdabcdabcdabcd; "
        "head -c 48 /dev/input/event0 > /tmp/key; fill zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz; "
        "head -c 96 /dev/input/event1 > /tmp/pointer; fill ABCDABCDABCDABCDABCDABCDABCDABCD; sleep 100"
    )
    element = '<tidemark-canvas layer="/layers/busybox" width="8" height="8" pixelated start="click"></tidemark-canvas>'
    page.goto(pages.url(element, HEAD + STYLE))
    quoted = script.replace("\\", "\\\\").replace("'", "\\'")
    page.evaluate(f"{CANVAS}.setAttribute('cmd', `sh -c '` + '{quoted}'.replaceAll(`'`, `'\\\\''`) + `'`)")
    page.evaluate(f"{CANVAS}.restart()")
    page.wait_for(SHOWN, 60)
    page.wait_for(f"(async () => (await {CANVAS}.read())[0] === 'c'.charCodeAt(0))()", 20)
    key = "new KeyboardEvent('keydown', {code: 'KeyA', bubbles: true})"
    page.evaluate(f"{CANVAS}.shadowRoot.querySelector('canvas').dispatchEvent({key})")
    page.wait_for(f"(async () => (await {CANVAS}.read())[0] === 'z'.charCodeAt(0))()", 20)
    pointer = "new PointerEvent('pointerdown', {clientX: 20, clientY: 20, button: 0, pointerId: 1})"
    page.evaluate(
        f"(() => {{ const c = {CANVAS}.shadowRoot.querySelector('canvas'); c.setPointerCapture = () => {{}};"
        f" c.dispatchEvent({pointer}); }})()"
    )
    page.wait_for(f"(async () => (await {CANVAS}.read())[0] === 'C'.charCodeAt(0))()", 20)


def test_a_missing_program_is_said(page: Page, pages: Pages) -> None:
    page.goto(pages.url('<tidemark-canvas layer="/layers/frames" cmd="nothing">', HEAD + STYLE))
    page.wait_for(f"/nothing/.test({NOTICE}) && {CANVAS}.shadowRoot.querySelector('.notice button') !== null", 60)
    page.goto(pages.url('<tidemark-canvas layer="/layers/frames" cmd="triangle" device="frame9">', HEAD + STYLE))
    page.wait_for(f"/frame0 to frame7/.test({NOTICE})", 60)
