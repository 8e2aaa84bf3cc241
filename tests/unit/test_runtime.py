"""Runtime, Process and RuntimeFS against the roles on the fake host."""

from __future__ import annotations

import asyncio
import subprocess

import pytest

from tidemark_py.errors import BootError, KernelPanic, RuntimeClosed, WorkerCrashed
from tidemark_py.runtime import DEVNULL, PIPE, STDOUT, Runtime

from .conftest import PROGRAMS, Machine


async def test_files_are_written_read_listed_renamed_and_removed(machine: Machine) -> None:
    fs = machine.runtime.fs
    await fs.write_file("/a", b"\x00\xff" * 100_000)
    assert await fs.read_file("/a") == b"\x00\xff" * 100_000
    await fs.write_files({"/d/e/f": "text", "/d/g": b""})
    assert await fs.readdir("/d") == ["e", "g"]
    assert (await fs.stat("/d/e/f")).st_size == 4
    assert (await fs.stat("/d/e/f")).st_mode & 0o777 == 0o644
    await fs.symlink("../d", "/d/s")
    assert await fs.readlink("/d/s") == "../d"
    await fs.rename("/a", "/b")
    assert not await fs.exists("/a")
    await fs.remove("/d", recursive=True)
    assert not await fs.exists("/d/e/f")
    await fs.mkdir("/x/y/z", parents=True)
    await fs.mkdir("/x/y/z", exist_ok=True)
    with pytest.raises(FileExistsError):
        await fs.mkdir("/x/y/z")


async def test_errors_of_the_kernel_are_oserrors_with_the_path(machine: Machine) -> None:
    with pytest.raises(FileNotFoundError) as e:
        await machine.runtime.fs.read_file("/none")
    assert e.value.filename == "/none"


async def test_communicate_feeds_and_collects(machine: Machine) -> None:
    p = await machine.runtime.spawn(["cat"], stdin=PIPE, stdout=PIPE)
    data = bytes(range(256)) * 2000  # more than a pipe holds
    out, err = await p.communicate(data)
    assert out == data and err == b"" and p.returncode == 0 and p.instructions > 0


async def test_returncodes_of_exit_and_signal(machine: Machine) -> None:
    done = await machine.runtime.run(["fail", "7"])
    assert (done.returncode, done.stderr, done.stdout) == (7, b"failed\n", b"")
    p = await machine.runtime.spawn(["hang"], stdout=DEVNULL, stderr=DEVNULL)
    p.terminate()
    assert await p.wait() == -15
    with pytest.raises(ProcessLookupError):
        p.kill()


async def test_missing_and_malformed_programs_raise_naming_them(machine: Machine) -> None:
    with pytest.raises(FileNotFoundError) as e:
        await machine.runtime.spawn(["nothing"])
    assert e.value.filename == "nothing"
    await machine.runtime.fs.write_file("/bin/text", b"no program", 0o755)
    before = len(machine.kernel.fds)
    with pytest.raises(OSError, match=r"[Ee]xec format") as x:
        await machine.runtime.spawn(["text"], stdin=PIPE, stdout=PIPE, stderr=PIPE)
    assert x.value.filename == "text"
    assert len(machine.kernel.fds) == before


async def test_lines_and_exact_reads(machine: Machine) -> None:
    p = await machine.runtime.spawn(["cat"], stdin=PIPE, stdout=PIPE)
    assert p.stdin and p.stdout
    p.stdin.write(b"one\ntwo\nthree")
    await p.stdin.drain()
    assert await p.stdout.readline() == b"one\n"
    assert await p.stdout.readexactly(2) == b"tw"
    p.stdin.close()
    assert [line async for line in p.stdout] == [b"o\n", b"three"]
    assert p.stdout.at_eof() and await p.wait() == 0


async def test_output_nobody_reads_blocks_the_writer_and_stays_bounded(machine: Machine) -> None:
    p = await machine.runtime.spawn(["flood"], stdout=PIPE)
    await asyncio.sleep(0.05)
    pipes = [o.pipe for o in machine.kernel.fds.values() if o.pipe is not None]
    assert max(len(pipe.data) for pipe in pipes) == 65536
    assert p.stdout and p.returncode is None
    assert len(await p.stdout.read(1 << 20)) == 65536
    p.stdout.close()
    assert await p.wait() == -13


async def test_stderr_to_stdout(machine: Machine) -> None:
    done = await machine.runtime.run(["fail", "1"], stderr=STDOUT)
    assert done.stdout == b"failed\n" and done.stderr is None


