"""What run tells beside a program's output: system calls, trace file, crash reports, calls that are not there."""

from __future__ import annotations

import json
import re
from pathlib import Path

from tidemark_py.dev.diagnose import Wanted, Watcher
from tidemark_py.dev.session import Command, Ended, Session

CALL = re.compile(r"^\[\d+\] \d+\.\d{6} (\w+)\(.*\) = \S.* <\d+\.\d{6}(, waited \d+\.\d{6})?>$")


def run(s: Session, wanted: Wanted, script: str) -> tuple[Ended, str, list[str]]:
    """How it ended, its output, and what was said about it."""
    out = bytearray()
    said: list[str] = []
    with Watcher(wanted, s.layers) as watcher:
        command = Command(["bash", "-c", script], stdin=b"", timeout_s=60, keep_fs=True, trace=wanted.records)
        command.profile = wanted.profile is not None
        ended = s.run(command, watcher.output(lambda _, data: out.extend(data)))
        watcher.report(ended, said.append)
    assert not ended.error, ended.error
    return ended, out.decode(), said


def test_strace_shows_every_process_and_leaves_its_streams_alone(session: Session, tmp_path: Path) -> None:
    file = tmp_path / "strace"
    ended, out, _ = run(session, Wanted(strace=str(file)), "printf hi | cat; sleep 0.2; cat /missing; exit 5")
    assert out.startswith("hi") and ended.exit_code == 5
    lines = file.read_text().splitlines()
    text = "\n".join(lines)
    assert re.search(r'write\(1, "hi", 2\) = 2', text)
    assert re.search(r'openat\(AT_FDCWD, "/missing", O_RDONLY, 0o0\) = -1 ENOENT', text)
    assert re.search(r'execve\("/usr/bin/cat", \["cat", "/missing"\], \[".*"\]\) = ', text)
    waits = [float(m[1]) for m in re.finditer(r"clock_nanosleep\(.*waited ([\d.]+)>", text)]
    assert len(waits) == 1 and 0.15 < waits[0] < 5
    assert "exited with 5 +++" in text
    calls = [line for line in lines if "+++" not in line and "---" not in line]
    assert len(calls) > 100 and all(CALL.match(line) for line in calls), [c for c in calls if not CALL.match(c)]
    assert len({line.split("]")[0] for line in lines}) == 5  # shell, printf's subshell, two cats, sleep


def test_a_flood_of_calls_is_shown_whole(session: Session, tmp_path: Path) -> None:
    """Six times what the ring holds: the program waits for its reader."""
    file = tmp_path / "strace"
    run(session, Wanted(strace=str(file)), "dd if=/dev/zero of=/dev/null bs=1 count=20000 2>/dev/null")
    text = file.read_text()
    assert len(re.findall(r'write\(1, "\\0", 1\) = 1', text)) == 20000
    assert "lost" not in text


def test_nothing_is_recorded_without_being_asked(session: Session) -> None:
    streams: set[int] = set()
    session.run(
        Command(["bash", "-c", "ls / >/dev/null"], stdin=b"", timeout_s=60), lambda stream, _: streams.add(stream)
    )
    assert streams <= {1, 2}


def test_a_profile_names_the_functions_that_took_the_time(session: Session, tmp_path: Path) -> None:
    file = tmp_path / "profile.json"
    _, out, _ = run(session, Wanted(profile=file), "i=0; while ((i < 3000)); do ((i++)); done; echo $i")
    assert out == "3000\n"  # and no record of it
    whole = json.loads(file.read_text())
    frames = whole["shared"]["frames"]
    (loop,) = (p for p in whole["profiles"] if p["name"].startswith("bash"))
    assert len(loop["samples"]) == len(loop["weights"]) > 3 and min(loop["weights"]) >= 1_000_000
    assert loop["endValue"] == sum(loop["weights"])
    stacks = [[frames[i] for i in sample] for sample in loop["samples"]]
    assert any(file["name"].endswith("/bash") for file, _ in stacks)
    assert all(function["name"].endswith((" [interpreted]", " [compiled]")) for _, function in stacks)
    assert any("+0x" not in function["name"] for _, function in stacks), stacks  # bash exports its functions' names


def test_a_trace_file_has_processes_calls_waits_and_workers(session: Session, tmp_path: Path) -> None:
    file = tmp_path / "events.json"
    run(session, Wanted(trace=file), "(sleep 0.1; echo a) | cat")
    rows = json.loads(file.read_text())["traceEvents"]
    assert all({"ph", "pid", "tid", "ts", "name"} <= set(r) for r in rows)
    names = {r["args"]["name"] for r in rows if r["ph"] == "M"}
    assert {"bash", "sleep", "cat", "workers"} <= names
    assert all(r["dur"] >= 0 for r in rows if r["ph"] == "X")
    assert any(r.get("cat") == "wait" and r["name"] == "read" and r["dur"] > 50_000 for r in rows)  # of cat
    assert {"spawn", "exec", "exit"} <= {r["name"] for r in rows if r["ph"] == "i"}
    workers = {r["tid"] for r in rows if r["ph"] == "X" and r["pid"] == 0}
    assert len(workers) >= 3  # the shell's, the subshell's, cat's


def test_a_crash_is_reported_with_registers_code_and_files(session: Session) -> None:
    """Endless recursion: a real fault below the stack, in a child of the shell."""
    _, _, said = run(session, Wanted(crash_report=True), "bash -c 'f() { f; }; f'; true")
    text = "\n".join(said)
    who = r"bash\[\d+\] \(thread \d+, /usr/bin/bash\) ended by SIGSEGV .*si_code 1, at address 0x([0-9a-f]+)"
    head = re.search(who, text)
    assert head, text
    registers = dict(re.findall(r"\b(ra|sp|gp|tp|[tsa]\d+|pc) +0x([0-9a-f]{16})", text))
    assert len(registers) == 32
    assert abs(int(registers["sp"], 16) - int(head[1], 16)) < 1 << 16
    assert re.search(rf"^=> 0x{int(registers['pc'], 16):x}: [0-9a-f]{{4,8}} +\w+ ", text, re.M)
    assert re.search(r"^  pc .*  /usr/\S+\+0x[0-9a-f]+$", text, re.M)
    assert re.search(r"^  [0-9a-f]{8}-[0-9a-f]{8} r-xp 00000000 /usr/bin/bash$", text, re.M)
    assert run(session, Wanted(crash_report=False), "dash -c 'kill -ABRT $$'; true")[2] == []


def test_calls_that_are_not_there_are_named_at_the_end(session: Session) -> None:
    _, _, said = run(session, Wanted(), "true")
    assert said == []
    _, _, said = run(session, Wanted(calls="all"), "true")
    shown = r"system call: bash: mmap \(222\) \d+ times: partial \(.*\), 0 refused"
    assert any(re.fullmatch(shown, s) for s in said), said
