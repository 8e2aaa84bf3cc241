"""<tidemark-canvas> in Chromium: a guest's triangle, its framebuffer with keys and pointer, what goes wrong is said."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tidemark_py.dev.browser import Browser, Page
from tidemark_py.dev.server import Server
from tidemark_py.dev.toolchain import ROOT

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
        "head -c 96 /dev/input/event1 > /tmp/pointer; fill ABCDABCDABCDABCDABCDABCDABCDABCD; "
        "head -c 96 /dev/input/event1 > /tmp/touch; fill efghefghefghefghefghefghefghefgh; sleep 100"
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
    # a finger, as the browser itself makes it; again until the program has opened its device
    page.call("Emulation.setTouchEmulationEnabled", enabled=True)
    box = page.evaluate(f"(() => {{ const b = {CANVAS}.getBoundingClientRect(); return [b.x, b.y]; }})()")
    end = time.monotonic() + 60
    while page.evaluate(f"(async () => (await {CANVAS}.read())[0])()") != ord("g"):
        assert time.monotonic() < end
        touch = {"x": box[0] + 50, "y": box[1] + 50}
        page.call("Input.dispatchTouchEvent", type="touchStart", touchPoints=[touch])
        page.call("Input.dispatchTouchEvent", type="touchEnd", touchPoints=[])
    page.call("Emulation.setTouchEmulationEnabled", enabled=False)


def test_a_missing_program_is_said(page: Page, pages: Pages) -> None:
    page.goto(pages.url('<tidemark-canvas layer="/layers/frames" cmd="nothing">', HEAD + STYLE))
    page.wait_for(f"/nothing/.test({NOTICE}) && {CANVAS}.shadowRoot.querySelector('.notice button') !== null", 60)
    page.goto(pages.url('<tidemark-canvas layer="/layers/frames" cmd="triangle" device="frame9">', HEAD + STYLE))
    page.wait_for(f"/frame0 to frame7/.test({NOTICE})", 60)


TRIANGLE = '<tidemark-canvas layer="/layers/frames" cmd="triangle /dev/frame3 {frames}" device="frame3">'


def test_a_canvas_that_is_removed_while_a_program_draws_ends_it_and_another_can_be_shown(
    page: Page, pages: Pages
) -> None:
    page.goto(pages.url(TRIANGLE.format(frames=""), HEAD + STYLE))
    page.wait_for(SHOWN, 60)
    page.wait_for(f"(async () => (await {CANVAS}.stats()).frames > 3)()", 60)
    drawing = "(async () => (await machine.call('state')).processes.some((p) => p.name === 'triangle'))()"
    page.evaluate(f"(() => {{ globalThis.machine = {CANVAS}.machine; }})()")
    assert page.evaluate(drawing) is True
    page.evaluate(f"{CANVAS}.remove()")
    page.wait_for(f"(async () => !(await {drawing}))()", 60)
    page.evaluate(f"document.body.insertAdjacentHTML('beforeend', `{TRIANGLE.format(frames='1')}`)")
    page.wait_for(SHOWN, 60)
    assert colour(page, 0.5, 0.12)[0] > 180


def test_with_reduced_motion_nothing_moves_before_somebody_asks(page: Page, pages: Pages) -> None:
    reduce = [{"name": "prefers-reduced-motion", "value": "reduce"}]
    page.call("Emulation.setEmulatedMedia", features=reduce)
    try:
        page.goto(pages.url(TRIANGLE.format(frames="1"), HEAD + STYLE))
        button = f"{CANVAS}.shadowRoot.querySelector('.notice button')"
        page.wait_for(f"{button}?.textContent === 'Run'", 60)
        assert page.evaluate(f"{CANVAS}.session === null && {CANVAS}.shown !== true")
        page.evaluate(f"{button}.click()")
        page.wait_for(SHOWN, 60)
    finally:
        page.call("Emulation.setEmulatedMedia", features=[])


GPU = ("--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader")
PAINTERS = [
    pytest.param("FlatPainter", ("--disable-3d-apis", "--disable-software-rasterizer"), id="2d"),
    pytest.param("GlPainter", GPU, id="webgpu that computes and cannot show", marks=pytest.mark.slow),
]


@pytest.mark.parametrize(("painter", "flags"), PAINTERS)
def test_every_painter_shows_the_same_triangle(painter: str, flags: tuple[str, ...], pages: Pages) -> None:
    """Where there is no WebGL2 a canvas is drawn in 2D; WebGPU is no reason to show nothing where it cannot show."""
    with Browser(flags) as browser:
        page = browser.page()
        page.goto(pages.url(TRIANGLE.format(frames="1"), HEAD + STYLE))
        page.wait_for(SHOWN, 120)
        assert page.evaluate(f"(async () => (await {CANVAS}.stats()).painter)()") == painter
        top, left, right = colour(page, 0.5, 0.12), colour(page, 0.17, 0.7), colour(page, 0.83, 0.7)
        assert top[0] > 180 and max(top[1], top[2]) < 80, (top, left, right)
        assert left[1] > 150 and right[2] > 150, (top, left, right)
        assert colour(page, 0.02, 0.05) == [0, 0, 0, 0]


#: WebGPU on the processor draws, but Chromium without a graphics processor shows no canvas of it: the canvas is ours.
GPU_PAINTS = """(async () => {
  const script = `
  import { GpuPainter } from "${location.origin}/shim/gpu_painter.js";
  import { FRAME_FORMAT, FRAME_KIND } from "${location.origin}/shim/gen/abi.js";
  onmessage = async () => {
    const device = await (await navigator.gpu.requestAdapter()).requestDevice();
    const errors = [];
    device.addEventListener("uncapturederror", (e) => errors.push(e.error.message));
    const texture = (w, h) => device.createTexture({ size: [w, h], format: "rgba8unorm", usage: 2 | 16 });
    const canvas = { width: 320, height: 240 };
    canvas.getContext = () => ({ configure() {}, getCurrentTexture: () => texture(canvas.width, canvas.height) });
    const painter = new GpuPainter(canvas, true, device, () => {});
    const shown = async (frame, bytes) => {
      painter.load({ height: 1, format: 0, ...frame }, bytes)();
      const pixels = await painter.read();
      return (x, y) => [...pixels.slice((y * canvas.width + x) * 4, (y * canvas.width + x) * 4 + 4)];
    };
    const red = [1, 0, 0, 1], green = [0, 1, 0, 1], blue = [0, 0, 1, 1];
    const floats = (...all) => new Uint8Array(new Float32Array(all.flat()).buffer);
    const middle = (x, y) => [(2 * x + 1) / 320 - 1, 1 - (2 * y + 1) / 240];
    const corners = floats([0, 0.8], red, [-0.8, -0.8], green, [0.8, -0.8], blue);
    let at = await shown({ kind: FRAME_KIND.TRIANGLES, width: 3, stride: 24 }, corners);
    const triangle = [at(160, 30), at(40, 212), at(280, 212), at(3, 3)];
    const two = floats(middle(240, 60), green, middle(80, 180), blue);
    at = await shown({ kind: FRAME_KIND.POINTS, width: 2, stride: 24 }, two);
    const points = [at(240, 60), at(80, 180), at(160, 120)];
    [canvas.width, canvas.height] = [70, 30];
    const picture = new Uint8Array(2 * 4 * 2).map((_, i) => [10, 20, 30, 0][i % 4] + (i >= 8 ? 100 : 0));
    const pictures = [];
    for (const format of ["RGBA8", "BGRX8"]) {
      const frame = { kind: FRAME_KIND.PIXELS, width: 2, height: 2, stride: 8, format: FRAME_FORMAT[format] };
      at = await shown(frame, picture);
      pictures.push(at(5, 5), at(60, 25));
    }
    const frame = { kind: FRAME_KIND.PIXELS, width: 1, height: 1, stride: 4, format: FRAME_FORMAT.RGB565 };
    at = await shown(frame, new Uint8Array([0, 0xf8, 0, 0]));
    postMessage({ triangle, points, pictures, small: at(5, 5), errors });
  };`;
  const worker = new Worker(URL.createObjectURL(new Blob([script], { type: "text/javascript" })), { type: "module" });
  return await new Promise((done) => {
    worker.onmessage = (e) => done(e.data);
    worker.onerror = (e) => done({ errors: [e.message] });
    worker.postMessage(0);
  });
})()"""


@pytest.mark.slow
def test_webgpu_draws_triangles_points_and_pictures(tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text("<!doctype html><title>WebGPU</title>", "utf-8")
    with Server({"/": tmp_path, "/shim": ROOT / "js_shim"}) as server, Browser(GPU) as browser:
        page = browser.page()
        page.goto(server.url("/index.html"))
        got = page.evaluate(GPU_PAINTS)
    assert got["errors"] == [], got
    top, left, right, out = got["triangle"]
    assert top[0] > 180 and max(top[1], top[2]) < 80 and left[1] > 180 and right[2] > 180 and out == [0, 0, 0, 0], got
    assert got["points"] == [[0, 255, 0, 255], [0, 0, 255, 255], [0, 0, 0, 0]], got
    assert got["pictures"][0] == [0, 0, 0, 0], got  # no alpha, then 100 of 255
    assert all(abs(a - b) <= 1 for a, b in zip(got["pictures"][1], [43, 47, 51, 100], strict=True)), got
    assert got["pictures"][2:] == [[30, 20, 10, 255], [130, 120, 110, 255]], got
    assert got["small"] == [255, 0, 0, 255], got
