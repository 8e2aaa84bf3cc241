"""A whole runtime on the fake host: page, kernel worker and process owner in one event loop, as tests want them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from tidemark_py.abi.gen.abi import Role
from tidemark_py.host.fake import FakeHost, FakeKernel, FakePort, FakeProcess, Program, port_pair
from tidemark_py.roles.kernel_worker import KernelWorker
from tidemark_py.roles.process_owner import ProcessOwner
from tidemark_py.runtime import Runtime


class Handle:
    """What Runtime terminates."""

    terminated = False

    def terminate(self) -> None:
        """Remember."""
        self.terminated = True


class Machine:
    """A started runtime and its parts."""

    def __init__(self, programs: dict[str, Program]) -> None:
        self.kernel = FakeKernel(programs)
        self.host = FakeHost(self.kernel)
        self.runtime = Runtime()
        self.handles = {"kernel_worker": Handle(), "process_owner": Handle()}
        self.page_ports: dict[str, FakePort] = {}
        self.runtime._waiting_for = set(self.handles)
        ends: dict[str, FakePort] = {}
        for role, handle in self.handles.items():
            ours, ends[role] = port_pair()
            self.page_ports[role] = ours
            self.runtime._attach(role, ours, handle)
        self.kernel_worker = KernelWorker(self.kernel, self.host, ends["kernel_worker"], 96, 1024)
        self.owner = ProcessOwner(self.kernel, self.host, ends["process_owner"], self.host.attached.append)
        self.kernel.notify = {
            int(Role.KERNEL): self.kernel_worker.notified,
            int(Role.OWNER): self.owner.notified,
        }

    async def start(self) -> None:
        """Boot both roles."""
        self.kernel_worker.start()
        self.owner.start()
        await self.runtime._booted(2)


async def cat(process: FakeProcess) -> int:
    """stdin to stdout"""
    while data := await process.read(0):
        await process.write(1, data)
    return 0


async def true(process: FakeProcess) -> int:
    """Nothing."""
    return 0


async def fail(process: FakeProcess) -> int:
    """argv[1] is the exit code."""
    await process.write(2, b"failed\n")
    return int(process.argv[1])


async def flood(process: FakeProcess) -> int:
    """Writes until nobody reads."""
    while True:
        await process.write(1, bytes(4096))


async def hang(process: FakeProcess) -> int:
    """For ever."""
    await asyncio.sleep(3600)
    return 0


async def throw(process: FakeProcess) -> int:
    """A crash of the worker."""
    raise RuntimeError("unreachable")


PROGRAMS: dict[str, Program] = {
    "/bin/cat": cat,
    "/bin/true": true,
    "/bin/fail": fail,
    "/bin/flood": flood,
    "/bin/hang": hang,
    "/bin/throw": throw,
}


@pytest.fixture
async def machine() -> AsyncIterator[Machine]:
    """Started; closed at the end."""
    m = Machine(dict(PROGRAMS))
    await m.start()
    yield m
    m.runtime.close()
