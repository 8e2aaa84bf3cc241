"""Frames in Chromium: vertices and pictures on a canvas, the framebuffer, input, stale handles, a dying producer."""

from __future__ import annotations

from typing import Any

import pytest

from tidemark_py.dev import guests, toolchain

from .conftest import SERVED, Page, _copy

pytestmark = pytest.mark.page
FRAMES = 2_000_000

HELPERS = """
async def program(rt, name):
    body = await (await js.fetch(name)).bytes()
    await rt.fs.write_file(f"/bin/{name}", body, 0o755)

def head(kind, width, height, stride, format, size):
    import struct
    return struct.pack("<8I", 0x524D4654, kind, width, height, stride, format, size, 0)

async def until(check, seconds=10):
    end = time.monotonic() + seconds
    while not (got := check()) and time.monotonic() < end:
        await asyncio.sleep(0.01)
    return got
"""


@pytest.fixture(scope="module", autouse=True)
def programs(page: Page) -> None:
    for name in ("triangle", "particles"):
        _copy(guests.program(name), name)
    for name in ("frames.js", "gen/abi.js"):
        target = SERVED / "frames" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes((toolchain.ROOT / "js_shim" / name).read_bytes())


def run(page: Page, code: str, seconds: float = 60) -> Any:
    return page.run(HELPERS + code, seconds)


def test_triangle_is_on_the_canvas(page: Page) -> None:
    """Corners in their colours, nothing outside; the painter and the latency are told."""
    got = run(
        page,
        """
rt = await shared_runtime()
await program(rt, "triangle")
told = []
shown = await rt.frames.show(js.OffscreenCanvas.new(200, 200), "frame0", heard=told.append)
p = await rt.spawn(["triangle", "/dev/frame0", "1"])
code = await p.wait()
await until(lambda: any(t["t"] == "shown" for t in told))
pixels = await shown.read()
stats = await shown.stats()
shown.close()
at = lambda x, y: list(pixels[(y * 200 + x) * 4 : (y * 200 + x) * 4 + 4])
{"code": code, "top": at(100, 20), "left": at(30, 140), "right": at(170, 140), "out": at(5, 5), "stats": stats,
 "told": told}
""",
    )
    assert got["code"] == 0
    assert got["told"][0]["t"] == "shown"
    assert got["top"][0] > 200 and got["top"][1] < 60 and got["top"][2] < 60, got
    assert got["left"][1] > 160 and got["left"][0] < 90, got
    assert got["right"][2] > 160 and got["right"][0] < 90, got
    assert got["out"] == [0, 0, 0, 0]
    assert got["stats"]["frames"] >= 1


def test_reader_gets_the_newest_whole_frame(page: Page) -> None:
    """Python's end: pictures by write(2), the head checked, the newest one wins, the end is told."""
    got = run(
        page,
        """
rt = await shared_runtime()
reader = await rt.frames.open("frame1")
before = reader.take()
picture = bytes(range(64))
for n in range(3):
    await rt.fs.write_file(f"/tmp/p{n}", head(1, 4, 4, 16, 1, 64) + bytes([n]) + picture[1:])
await rt.fs.write_file("/tmp/bad", head(1, 4, 4, 16, 1, 63) + picture[1:])
script = "exec 3>/dev/frame1; for i in 0 1 2; do cat /tmp/p$i >&3; done; cat /tmp/bad >&3; echo $?; "
done = await rt.run(["sh", "-c", script + "(: >/dev/frame1) 2>&1; cat </dev/frame1 2>&1"])
frame = reader.take()
again = reader.take()
try:
    await asyncio.wait_for(reader.next(), 5)
    end = "a frame"
except EOFError as e:
    end = str(e)
other = await rt.frames.open("frame1")
try:
    reader.take()
    stale = "not refused"
except tm.StaleHandleError as e:
    stale = str(e)
shape = [frame.kind, frame.width, frame.height, frame.stride, bytes(frame.data[:4])]
[before, done.stdout.decode(), shape, again, end, stale, bytes(other.take().data[:2])]
""",
    )
    assert got[0] is None
    assert got[1].splitlines()[0] == "1", got
    assert "busy" in got[1] and "Invalid argument" in got[1]
    assert [*got[2][:4], bytes(got[2][4])] == [1, 4, 4, 16, bytes([2, 1, 2, 3])]
    assert got[3] is None
    assert "ended" in got[4]
    assert "open it again" in got[5]
    assert bytes(got[6]) == bytes([2, 1])


def test_a_killed_producer_leaves_the_last_frame(page: Page) -> None:
    got = run(
        page,
        """
rt = await shared_runtime()
await program(rt, "triangle")
reader = await rt.frames.open("frame2")
p = await rt.spawn(["triangle", "/dev/frame2"])
numbers = [(await asyncio.wait_for(reader.next(), 10)).number for _ in range(5)]
p.kill()
code = await p.wait()
await until(lambda: not reader.live)
reader.take()
again = await rt.spawn(["triangle", "/dev/frame2", "1"])
try:
    frame = await asyncio.wait_for(reader.next(), 10)
except EOFError:  # of the killed one, when the next has not begun yet
    frame = await asyncio.wait_for(reader.next(), 10)
ended = await again.wait()
await until(lambda: not reader.live)
[numbers == sorted(set(numbers)), code, ended, frame.width, bytes(frame.data[:4]) != b""]
""",
    )
    assert got == [True, -9, 0, 3, True]


