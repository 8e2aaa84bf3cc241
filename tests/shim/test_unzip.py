"""js_shim/element/unzip.js on Node, against an archive of Python's zipfile."""

from __future__ import annotations

import os
import subprocess
import zipfile
from pathlib import Path

from tidemark_py.dev.toolchain import node


def test_unzip_module(tmp_path: Path) -> None:
    archive = tmp_path / "made.zip"
    with zipfile.ZipFile(archive, "w") as z:
        z.writestr("stored.txt", "stored")
        z.mkdir("a")
        z.writestr("a/deflated.txt", "again " * 1000, zipfile.ZIP_DEFLATED)
        z.writestr("a/empty", "")
        z.writestr("a/ü.txt", "umlaut", zipfile.ZIP_DEFLATED)
    command = [str(node()), "--test", str(Path(__file__).with_name("unzip_test.mjs"))]
    env = {**os.environ, "ZIP": str(archive)}
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, env=env, check=False)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    assert "fail 0" in done.stdout
