"""State snapshots in Chromium, of live processes: each is read, round-trips, its writer changes what the guest sees."""

from __future__ import annotations

import textwrap
from typing import Any

import pytest

from .conftest import Page

pytestmark = pytest.mark.page

# wait until thread `tid` of `pid` sleeps in a call
PARKED = """
from dataclasses import replace
async def parked(rt, pid):
    for _ in range(500):
        try:
            t = await rt.state.thread(pid)
        except BlockingIOError:  # it has no memory yet
            await asyncio.sleep(0.01)
            continue
        if t.in_call and t.word.name == "PARKED":
            return t
        await asyncio.sleep(0.01)
    raise AssertionError(t)
"""


def run(page: Page, code: str) -> Any:
    """page.run with the helpers above."""
    return page.run(PARKED + textwrap.dedent(code))


def test_pipe_with_bytes_in_it_is_read_and_replaced(page: Page) -> None:
    assert run(
        page,
        """
        rt = await shared_runtime()
        p = await rt.spawn(["sh", "-c", "sleep 0.2; read line; echo got $line; read more; echo $more"],
                           stdin=PIPE, stdout=PIPE)
        p.stdin.write(b"first\\n")
        await p.stdin.drain()
        pipe = await rt.state.pipe(p.pid, 0)
        again = type(pipe).unpack(pipe.pack())
        await rt.state.write(replace(again, data=b"other\\n"))
        line = await p.stdout.readline()
        await parked(rt, p.pid)          # now asleep in read(2) on the empty pipe: a writer wakes it
        empty = await rt.state.pipe(p.pid, 0)
        await rt.state.write(replace(empty, data=b"second\\n"))
        rest = await p.stdout.readline()
        refused = []
        for wrong in (replace(empty, inode=1), replace(empty, limit=5000), replace(empty, data=bytes(70000))):
            try:
                await rt.state.write(wrong)
            except OSError as e:
                refused.append(e.strerror)
        await p.wait()
        [pipe == again, pipe.data.decode(), pipe.readers, pipe.writers, pipe.limit, line.decode(), empty.data.decode(),
         rest.decode(), len(refused)]
    """,
    ) == [True, "first\n", 1, 1, 65536, "got other\n", "", "second\n", 3]


def test_descriptors_and_positions(page: Page) -> None:
    assert run(
        page,
        """
        rt = await shared_runtime()
        await rt.fs.write_file("/tmp/lines", "one\\ntwo\\nthree\\nfour\\n")
        script = (
            "exec 5</tmp/lines 6<&5 7>/tmp/out; read a <&5; echo $a; read x; "
            "read b <&6; echo $b; read c <&8; echo $c"
        )
        p = await rt.spawn(["sh", "-c", script], stdin=PIPE, stdout=PIPE)
        first = await p.stdout.readline()
        await parked(rt, p.pid)
        table = await rt.state.fds(p.pid)
        ofd = await rt.state.ofd(p.pid, 5)
        same = table[5].ofd == table[6].ofd != table[7].ofd
        # busybox' shell reads byte by byte: the position is after the line. Move it to "three".
        await rt.state.write(replace(type(ofd).unpack(ofd.pack()), position=8))
        eight = replace(table[6], fd=8, cloexec=True)
        await rt.state.write(replace(table, entries=(*(e for e in table.entries if e.fd != 7), eight)))
        after = await rt.state.fds(p.pid)
        stale = 0
        try:
            await rt.state.write(table)
        except OSError:
            stale = 1
        p.stdin.write(b"\\n")
        out = await p.stdout.read()
        await p.wait()
        [first.decode(), same, ofd.kind.name, ofd.position, ofd.path, ofd.refs, ofd.size, table[0].kind.name,
         [e.fd for e in after.entries], after[8].cloexec, stale, out.decode()]
    """,
    ) == ["one\n", True, "FILE", 4, "/tmp/lines", 2, 19, "PIPE", [0, 1, 2, 5, 6, 8], True, 1, "three\nfour\n"]


