"""WebAssembly modules and apps from Python in Chromium and on Node: preopens, memory caps, Runtime.start_app."""

from __future__ import annotations

import base64
import io
import zipfile
from collections.abc import Iterator

import pytest

from tidemark_py.dev import guests

from .conftest import LAYER, Page
from .places import NodePlace, node_place

pytestmark = pytest.mark.page
LONGEST_S = 600.0  # of a test, on the slowest machine


@pytest.fixture(scope="module", params=["chromium", pytest.param("node", marks=pytest.mark.slow)])
def place(request: pytest.FixtureRequest) -> Iterator[Page | NodePlace]:
    """With a runtime on busybox."""
    if request.param == "chromium":
        yield request.getfixturevalue("page")
        return
    with node_place(LAYER) as there:
        yield there


def package(name: str, manifest: str = "", **files: str) -> str:
    """A zip of a package, as a Python expression."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as z:
        z.writestr("app.wasm", (guests.modules() / f"{name}.wasm").read_bytes())
        if manifest:
            z.writestr("wapp.toml", manifest)
        for path, body in files.items():
            z.writestr(path.replace("__", "/"), body)
    return f"__import__('base64').b64decode('{base64.b64encode(out.getvalue()).decode()}')"


HOST = '[app]\nname = "demo"\n[capabilities]\nhost = ["ready"]\n'


def test_ready_before_the_start_and_files_of_the_package(place: Page | NodePlace) -> None:
    manifest = HOST + '[env]\nMODE = "m"\n[preopens]\n"/data" = "data"\n'
    data = package("app", manifest, data__f="hello\n")
    assert place.run(
        seconds=LONGEST_S,
        code=f"""
        rt = await shared_runtime()
        app = await rt.start_app({data}, "one", "before", args=["/data/f", "/etc/x"])
        await asyncio.wait_for(app.ready(), 300)
        end = await app.wait()
        [(await app.channel.read()).decode(), end.returncode, end.reason]
    """,
    ) == ["READY\nstarting m\nmain loop\n/data/f: hello\n/etc/x: not there\n", 0, "exit code 0"]


def test_ready_by_the_import_and_by_the_export(place: Page | NodePlace) -> None:
    assert place.run(
        seconds=LONGEST_S,
        code=f"""
        rt = await shared_runtime()
        said = []
        for name, data in (("import", {package("app", HOST)}), ("export", {package("exporter")})):
            app = await rt.start_app(data, name, "export")
            await asyncio.wait_for(app.ready(), 300)
            end = await app.wait()
            said.append([(await app.channel.read()).decode(), end.returncode])
        said
    """,
    ) == [["starting -\nREADY\nmain loop\n", 0], ["getting ready\nREADY\nmain loop\n", 4]]


def test_limits_end_an_app_with_the_reason(place: Page | NodePlace) -> None:
    assert place.run(
        seconds=LONGEST_S,
        code=f"""
        rt = await shared_runtime()
        data = {package("app", HOST)}
        said = []
        for arg, limits in (
            ("spin", tm.AppLimits(seconds=1)),
            ("flood", tm.AppLimits(output_bytes=5000, seconds=300)),
            ("eat", tm.AppLimits(memory_bytes=32 << 20, seconds=300)),
            ("eat", tm.AppLimits(memory_bytes=32 << 10, seconds=300)),
        ):
            app = await rt.start_app(data, "x", "before", limits=limits, args=[arg])
            end = await asyncio.wait_for(app.wait(), 400)
            channel = await app.channel.read()
            seen = len(channel) if arg == "flood" else channel.decode()[-16:]
            said.append([end.returncode, end.reason, seen, end.errors])
        said
    """,
    ) == [
        [-9, "it ran longer than its limit of 1 s", "ing -\nmain loop\n", ""],
        [-9, "it wrote more than its limit of 5000 bytes", 5000, ""],
        [3, "exit code 3", "memory is short\n", ""],
        [126, "exit code 126", "", "demo: it needs 16.0625 MiB of memory to start, its limit is 0.0625 MiB\n"],
    ]


def test_what_cannot_run_is_refused_before_anything_runs(place: Page | NodePlace) -> None:
    said = place.run(
        seconds=LONGEST_S,
        code=f"""
        rt = await shared_runtime()
        said = []
        for data, ready in (
            (b"hello", None),
            (b"\\0asm\\x0d\\0\\1\\0", None),
            ({package("library")}, None),
            ({package("app")}, None),
            ({package("upper")}, "export"),
            ({package("upper", "[apps]")}, None),
            ({package("upper", "[limits]" + chr(10) + "seconds = 'x'")}, None),
            ({package("upper")}, "never"),
        ):
            try:
                await rt.start_app(data, "bad", ready)
            except tm.AppError as e:
                said.append(str(e))
        said
    """,
    )
    expected = [
        "not a WebAssembly module",
        "a WebAssembly component (WASI preview 2): only core modules",
        'exports no function "_start"',
        "imports the host function ready, which its manifest does not declare",
        "ready='export' needs a function ready",
        "unknown section [apps]",
        "[limits] seconds has a value of the wrong type",
        "ready is 'before' or 'export', not 'never'",
    ]
    assert len(said) == len(expected)
    for text, part in zip(said, expected, strict=True):
        assert part in text


def test_preopens_are_what_the_module_sees(place: Page | NodePlace) -> None:
    data = base64.b64encode((guests.modules() / "files.wasm").read_bytes()).decode()
    assert (
        place.run(
            seconds=LONGEST_S,
            code=f"""
        rt = await shared_runtime()
        await rt.fs.write_file("/tmp/files.wasm", __import__("base64").b64decode("{data}"), 0o755)
        await rt.fs.mkdir("/tmp/box", exist_ok=True)
        done = await rt.run(["sh", "-c", "/tmp/files.wasm | tail -n 3"], preopens={{"/": "/tmp/box"}}, timeout=300)
        done.stdout.decode()
    """,
        )
        == "absolute: No such file or directory\nmissing: No such file or directory\nabove: Operation not permitted\n"
    )
