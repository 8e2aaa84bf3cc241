"""What a page sees of its guests: system calls of a chosen process while it runs, crashes, calls that are not there."""

from __future__ import annotations

from tests.page.conftest import Page


def test_strace_follows_one_process_and_its_children(page: Page) -> None:
    lines, others = page.run("""
        rt = await shared_runtime()
        p = await rt.spawn(["sh", "-c", "read line; cat /etc/passwd >/dev/null; exit 3"], stdin=PIPE, stdout=DEVNULL)
        lines = []

        async def listen():
            async for line in rt.strace(p.pid):
                lines.append(line)

        task = asyncio.ensure_future(listen())
        while not rt.tracing._listeners:
            await asyncio.sleep(0.01)
        await rt.snapshot()  # in order: the kernel was told
        await rt.run(["ls", "/proc"])  # somebody else's
        p.stdin.write(b"go\\n")
        p.stdin.close()
        await p.wait()
        for _ in range(500):
            if any("exited with 3" in line for line in lines):
                break
            await asyncio.sleep(0.01)
        task.cancel()
        await asyncio.wait([task])
        await rt.snapshot()
        before = len(lines)
        await rt.run(["sh", "-c", "echo x"], stdout=DEVNULL)
        [lines, [len(lines) - before, any('"/proc"' in line for line in lines)]]
    """)
    text = "\n".join(lines)
    assert 'openat(AT_FDCWD, "/etc/passwd"' in text and "spawn" in text
    assert "exited with 3" in text and "exited with 0" in text
    assert others == [0, False]


def test_a_crash_is_kept_with_its_process(page: Page) -> None:
    crash, code, none, kept = page.run("""
        rt = await shared_runtime()
        p = await rt.spawn(["sh", "-c", "kill -ABRT $$"], stdout=DEVNULL, stderr=DEVNULL)
        await p.wait()
        q = await rt.spawn(["sh", "-c", "kill -TERM $$"], stdout=DEVNULL, stderr=DEVNULL)
        await q.wait()
        [p.crash, p.returncode, q.crash, rt.crashes[-1][0] == p.pid]
    """)
    assert "ended by SIGABRT" in crash and "  pc   0x" in crash and "mapped:" in crash
    assert code == -6 and none is None and kept


def test_calls_in_part_are_counted_by_program(page: Page) -> None:
    assert page.run("""
        rt = await shared_runtime()
        await rt.unsupported_calls()
        await rt.run(["true"])
        uses = await rt.unsupported_calls()
        [sorted({u.program for u in uses}), all(u.level in ("none", "partial") and u.count > 0 for u in uses),
         [u.name for u in uses if u.matters], await rt.unsupported_calls()]
    """) == [["true"], True, [], []]
