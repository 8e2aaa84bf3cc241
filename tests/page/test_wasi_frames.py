"""Frames of WebAssembly modules in Chromium: Hello Triangle, the same source as for riscv64, and the host's imports."""

from __future__ import annotations

import pytest

from tidemark_py.dev import guests

from .conftest import Page, _copy

pytestmark = pytest.mark.page
HELPERS = """
async def program(rt, name):
    body = await (await js.fetch(name)).bytes()
    await rt.fs.write_file(f"/bin/{name}", body, 0o755)

async def shown_by(rt, device, argv, **options):
    told, seen = [], asyncio.Event()
    def heard(m):
        told.append(m)
        seen.set()
    shown = await rt.frames.show(js.OffscreenCanvas.new(200, 200), device, heard=heard)
    done = await rt.run(argv, **options)
    if done.returncode == 0:
        await asyncio.wait_for(seen.wait(), 60)
    pixels = await shown.read()
    shown.close()
    at = lambda x, y: list(pixels[(y * 200 + x) * 4 : (y * 200 + x) * 4 + 4])
    return done, {"top": at(100, 20), "left": at(30, 140), "right": at(170, 140), "out": at(5, 5)}
"""


@pytest.fixture(scope="module", autouse=True)
def programs(page: Page) -> None:
    for kind in ("wasi", "riscv64"):
        _copy(guests.program("triangle", kind), f"triangle-{kind}")
    _copy(guests.modules() / "frame.wasm", "frame.wasm")


def test_hello_triangle_is_the_same_from_both_builds(page: Page) -> None:
    """Red on top, green left, blue right, nothing outside."""
    got = page.run(
        HELPERS
        + """
rt = await shared_runtime()
found = []
for name in ("triangle-riscv64", "triangle-wasi"):
    await program(rt, name)
    done, places = await shown_by(rt, "frame4", [name, "/dev/frame4", "1"])
    found.append([done.returncode, done.stderr.decode(), places])
found
""",
        120,
    )
    (code, errors, riscv), (wasi_code, wasi_errors, wasi) = got
    assert (code, errors, wasi_code, wasi_errors) == (0, "", 0, ""), got
    assert wasi == riscv
    assert wasi["top"][0] > 200 and max(wasi["top"][1:3]) < 60, wasi
    assert wasi["left"][1] > 160 and wasi["right"][2] > 160 and wasi["out"] == [0, 0, 0, 0], wasi


def test_the_import_opens_a_device_and_wants_its_capability(page: Page) -> None:
    got = page.run(
        HELPERS
        + """
from tidemark_py.abi.gen.abi import WasiCapability
rt = await shared_runtime()
await program(rt, "frame.wasm")
granted = {"capabilities": int(WasiCapability.FRAMES), "preopens": {"/t": "/tmp"}}
done, places = await shown_by(rt, "frame5", ["frame.wasm", "5"], **granted)
missing = await rt.run(["frame.wasm", "9"], **granted)
refused = await rt.run(["frame.wasm", "5"])
[done.returncode, done.stdout.decode(), places, missing.returncode, missing.stdout.decode(),
 refused.returncode, refused.stderr.decode()]
""",
        120,
    )
    assert got[:2] == [0, "published\n"], got
    assert all(place == [0, 255, 0, 255] for place in got[2].values()), got
    assert got[3] == 2 and got[4].startswith("errno "), got
    assert got[5] == 126 and 'capability "frames"' in got[6], got
