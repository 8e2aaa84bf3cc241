"""A Debian program as it is on /dev/fb0 in Chromium, with keys and mouse: Qt 5's calculator, by linuxfb and evdev.

Its layer of 300 MB is lazy: a tenth of it is fetched.
"""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from tidemark_py.dev import layer_build, pyodide_files, site
from tidemark_py.dev.browser import Browser, Page
from tidemark_py.dev.server import Server
from tidemark_py.dev.toolchain import BUILD

from .elements import HEAD, Pages

pytestmark = [pytest.mark.page, pytest.mark.slow]
SPEC = "deb:qtbase5-examples,fonts-dejavu-core,busybox-static,bash"
PROGRAM = "/usr/lib/riscv64-linux-gnu/qt5/examples/widgets/widgets/calculator/calculator"
COMMAND = (
    f"{PROGRAM} -platform linuxfb -plugin evdevkeyboard:/dev/input/event0 -plugin evdevmouse:/dev/input/event1:abs"
)
ELEMENT = (
    f'<tidemark-canvas layer="/q/qt.tdx" cmd="{COMMAND}" env="QT_QPA_FB_DISABLE_INPUT=1 HOME=/tmp" '
    'width="640" height="480" pixelated></tidemark-canvas>'
)
STYLE = "<style>body{margin:0}tidemark-canvas{width:640px;height:480px;border:0;border-radius:0}</style>"
CANVAS = "document.querySelector('tidemark-canvas')"
SEVEN = (160, 180)  # where its button is
LIMIT_S = 600.0  # 40 s on a quiet machine


#: The pixels of its display as text, "" until its window is drawn.
SHOWN = f"""(async () => {{ const p = await {CANVAS}.read().catch(() => []);
  let light = 0, text = "";
  for (let n = 0; n < p.length; n += 4) light += p[n] > 200;
  if (p.length !== 640 * 480 * 4 || light < 640 * 480 * 0.7) return "";
  for (let y = 18; y < 44; y++) for (let x = 500; x < 626; x++) text += p[(y * 640 + x) * 4] < 128 ? "#" : ".";
  return text.includes("#") && text !== window.before ? text : ""; }})()"""


def changed(page: Page, before: str) -> str:
    """The display once it shows something else."""
    page.evaluate(f"window.before = {before!r}; 0")
    return str(page.wait_for(SHOWN, LIMIT_S))


def test_qt_draws_and_takes_mouse_and_keys(tmp_path: Path) -> None:
    """Its window comes; a click on 7 shows 7; Tab and the space bar press the buttons that have the focus."""
    pyodide_files.snapshot()
    layer = layer_build.layer_file(SPEC, layer_build.Options(slim=True))
    files = {"/": site.build(), "/t": tmp_path, "/q/qt.tdx": layer_build.lazy_index(layer), f"/q/{layer.name}": layer}
    with Server(files) as server, Browser() as browser:
        page = browser.page()
        page.goto(Pages(server, tmp_path).url(ELEMENT, HEAD + STYLE))
        zero = changed(page, "")
        for kind in ("mouseMoved", "mousePressed", "mouseReleased"):
            button = "none" if kind == "mouseMoved" else "left"
            page.call("Input.dispatchMouseEvent", type=kind, x=SEVEN[0], y=SEVEN[1], button=button, clickCount=1)
        seven = changed(page, zero)
        for code, number in (("Tab", 9), ("Space", 32)) * 3:
            for kind in ("keyDown", "keyUp"):
                page.call("Input.dispatchKeyEvent", type=kind, code=code, windowsVirtualKeyCode=number)
        more = changed(page, seven)
        picture = page.call("Page.captureScreenshot", format="png")["data"]
        (BUILD / "framebuffer-qt.png").write_bytes(base64.b64decode(picture))
    assert zero != seven != more
