"""Every guest program prints the same on the Linux host and in Chromium, on real workers (natively: tests/guest)."""

from __future__ import annotations

import base64
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tidemark_py.dev import guests

from .conftest import Page

pytestmark = pytest.mark.page


@pytest.mark.parametrize("name", guests.families())
def test_guest_prints_in_chromium_what_the_host_prints(page: Page, name: str, tmp_path: Path) -> None:
    expected = subprocess.run(
        [str(guests.host_binary(name))],
        cwd=tmp_path,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        timeout=120,
        env={"PATH": os.environ["PATH"], "HOME": "/root"},
        check=False,
    )
    body = base64.b64encode(guests.riscv_binary(name).read_bytes()).decode()
    out: dict[str, Any] = page.run(
        f"""
        import base64, subprocess
        rt = await shared_runtime()
        root = await rt.root_new(-1)
        await rt.fs.mkdir("/work", root=root)
        await rt.fs.write_file("/work/{name}", base64.b64decode("{body}"), 0o755, root=root)
        t = time.perf_counter()
        options = dict(cwd="/work", root=root, env={{"PATH": "/usr/bin:/bin", "HOME": "/root"}})
        try:
            done = await rt.run(["/work/{name}"], timeout=100, **options)
            text = [stream.decode("utf-8", "replace") for stream in (done.stdout, done.stderr)]
            out = dict(out=text[0], err=text[1], code=done.returncode)
        except subprocess.TimeoutExpired:
            state = await rt.snapshot()
            out = dict(out="", err=f"timed out; threads {{state.threads}}, pool {{await rt.pool_stats()}}", code=124)
        print("{name}", time.perf_counter() - t)
        await rt.kill_all()
        await rt.root_drop(root)
        out
        """,
        115,
    )
    assert out["out"].splitlines() == expected.stdout.splitlines(), out["err"][-2000:]
    assert out["code"] == expected.returncode
