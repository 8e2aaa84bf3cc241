"""ProcessOwner and its pool: hand-over, resume exactly once, crashes, threads on a shared memory."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from tidemark_py.abi.gen.abi import Errno, Start, Thread
from tidemark_py.process.pool import IDLE_TARGET, MODULE_IDLE_LEAST, MODULE_IDLE_TARGET, WorkerState
from tidemark_py.runtime import DEVNULL, PIPE

from .conftest import Machine


def resumes(machine: Machine) -> list[tuple[float, ...]]:
    return [numbers for name, numbers in machine.kernel.calls if name == "tk_resume"]


async def settle() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


async def test_the_pool_is_filled_before_the_runtime_is_ready(machine: Machine) -> None:
    assert machine.owner.pool.count(WorkerState.IDLE) == IDLE_TARGET
    instances = {w.instance for w in machine.owner.pool.workers.values()}
    assert instances == {2, 3, 4, 5} and len(machine.host.attached) == IDLE_TARGET


async def test_a_fork_resumes_its_parent_exactly_once(machine: Machine) -> None:
    machine.kernel.set_record(5, word=Thread.HANDOVER, generation=9, pid=50)
    machine.kernel.generations[5] = 9
    machine.kernel.start_thread(6, 51, Start.FORK, waiter=5)
    await settle()
    assert resumes(machine) == [(5, 9, 0)]
    assert machine.owner.pool.count(WorkerState.RUNNING) == 1


async def test_a_start_for_a_dead_slot_is_ignored(machine: Machine) -> None:
    machine.kernel.set_record(6, word=Thread.DEAD, generation=3)
    machine.owner.notified(1, 6)
    assert resumes(machine) == [] and machine.owner.pool.handed_over == 0


async def test_a_crashed_worker_ends_its_process_and_is_replaced(machine: Machine) -> None:
    p = await machine.runtime.spawn(["throw"], stdout=DEVNULL, stderr=DEVNULL)
    assert await p.wait() == -9
    await settle()
    assert len(machine.kernel.died) == 1 and "crashed" in machine.runtime.diagnostics[-1]
    assert (await machine.runtime.run(["true"])).returncode == 0
    stats = await machine.runtime.pool_stats()
    assert stats.crashed == 1 and stats.idle >= IDLE_TARGET - 1


async def test_a_worker_error_event_counts_as_a_crash(machine: Machine) -> None:
    p = await machine.runtime.spawn(["hang"], stdout=DEVNULL, stderr=DEVNULL)
    await settle()
    running = next(w for w in machine.owner.pool.workers.values() if w.state is WorkerState.RUNNING)
    machine.owner.pool.failed(running.number, "boom")
    assert await p.wait() == -9


async def test_workers_are_reused_unless_they_touched_much(machine: Machine) -> None:
    for _ in range(5):
        await machine.runtime.run(["true"])
    await settle()
    assert not any(w.terminated for w in machine.host.workers)
    machine.host.touched_pages = 1 << 20
    await machine.runtime.run(["true"])
    await settle()
    assert [w.terminated for w in machine.host.workers].count(True) == 1


async def test_more_processes_than_idle_workers(machine: Machine) -> None:
    many = [await machine.runtime.spawn(["cat"], stdin=PIPE, stdout=PIPE) for _ in range(20)]
    for p in many:
        out, _ = await p.communicate(b"x")
        assert out == b"x"
    await settle()
    assert machine.owner.pool.count(WorkerState.IDLE) <= 8


async def test_without_workers_a_fork_says_eagain_and_a_spawn_is_killed(machine: Machine) -> None:
    machine.host.boot_problem = "RangeError: could not allocate memory"
    held = [await machine.runtime.spawn(["hang"], stdout=DEVNULL, stderr=DEVNULL) for _ in range(IDLE_TARGET)]
    await settle()
    machine.kernel.set_record(40, word=Thread.HANDOVER, generation=1, pid=90)
    machine.kernel.generations[40] = 1
    machine.kernel.start_thread(41, 91, Start.FORK, waiter=40)
    await settle()
    assert resumes(machine)[-1] == (40, 1, -int(Errno.EAGAIN))
    p = await machine.runtime.spawn(["true"], stdout=DEVNULL, stderr=DEVNULL)
    assert await p.wait() == -9
    assert all(h.returncode is None for h in held)


async def test_a_thread_runs_beside_its_owner_and_their_memory_is_pooled_only_when_all_end(machine: Machine) -> None:
    p = await machine.runtime.spawn(["hang"], stdout=DEVNULL, stderr=DEVNULL)
    await settle()
    pool = machine.owner.pool
    maker = next(w for w in pool.workers.values() if w.state is WorkerState.RUNNING)
    notify, machine.kernel.notify = machine.kernel.notify, {}
    machine.kernel.start_thread(30, p.pid, Start.THREAD, waiter=maker.slot, memory_owner=maker.slot)
    machine.kernel.notify = notify
    port = object()
    machine.owner._notified(1, 30, port)  # as the thread's worker would tell it, with its memory's port
    await settle()
    beside = next(w for w in pool.workers.values() if w.slot == 30)
    assert beside.group is maker and resumes(machine)[-1][0] == maker.slot
    fake = next(w for w in machine.host.workers if w.number == beside.number)
    assert fake.boots["guest_port"] is port
    p.kill()
    await p.wait()
    await settle()
    assert maker.state.value == "held"
    fake.say({"m": "thread.exited", "slot": 30, "generation": beside.generation, "status": 1, "touched_pages": -1})
    assert maker.state.value == beside.state.value == "gone"


async def test_a_stale_exit_message_changes_nothing(machine: Machine) -> None:
    p = await machine.runtime.spawn(["hang"], stdout=DEVNULL, stderr=DEVNULL)
    await settle()
    worker = next(w for w in machine.owner.pool.workers.values() if w.state is WorkerState.RUNNING)
    fake = next(w for w in machine.host.workers if w.number == worker.number)
    fake.say({"m": "thread.exited", "slot": worker.slot, "generation": 999, "status": 1, "touched_pages": 0})
    assert worker.state is WorkerState.RUNNING and p.returncode is None


async def test_workers_for_modules_are_made_up_when_none_starts_and_at_once_when_few_are_left(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    later: list[Callable[[], None]] = []
    monkeypatch.setattr(machine.host, "call_later", lambda seconds, callback: later.append(callback))
    workers = machine.owner.pool.workers

    async def started(*slots: int) -> tuple[int, int]:
        """How many run and how many are ready after these have started."""
        for slot in slots:
            machine.kernel.start_thread(slot, 60 + slot, Start.WASI, waiter=-1)
            await settle()
        await settle()
        states = [w.state for w in workers.values() if w.for_modules]
        return states.count(WorkerState.RUNNING), states.count(WorkerState.IDLE)

    assert await started() == (0, 0)  # none before a first module
    assert await started(20) == (1, MODULE_IDLE_LEAST)
    later.pop()()  # one started meanwhile: looks again
    assert await started() == (1, MODULE_IDLE_LEAST)
    later.pop()()
    assert await started() == (1, MODULE_IDLE_TARGET) and not later
    assert await started(21, 22) == (3, MODULE_IDLE_TARGET - 2) and len(later) == 1
    assert await started(23) == (4, MODULE_IDLE_LEAST)
    later.pop()()
    later.pop()()
    assert await started() == (4, MODULE_IDLE_TARGET) and not later