def test_framebuffer_by_write_and_by_pan(page: Page) -> None:
    """/dev/fb0: what a program writes is seen; its size is the page's to set while nobody has it open."""
    got = run(
        page,
        """
rt = await shared_runtime()
await rt.frames.screen_size(64, 32)
told = []
shown = await rt.frames.show(js.OffscreenCanvas.new(64, 32), "fb0", pixelated=True, heard=told.append)
await rt.fs.write_file("/tmp/red", b"\\x00\\x00\\xff\\x00" * 64 * 32)
done = await rt.run(["sh", "-c", "cat /tmp/red > /dev/fb0; head -c 4 /dev/fb0 | od -An -tx1; wc -c < /dev/fb0"])
await until(lambda: any(t["t"] == "shown" for t in told))
pixels = await shown.read()
holder = await rt.spawn(["sh", "-c", "exec 3</dev/fb0; read x"], stdin=PIPE)
await asyncio.sleep(0.2)
try:
    await rt.frames.screen_size(32, 32)
    busy = ""
except OSError as e:
    busy = str(e)
holder.kill()
await holder.wait()
shown.close()
[done.stdout.decode().split(), list(pixels[:4]), list(pixels[-4:]), busy]
""",
    )
    assert got[0] == ["00", "00", "ff", "00", str(64 * 32 * 4 * 2)]
    assert got[1] == got[2] == [255, 0, 0, 255]
    assert "program has it open" in got[3]


def test_keys_and_pointer_reach_a_guest(page: Page) -> None:
    """Whole reports of linux/input.h; an unknown device is refused."""
    got = run(
        page,
        """
import struct
rt = await shared_runtime()
script = "head -c 48 /dev/input/event0; head -c 96 /dev/input/event1"
p = await rt.spawn(["sh", "-c", script], stdout=PIPE)
await asyncio.sleep(0.3)
await rt.frames.key(30, True)
first = await asyncio.wait_for(p.stdout.readexactly(48), 10)
await asyncio.sleep(0.3)
await rt.frames.pointer(12, 34, [(0x110, True)])
second = await asyncio.wait_for(p.stdout.readexactly(96), 10)
try:
    await rt.frames.input(7, [])
    refused = ""
except OSError as e:
    refused = type(e).__name__
events = [struct.unpack_from("<HHi", both, at + 16) for both in (first, second) for at in range(0, len(both), 24)]
[[list(e) for e in events], refused]
""",
    )
    assert got[0] == [[1, 30, 1], [0, 0, 0], [3, 0, 12], [3, 1, 34], [1, 0x110, 1], [0, 0, 0]]
    assert got[1] == "OSError"


CHECKSUMMED = """
const url = new URL("frames/frames.js", location.href).href;
const head = `import * as F from "${url}";\\n`;
const text = (body) => URL.createObjectURL(new Blob([head + body], {type: "text/javascript"}));
const { makeChannel } = await import(url);
const channel = makeChannel(64);
const producer = text(`
onmessage = ({data}) => {
  const p = new F.FrameProducer(data.channel.memory, data.channel.address);
  for (let n = 1; n <= data.frames; n++) {
    const back = p.back();
    const words = new Uint32Array(back.buffer, back.byteOffset, 16);
    for (let i = 0; i < 15; i++) words[i] = n * 2654435761 + i;
    words[15] = n;
    p.publish({kind: 1, width: 4, height: 4, stride: 16, format: 1, bytes: 64});
  }
  p.close();
  postMessage(0);
};`);
const consumer = text(`
onmessage = ({data}) => {
  const c = new F.FrameConsumer(data.memory, data.address);
  let taken = 0, torn = 0, older = 0, last = 0;
  postMessage("ready");
  for (;;) {
    const seen = c.published;
    const live = c.live;
    const f = c.take();
    if (!f) {
      if (!live && last) break;
      Atomics.wait(c.words, 2, seen | 0, 100);
      continue;
    }
    taken++;
    const words = new Uint32Array(f.bytes.buffer, f.bytes.byteOffset, 16);
    const n = words[15];
    for (let i = 0; i < 15; i++) if (words[i] !== (n * 2654435761 + i) >>> 0) torn++;
    if (n <= last) older++;
    last = n;
  }
  postMessage({taken, torn, older, last});
};`);
const start = (url) => new Worker(url, {type: "module"});
const reader = start(consumer), writer = start(producer);
const result = new Promise((done, fail) => {
  reader.onmessage = (e) => e.data === "ready" ? writer.postMessage({channel, frames: FRAMES}) : done(e.data);
  reader.onerror = writer.onerror = (e) => fail(e.message);
});
reader.postMessage(channel);
const got = await result;
reader.terminate(); writer.terminate();
return got;
"""


@pytest.mark.parametrize("frames", [FRAMES, pytest.param(10_000_000, marks=pytest.mark.slow)])
def test_no_frame_is_torn_or_older_than_its_predecessor(page: Page, frames: int) -> None:
    """Two workers, every word of every frame checked."""
    page.selenium.set_script_timeout(300)
    got = page.selenium.run_js(CHECKSUMMED.replace("FRAMES", str(frames)), pyodide_checks=False)
    print(got)
    assert (got["torn"], got["older"], got["last"]) == (0, 0, frames)
    assert got["taken"] > 100