def test_a_parked_threads_registers_and_a_memory_write_seen_by_the_guest(page: Page) -> None:
    assert run(
        page,
        """
        from tidemark_py.state.memory import GuestMemoryWrites, MemoryWrite
        rt = await shared_runtime()
        p = await rt.spawn(["cat"], stdin=PIPE, stdout=PIPE)
        t = await parked(rt, p.pid)
        fd, buffer, size = t.registers.a[:3]
        r = t.registers
        ecall = (await rt.state.guest_memory(p.pid, [(r.pc, 4), (r.sp, 16)])).writes
        # read(2) is made again, with a buffer of 3 bytes: registers given to a thread in a call end the call
        a = list(r.x); a[12] = 3
        await rt.state.write(replace(type(t).unpack(t.pack()), registers=replace(r, x=tuple(a))))
        t2 = await parked(rt, p.pid)
        p.stdin.write(b"abcdef"); await p.stdin.drain()
        three = await p.stdout.read(3)
        t3 = await parked(rt, p.pid)     # cat asks for its own size again
        # what stands in the buffer is there to be read, and bytes put there are what the guest has
        left = (await rt.state.guest_memory(p.pid, [(buffer, 3)]))
        await rt.state.write(replace(left, writes=(MemoryWrite(buffer, b"XYZ"),)))
        xyz = (await rt.state.guest_memory(p.pid, [(buffer, 3)])).writes[0].data
        faults = []
        for bad in ((0, 8), (r.pc, 4)):
            try:
                write = MemoryWrite(bad[0], bytes(bad[1]))
                await rt.state.write(GuestMemoryWrites(p.pid, (write,)))
            except OSError as e:
                faults.append(e.errno)
        stale = 0
        try:
            await rt.state.write(replace(t, generation=t.generation + 1))
        except OSError as e:
            stale = 1
        p.stdin.close()
        rest = await p.stdout.read()
        code = await p.wait()
        gone = 0
        try:
            await rt.state.thread(p.pid)
        except ProcessLookupError:
            gone = 1
        [t.call, fd, size >= 4096, ecall[0].data == b"\\x73\\0\\0\\0", t.registers.instret > 100, t.name,
         t2.arguments[2], three.decode(), t3.arguments[2] == size, xyz.decode(), len(faults), stale,
         rest.decode(), code, gone]
    """,
    ) == [63, 0, True, True, True, "cat", 3, "abc", True, "XYZ", 2, 1, "def", 0, 1]


def test_a_memory_write_changes_what_a_running_guest_computes(page: Page) -> None:
    assert run(
        page,
        """
        from tidemark_py.state.memory import GuestMemoryWrites, MemoryWrite
        rt = await shared_runtime()
        p = await rt.spawn(["sh", "-c", "word=unmistakable-word; read x; echo $word"], stdin=PIPE, stdout=PIPE)
        t = await parked(rt, p.pid)
        maps = (await rt.fs.read_file(f"/proc/{p.pid}/maps")).decode().splitlines()
        writes = []
        for line in maps:
            low, high = (int(n, 16) for n in line.split()[0].split("-"))
            if "rw" not in line:
                continue
            (found,) = (await rt.state.guest_memory(p.pid, [(low, min(high - low, 1 << 21))])).writes
            at = found.data.find(b"unmistakable")
            while at >= 0:
                writes.append(MemoryWrite(low + at, b"UNMISTAKABLE"))
                at = found.data.find(b"unmistakable", at + 1)
        snapshot = GuestMemoryWrites(p.pid, tuple(writes))
        await rt.state.write(GuestMemoryWrites.unpack(snapshot.pack()))
        p.stdin.write(b"\\n")
        out = (await p.stdout.read()).decode()
        # a thread that runs guest code and never calls the kernel comes by as well
        busy = await rt.spawn(["sh", "-c", "while :; do :; done"], stdout=DEVNULL, stderr=DEVNULL)
        await asyncio.sleep(0.2)
        a = await rt.state.thread(busy.pid)
        await asyncio.sleep(0.05)
        b = await rt.state.thread(busy.pid)
        busy.kill()
        await busy.wait()
        [len(writes) > 0, out, b.registers.instret > a.registers.instret, a.in_call or b.in_call]
    """,
    )[:3] == [True, "UNMISTAKABLE-word\n", True]


def test_a_stopped_process_and_an_endless_errand(page: Page) -> None:
    """A stopped thread still serves; one that is killed meanwhile is ESRCH, never a hang."""
    assert run(
        page,
        """
        rt = await shared_runtime()
        p = await rt.spawn(["sleep", "100"])
        await parked(rt, p.pid)
        p.send_signal(19)
        await asyncio.sleep(0.1)
        stopped = await rt.state.thread(p.pid)
        await rt.state.write(replace(stopped, name="renamed", blocked=1 << 13))
        p.send_signal(18)
        t = await parked(rt, p.pid)
        comm = (await rt.fs.read_file(f"/proc/{p.pid}/comm")).decode()
        waits = [asyncio.ensure_future(rt.state.thread(p.pid)) for _ in range(20)]
        p.kill()
        ends = await asyncio.gather(*waits, return_exceptions=True)
        await p.wait()
        [comm, t.blocked, all(isinstance(e, ProcessLookupError) or e.object == p.pid for e in ends)]
    """,
    ) == ["renamed\n", 1 << 13, True]


