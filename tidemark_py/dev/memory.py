"""Memory of what we start (a browser, Node, a native kernel) as this machine sees it: the whole tree of processes.

Follows proc_pid_stat(5) and proc_pid_smaps_rollup(5). PSS counts a page that several processes share once.
"""

from __future__ import annotations

import contextlib
import threading
from pathlib import Path

PROC = Path("/proc")
SAMPLE_S = 0.25


def tree(root: int) -> list[int]:
    """`root` and everything that descends from it or from its process group, as it is now."""
    children: dict[int, list[int]] = {}
    for folder in PROC.glob("[0-9]*"):
        with contextlib.suppress(OSError, ValueError, IndexError):
            text = (folder / "stat").read_text()
            children.setdefault(int(text.rpartition(")")[2].split()[1]), []).append(int(folder.name))
    found, todo = [], [root]
    while todo:
        pid = todo.pop()
        found.append(pid)
        todo += children.get(pid, [])
    return found


def used_bytes(root: int) -> int:
    """PSS of the tree; what cannot be read counts as nothing."""
    total = 0
    for pid in tree(root):
        with contextlib.suppress(OSError, ValueError, IndexError):
            for line in (PROC / str(pid) / "smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    total += int(line.split()[1]) << 10
    return total


class Peak:
    """`with Peak(pid) as p: ...; p.bytes` is the most seen, sampled every SAMPLE_S."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.bytes = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="memory", daemon=True)

    def _run(self) -> None:
        while True:
            self.bytes = max(self.bytes, used_bytes(self.pid))
            if self._stop.wait(SAMPLE_S):
                return

    def __enter__(self) -> Peak:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.bytes = max(self.bytes, used_bytes(self.pid))
        self._stop.set()
        self._thread.join()
