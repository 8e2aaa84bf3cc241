"""Machines that are saved in one page and go on in another runtime: shells, pipelines, jobs, terminals."""

from __future__ import annotations

import textwrap
from typing import Any

import pytest

from .conftest import Page

pytestmark = pytest.mark.page

HELPERS = """
async def read_until(stream, text):
    got = b""
    while text not in got:
        part = await asyncio.wait_for(stream.read(65536), 10)
        assert part, got
        got += part
    return got

async def again(saved, **options):
    t = time.perf_counter()
    options.setdefault("layers", [builtins.layer])
    rt = await tm.Runtime.restore(saved, snapshot=await snapshot_bytes(), **options)
    print("restore", round(time.perf_counter() - t, 3), "s, saved", len(saved), "bytes")
    return rt
"""


def run(page: Page, code: str, seconds: float = 60) -> Any:
    """page.run with the helpers above."""
    return page.run(HELPERS + textwrap.dedent(code), seconds)


def test_a_shell_that_waits_for_input_goes_on_in_another_runtime(page: Page) -> None:
    assert run(page, """
        rt = await busybox(await new_runtime())
        p = await rt.spawn(["sh", "-c", "x=before; echo ready; read y; echo $x $y; cat /tmp/note"], stdin=PIPE, stdout=PIPE)
        await read_until(p.stdout, b"ready")
        await rt.fs.write_file("/tmp/note", "kept\\n")
        t = time.perf_counter()
        saved = await rt.save()
        print("save", round(time.perf_counter() - t, 3), "s")
        p.stdin.write(b"here\\n")
        here = await asyncio.wait_for(p.communicate(), 10)
        rt.close()
        two = await again(saved)
        (q,) = two.processes()
        q.stdin.write(b"there\\n")
        there = await asyncio.wait_for(q.communicate(), 10)
        fresh = await two.run(["sh", "-c", "echo $$; cat /tmp/note"], timeout=10)
        two.close()
        [here[0].decode(), there[0].decode(), q.pid == p.pid, q.returncode, fresh.stdout.decode().split()[-1]]
    """) == ["before here\nkept\n", "before there\nkept\n", True, 0, "kept"]