def test_sockets_with_queued_data(page: Page) -> None:
    """Init is a process like any other: its own sockets, made by its own calls, are read and written."""
    assert run(
        page,
        """
        rt = await shared_runtime()
        # busybox nc listens on loopback; the other end writes and does not read what comes back
        await rt.fs.write_file("/tmp/talk", "#!/bin/sh\\necho hello from nc; sleep 100\\n", 0o755)
        server = await rt.spawn(["nc", "-l", "-p", "4321", "-e", "/tmp/talk"])
        await asyncio.sleep(0.3)
        client = await rt.spawn(["nc", "127.0.0.1", "4321"], stdin=PIPE, stdout=PIPE)
        line = await client.stdout.readline()
        fds = await rt.state.fds(client.pid)
        fd = next(e.fd for e in fds.entries if e.kind.name == "SOCKET")
        s = await rt.state.socket(client.pid, fd)
        again = type(s).unpack(s.pack())
        import tidemark_py.state.socket as sockets
        await rt.state.write(replace(again, packets=(sockets.SocketPacket(b"by "), sockets.SocketPacket(b"hand\\n"))))
        hand = await client.stdout.readline()
        # stop the client: what is sent to it stays in its queue
        client.send_signal(19)
        await asyncio.sleep(0.1)
        others = [q.pid for q in (await rt.snapshot()).processes if q.pid not in (1, client.pid, server.pid)]
        ends = [q for q in others if (await rt.state.fds(q))[1].kind.name == "SOCKET"]
        peer = await rt.state.socket((ends or [server.pid])[0], 1)
        await rt.state.write(replace(again, packets=(sockets.SocketPacket(b"queued\\n"),)))
        held = await rt.state.socket(client.pid, fd)
        refused = 0
        try:
            await rt.state.write(replace(s, socket=s.socket + 8))
        except OSError:
            refused += 1
        try:
            await rt.state.write(replace(s, packets=(sockets.SocketPacket(b"", rights=1),)))
        except OSError:
            refused += 1
        try:
            await rt.state.socket(client.pid, 1)
        except OSError:
            refused += 1
        client.send_signal(18)
        queued = await client.stdout.readline()
        for q in (client, server):
            q.kill()
        await rt.kill_all()
        [line.decode(), s == again, s.phase.name, s.domain, s.peer == peer.socket, peer.peer == s.socket, hand.decode(),
         [k.data.decode() for k in held.packets], queued.decode(), refused]
    """,
    ) == ["hello from nc\n", True, "CONNECTED", 2, True, True, "by hand\n", ["queued\n"], "queued\n", 3]


def test_a_zombies_exit_record_and_kernel_memory(page: Page) -> None:
    assert run(
        page,
        """
        import re
        from tidemark_py.state.memory import KernelMemoryWrites, MemoryWrite
        rt = await shared_runtime()
        script = "(sleep 0.3; exit 3) & echo $!; read x; wait $!; echo $?"
        p = await rt.spawn(["sh", "-c", script], stdin=PIPE, stdout=PIPE)
        child = int(await p.stdout.readline())
        running = 0
        for _ in range(200):
            try:
                z = await rt.state.child_exit(child)
                break
            except BlockingIOError:
                running = 1
                await asyncio.sleep(0.05)
        await rt.state.write(replace(type(z).unpack(z.pack()), status=7 << 8, instructions=z.instructions + 10**9))
        p.stdin.write(b"\\n")
        out = (await p.stdout.read()).decode()
        await p.wait()
        billion = p.instructions > 10**9
        # kernel memory: the text of a file in memfs is a page there; found by looking, changed under the kernel lock
        await rt.fs.write_file("/tmp/needle", b"kernel-needle-0123456789" * 100)
        writes = []
        for low in range(1 << 20, 96 << 20, 1 << 16):
            try:
                (w,) = (await rt.state.kernel_memory([(low, 1 << 16)])).writes
            except OSError:  # the instances' stacks, or the end
                continue
            # in the page, and perhaps in buffers that were freed
            found = re.finditer(b"(kernel-needle-0123456789){20,}", w.data)
            writes += [MemoryWrite(low + match.start(), b"KERNEL") for match in found]
        snapshot = KernelMemoryWrites(0, tuple(writes))
        await rt.state.write(KernelMemoryWrites.unpack(snapshot.pack()))
        body = (await rt.fs.read_file("/tmp/needle"))[:13].decode()
        refused = 0
        for address in (0, 1 << 33):
            try:
                await rt.state.kernel_memory([(address, 16)])
            except OSError:
                refused += 1
        [z.returncode, running, out, billion, body, refused]
    """,
    ) == [3, 1, "7\n", True, "KERNEL-needle", 2]
