"""What a memory snapshot brings along is trusted in the workers: their sources have each of its files.

One that is missing costs every worker the compilation of the whole package, and nothing else shows it.
"""

from __future__ import annotations

import io
import subprocess
import sys
import zipfile
from pathlib import Path

from tidemark_py.host import assets

ROOT = Path(__file__).resolve().parents[2]
FILES = """
import sys
from tidemark_py.host import baked
baked.bake()
print(*getattr(sys, baked.KEPT), sep="\\n")
"""


def test_the_workers_have_every_file_of_the_snapshots_modules() -> None:
    done = subprocess.run([sys.executable, "-c", FILES], cwd=ROOT, capture_output=True, text=True, check=True)
    baked = {Path(line).relative_to(ROOT).as_posix() for line in done.stdout.splitlines()}
    sources = set(zipfile.ZipFile(io.BytesIO(assets.sources_zip())).namelist())
    assert "tidemark_py/runtime.py" in baked
    assert baked - sources == set()
