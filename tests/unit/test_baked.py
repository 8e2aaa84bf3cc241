"""What a memory snapshot brings along is trusted where the files are the same, also by a worker with a part of them.

One that is not trusted costs every worker the compilation of the whole package, and nothing else shows it.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from tidemark_py.host import assets

PACKAGE = Path(__file__).resolve().parents[2] / "tidemark_py"
WORKER = """
import shutil, sys
from pathlib import Path
from tidemark_py.host import baked

baked.bake()
brought = dict(sys.modules)
{change}
print(baked.check(), *sorted(n for n in brought if n.startswith("tidemark_py") and sys.modules.get(n) is brought[n]))
from tidemark_py.roles import process_owner
"""
ROLES_ONLY = """
shutil.rmtree("tidemark_py")
shutil.move("roles_only/tidemark_py", "tidemark_py")
"""
ANOTHER_VERSION = 'Path("tidemark_py/state/kept.py").open("a").write("# changed")'


def check_after(folder: Path, change: str) -> tuple[bool, set[str]]:
    """(what check() says, the modules it left) in a Python that baked, whose files were then changed."""
    wanted = shutil.ignore_patterns("dev", "kernel", "_assets", "__pycache__")
    shutil.copytree(PACKAGE, folder / "tidemark_py", ignore=wanted)
    names, sizes, bodies = assets.role_sources()
    at = 0
    for name, size in zip(names, sizes, strict=True):
        path = folder / "roles_only" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(bodies[at : at + size])
        at += size
    command = [sys.executable, "-c", WORKER.format(change=change)]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    said, *left = done.stdout.split()
    return said == "True", set(left)


def test_a_worker_keeps_what_its_roles_use(tmp_path: Path) -> None:
    same, left = check_after(tmp_path, ROLES_ONLY)
    assert same
    assert {"tidemark_py.abi.gen.messages", "tidemark_py.runtime", "tidemark_py.roles.kernel_worker"} <= left
    assert "tidemark_py.sdk.elements" not in left  # its file is not there


def test_another_version_is_forgotten_whole(tmp_path: Path) -> None:
    assert check_after(tmp_path, ANOTHER_VERSION) == (False, set())
