"""What frames must stand in Chromium: malformed heads, a consumer that stops, a lost context; queues from Python."""

from __future__ import annotations

import pytest

from tidemark_py.dev import guests

from .conftest import Page, _copy

pytestmark = pytest.mark.page
HELPERS = """
import struct
def head(kind=1, width=4, height=4, stride=16, form=1, size=64, magic=0x524D4654, zero=0):
    return struct.pack("<8I", magic, kind, width, height, stride, form, size, zero)

async def until(check, seconds=60):
    end = time.monotonic() + seconds
    while not (got := check()) and time.monotonic() < end:
        await asyncio.sleep(0.01)
    return got
"""


def test_sizes_that_overflow_publish_nothing(page: Page) -> None:
    """Each is refused with an error, and the next good frame is whole."""
    got = page.run(
        HELPERS
        + """
rt = await shared_runtime()
reader = await rt.frames.open("frame6")
most = (1 << 32) - 1
bad = [head(width=most), head(height=most, stride=1 << 31), head(stride=4), head(stride=0), head(width=0), head(kind=4),
       head(kind=9), head(form=7), head(size=65), head(magic=1), head(zero=1),
       head(width=8192, height=8192, stride=32768, size=1 << 28), head(size=1 << 20), head(width=8193, stride=8193 * 4),
       head(kind=2, width=1 << 28, height=1, stride=16, form=16), head(kind=2, width=2, height=2, stride=32, form=16),
       head(kind=3, width=(1 << 32) // 32 + 2, height=1, stride=32, form=16), b"short"]
for n, one in enumerate(bad):
    await rt.fs.write_file(f"/tmp/bad{n}", one + bytes(64) if len(one) == 32 else one)
await rt.fs.write_file("/tmp/good", head() + bytes(range(64)))
script = f"exec 3>/dev/frame6; n=0; while [ $n -lt {len(bad)} ]; do "
script += "cat /tmp/bad$n >&3 2>/dev/null; echo $?; n=$((n+1)); done; "
before = reader.take()
done = await rt.run(["sh", "-c", script + "cat /tmp/good >&3"])
frame = reader.take()
[before, done.stdout.decode().split(), len(bad), bytes(frame.data) == bytes(range(64)), done.returncode]
""",
        120,
    )
    assert got[0] is None
    assert got[1] == ["1"] * got[2]
    assert got[3:] == [True, 0]


def test_a_consumer_that_stops_holds_nobody_up_and_a_lost_context_comes_back(page: Page) -> None:
    _copy(guests.program("triangle"), "triangle")
    got = page.run(
        HELPERS
        + """
rt = await shared_runtime()
await rt.fs.write_file("/bin/triangle", await (await js.fetch("triangle")).bytes(), 0o755)
reader = await rt.frames.open("frame7")  # and never takes one
done = await rt.run(["triangle", "/dev/frame7", "30", "1"])
newest = reader.take().number
told = []
shown = await rt.frames.show(js.OffscreenCanvas.new(64, 64), "frame7", heard=told.append)
await until(lambda: any(t["t"] == "shown" for t in told))
before = (await shown.read())[(40 * 64 + 32) * 4 + 3]
stats = await shown.stats()
painter, drawn = stats["painter"], stats["frames"]
shown.lose_context()
end = time.monotonic() + 60
while painter == "GlPainter" and (await shown.stats())["frames"] == drawn and time.monotonic() < end:
    await asyncio.sleep(0.02)
after = (await shown.read())[(40 * 64 + 32) * 4 + 3]
asked = [asyncio.ensure_future(shown.read()), asyncio.ensure_future(shown.stats())]
await asyncio.sleep(0)
shown.close()
asked.append(asyncio.ensure_future(shown.read()))
said = [str(e) for e in await asyncio.wait_for(asyncio.gather(*asked, return_exceptions=True), 60)]
[done.returncode, newest, before, after, painter, [t for t in told if t["t"] == "failed"], said]
""",
        120,
    )
    assert got[0] == 0 and got[1] >= 29, got
    assert got[2] == 255 and got[5] == [], got
    assert got[3] == 255 or got[4] != "GlPainter", got
    assert len(got[6]) == 3 and all("was closed" in said for said in got[6]), got


def test_the_queue_s_python_end(page: Page) -> None:
    """Records to a worker and back; a full queue says so, what never fits is refused."""
    got = page.run(
        HELPERS
        + """
rt = await shared_runtime()
there, back = await rt.frames.queue(256), await rt.frames.queue(256, many=True)
full = [there.push(bytes(100)) for _ in range(3)]
try:
    there.push(bytes(200))
    refused = ""
except ValueError as e:
    refused = str(e)
try:
    await rt.frames.queue(100)
    odd = ""
except ValueError as e:
    odd = str(e)
first = [len(there.pop()), len(there.pop()), there.pop()]

async def echo():
    for _ in range(50):
        await back.put(b"<" + await there.get() + b">")

async def feed():
    for n in range(50):
        await there.put(b"%d" % n)

task = asyncio.gather(echo(), feed())
found = [(await back.get()).decode() for _ in range(50)]
await task
[full, refused, odd, first, found == [f"<{n}>" for n in range(50)]]
""",
        60,
    )
    assert got[0] == [True, True, False]
    assert "takes" in got[1] and "power of two" in got[2]
    assert got[3] == [100, 100, None] and got[4] is True, got