async def test_timeout_kills(machine: Machine) -> None:
    with pytest.raises(subprocess.TimeoutExpired):
        await machine.runtime.run(["hang"], timeout=0.05)
    assert machine.kernel.processes == {}


async def test_writing_to_an_ended_process_is_epipe(machine: Machine) -> None:
    p = await machine.runtime.spawn(["hang"], stdin=PIPE, stdout=DEVNULL, stderr=DEVNULL)
    assert p.stdin
    p.stdin.write(bytes(200_000))
    draining = asyncio.ensure_future(p.stdin.drain())
    await asyncio.sleep(0.01)
    assert not draining.done()
    p.kill()
    with pytest.raises(BrokenPipeError):
        await draining


async def test_no_descriptor_is_left_after_many_processes(machine: Machine) -> None:
    before = set(machine.kernel.fds)
    for _ in range(50):
        await machine.runtime.run(["true"], input=b"")
    await asyncio.sleep(0.01)
    assert set(machine.kernel.fds) == before
    stats = await machine.runtime.pool_stats()
    assert stats.handed_over == 50 and stats.started <= 8


async def test_kill_all_leaves_nobody(machine: Machine) -> None:
    many = [await machine.runtime.spawn(["hang"], stdout=DEVNULL, stderr=DEVNULL) for _ in range(10)]
    await machine.runtime.kill_all()
    assert [await p.wait() for p in many] == [-9] * 10
    assert machine.kernel.processes == {}


async def test_events_tell_the_life_of_a_process(machine: Machine) -> None:
    seen = []

    async def listen() -> None:
        async for event in machine.runtime.events:
            seen.append((event.kind, event.pid))
            if event.kind == "reap":
                return

    listening = asyncio.ensure_future(listen())
    await asyncio.sleep(0.01)
    p = await machine.runtime.spawn(["true"], stdout=DEVNULL, stderr=DEVNULL)
    await asyncio.wait_for(listening, 60)
    assert seen == [("spawn", p.pid), ("exit", p.pid), ("reap", p.pid)]


async def test_snapshot_shows_threads_and_counters(machine: Machine) -> None:
    p = await machine.runtime.spawn(["hang"], stdout=DEVNULL, stderr=DEVNULL)
    await asyncio.sleep(0.01)
    state = await machine.runtime.snapshot()
    assert [(t.pid, t.word) for t in state.threads] == [(p.pid, "USER")]
    assert state.counters["processes"] == 2


async def test_close_fails_what_is_pending_and_terminates_workers(machine: Machine) -> None:
    p = await machine.runtime.spawn(["hang"], stdout=PIPE)
    assert p.stdout
    reading, waiting = asyncio.ensure_future(p.stdout.read(1)), asyncio.ensure_future(p.wait())
    await asyncio.sleep(0.01)
    machine.runtime.close()
    for pending in (reading, waiting):
        with pytest.raises(RuntimeClosed):
            await pending
    with pytest.raises(RuntimeClosed):
        await machine.runtime.fs.read_file("/a")
    await asyncio.sleep(0.05)
    assert machine.kernel.processes == {} and all(h.terminated for h in machine.handles.values())


async def test_a_panic_fails_everything_with_one_error(machine: Machine) -> None:
    p = await machine.runtime.spawn(["hang"], stdout=PIPE)
    waiting = asyncio.ensure_future(p.wait())
    await asyncio.sleep(0.01)
    machine.kernel.panic = "heap.c:12: magic"
    with pytest.raises(KernelPanic, match=r"heap\.c:12"):
        await machine.runtime.fs.read_file("/a")
    with pytest.raises(KernelPanic, match=r"heap\.c:12"):
        await waiting
    with pytest.raises(KernelPanic):
        await machine.runtime.spawn(["true"])


async def test_a_lost_kernel_worker_is_one_clear_error(machine: Machine) -> None:
    reading = asyncio.ensure_future(machine.runtime.snapshot())
    machine.runtime._lost("kernel_worker", "out of memory")
    with pytest.raises(WorkerCrashed, match="kernel worker crashed"):
        await reading


async def test_boot_times_out_naming_who_is_missing() -> None:
    runtime = Runtime()
    runtime._waiting_for = {"process_owner"}
    with pytest.raises(BootError, match="process_owner did not start within"):
        await runtime._booted(0.01)


async def test_a_thread_worker_that_cannot_start_is_a_boot_error() -> None:
    m = Machine(dict(PROGRAMS))
    m.host.boot_problem = "no memory"
    with pytest.raises(BootError, match="no memory"):
        await m.start()
