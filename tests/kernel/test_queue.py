"""core/queue.h: every interleaving of producers and consumer (queue_test.c), and that a wrong queue would be found."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
HEADER = ROOT / "tidemark_py" / "kernel" / "core" / "queue.h"
INCLUDE = '#include "../../tidemark_py/kernel/core/queue.h"'
SCENARIOS = ["spsc-waiting", "spsc-losing", "mpsc-losing", "stream"]
LONG = ["mpsc-waiting", "mpsc-three"]
COMMIT = "queue_put(head, QUEUE_COMMITTED | bytes);"
MOVE = "queue_store(&q->tail, tail + skip + QUEUE_RECORD_BYTES(bytes));"
#: what is left out or turned round -> a scenario that notices
MISTAKES = {
    "tail moves before the record is there": (
        f"    {COMMIT}\n    {MOVE}",
        f"    {MOVE}\n    {COMMIT}",
        "spsc-losing",
    ),
    "the consumer looks before it says that it waits": (
        "    u32 seen = queue_load(&q->pushed);\n    if ((record = queue_front(q, bytes))) break;",
        "    if ((record = queue_front(q, bytes))) break;\n    u32 seen = queue_load(&q->pushed);",
        "spsc-waiting",
    ),
    "nobody wakes a producer": ("if (!queue_load(&q->producer_waits)) return;", "return;", "spsc-waiting"),
    "room is counted without the padding": (
        "tail + skip + record - queue_load(&q->head)",
        "tail + record - queue_load(&q->head)",
        "spsc-losing",
    ),
    "what was taken is not wiped": ("    memset(at, 0, record);\n", "", "mpsc-losing"),
    "a place is taken without compare and swap": (
        "if (!__atomic_compare_exchange_n(&q->tail, &tail, tail + skip + record, "
        "false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)) continue;",
        "q->tail = tail + skip + record;",
        "mpsc-losing",
    ),
    "a stream's room is what it would be were it empty": (
        "u32 at = tail & (q->capacity - 1), room = q->capacity - (tail - queue_load(&q->head));",
        "u32 at = tail & (q->capacity - 1), room = q->capacity;",
        "stream",
    ),
    "a stream's bytes are read beyond the last": (
        "*bytes = skip < used ? MIN(used - skip, q->capacity - at) : 0;",
        "*bytes = used ? q->capacity - at : 0;",
        "stream",
    ),
}  # fmt: skip


def build(out: Path, test: str) -> Path:
    out.parent.mkdir(exist_ok=True)
    source = out.with_suffix(".c")
    source.write_text(test.replace('"../../', f'"{ROOT}/'), encoding="utf-8")
    flags = ["-std=gnu17", "-O1", "-Wall", "-Wextra", "-Werror", "-fno-builtin"]
    subprocess.run([os.environ.get("CC", "cc"), *flags, str(source), "-o", str(out)], check=True)
    return out


def run(program: Path, scenario: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(program), scenario], capture_output=True, text=True, timeout=600, check=False)


@pytest.fixture(scope="module")
def text() -> str:
    return (ROOT / "tests" / "kernel" / "queue_test.c").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def program(text: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("queue") / "queue_test", text)


@pytest.mark.parametrize("scenario", [*SCENARIOS, *(pytest.param(s, marks=pytest.mark.slow) for s in LONG)])
def test_every_interleaving_keeps_records_whole_in_order_and_wakes_who_sleeps(program: Path, scenario: str) -> None:
    done = run(program, scenario)
    assert done.returncode == 0, done.stdout + done.stderr
    assert int(done.stdout.split()[1]) > 100, done.stdout


@pytest.mark.parametrize("mistake", sorted(MISTAKES))
def test_a_mistake_in_the_queue_is_found(text: str, mistake: str, tmp_path: Path) -> None:
    right, wrong, scenario = MISTAKES[mistake]
    header = HEADER.read_text(encoding="utf-8")
    assert header.count(right) == 1
    program = build(tmp_path / "queue_test", text.replace(INCLUDE, header.replace(right, wrong)))
    done = run(program, scenario)
    assert done.returncode != 0, f"not found: {done.stdout}"
