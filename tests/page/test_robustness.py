"""What must not hang or leak in Chromium: crashes of every kind of worker, panics, fork bombs, many runtimes."""

from __future__ import annotations

from typing import Any

import pytest
from pytest_pyodide.fixture import selenium_common
from pytest_pyodide.server import spawn_web_server

from .conftest import INSTALL, SERVED, Page

pytestmark = pytest.mark.page

HOOKS = """
from tidemark_py.abi.gen import messages as m

async def outcome(awaitable, seconds=10):
    try:
        return repr(await asyncio.wait_for(awaitable, seconds))
    except Exception as e:
        return f"{type(e).__name__}: {e}"

async def victim():
    rt = await busybox(await new_runtime())
    p = await rt.spawn(["sleep", "100"], stdout=PIPE)
    pending = [asyncio.ensure_future(outcome(p.wait())), asyncio.ensure_future(outcome(p.stdout.read()))]
    await asyncio.sleep(0.1)
    return rt, p, pending
"""


def run(page: Page, code: str, seconds: float = 60) -> Any:
    return page.run(HOOKS + code, seconds)


def test_a_lost_worker_ends_its_process_and_leaves_the_runtime_usable(page: Page) -> None:
    assert run(
        page,
        """
rt, p, pending = await victim()
await rt._ports["process_owner"].request(m.PoolCrash(p.pid, False))
said = [await each for each in pending]
done = await rt.run(["echo", "still here"])
await rt._ports["process_owner"].request(m.PoolCrash(0, False))
await asyncio.sleep(0.2)
again = await rt.run(["echo", "still here"])
stats = await rt.pool_stats()
rt.close()
[said, done.stdout.decode(), again.stdout.decode(), stats.crashed]
""",
    ) == [["-9", "b''"], "still here\n", "still here\n", 2]


@pytest.mark.parametrize(
    ("who", "error"),
    [
        ('"process_owner"].request(m.PoolCrash(0, True))', "KernelPanic"),
        ('"process_owner"].request(m.PoolCrash(-1, True))', "KernelPanic"),
        ('"process_owner"].request(m.PoolCrash(-1, False))', "WorkerCrashed"),
        ('"kernel_worker"].request(m.KernelCrash(True))', "KernelPanic"),
        ('"kernel_worker"].request(m.KernelCrash(False))', "WorkerCrashed"),
    ],
)  # fmt: skip
def test_a_throw_ends_everything_pending_with_one_error(page: Page, who: str, error: str) -> None:
    pending, later = run(
        page,
        f"""
rt, p, pending = await victim()
asyncio.ensure_future(outcome(rt._ports[{who}))
said = [await each for each in pending]
later = [await outcome(rt.run(["true"])), await outcome(rt.fs.readdir("/"))]
rt.close()
[said, later]
""",
    )
    assert len({*pending, *later}) == 1, (pending, later)
    assert pending[0].startswith(f"{error}: ")


def test_a_second_and_a_stale_resume_are_refused_and_counted(page: Page) -> None:
    assert run(
        page,
        """
rt = await shared_runtime()
before = (await rt.snapshot()).counters
p = await rt.spawn(["sh", "-c", "sleep 0.3 & wait; sleep 100"], stdout=DEVNULL, stderr=DEVNULL)
await asyncio.sleep(0.6)
state = await rt.snapshot()
thread = next(t for t in state.threads if t.pid == p.pid)
owner = rt._ports["process_owner"]
results = []
for generation in (thread.generation, thread.generation + 7, 0):
    results.append((await owner.request(m.PoolResume(thread.slot, generation))).result)
after = (await rt.snapshot()).counters
p.kill()
await p.wait()
[results, after["resumes_refused"] - before["resumes_refused"]]
""",
    ) == [[-116, -116, -116], 3]


def test_500_forks_and_waits_lose_and_double_nothing(page: Page) -> None:
    out, resumes, processes = run(
        page,
        """
rt = await shared_runtime()
before = (await rt.snapshot()).counters["resumes"]
t = time.perf_counter()
script = '''n=0; i=0
while [ $i -lt 500 ]; do (exit $((i % 7))); [ $? = $((i % 7)) ] && n=$((n+1)); i=$((i+1)); done; echo $n'''
done = await rt.run(["sh", "-c", script])
took = time.perf_counter() - t
print("fork+exit+wait in sh, ms:", took * 2)
after = (await rt.snapshot()).counters
[done.stdout.decode(), after["resumes"] - before, after["processes"]]
""",
        120,
    )
    assert out == "500\n" and resumes == 500 and processes == 1


def test_a_fork_bomb_ends_in_eagain_and_others_live_on(page: Page) -> None:
    err, shell, left, after = run(
        page,
        """
rt = await busybox(await new_runtime())
other = await rt.spawn(["cat"], stdin=PIPE, stdout=PIPE)
bomb = await rt.spawn(["sh", "-c", "b() { b | b & wait; }; b"], stdout=DEVNULL, stderr=PIPE)
err = b""
while b"fork" not in err and (chunk := await asyncio.wait_for(bomb.stderr.read(4096), 40)):
    err += chunk
other.stdin.write(b"alive\\n")
shell = await asyncio.wait_for(other.stdout.readline(), 20)
await rt.kill_all()
left = (await rt.snapshot()).counters["processes"]
after = (await rt.run(["echo", "after"], timeout=60)).stdout
rt.close()
[err.decode(), shell.decode(), left, after.decode()]
""",
        120,
    )
    assert "Resource temporarily unavailable" in err
    assert [shell, left, after] == ["alive\n", 1, "after\n"]


def test_a_fork_bomb_beyond_what_the_tab_gives_ends_in_eagain_too(page: Page) -> None:
    err, after = run(
        page,
        """
rt = await busybox(await new_runtime(memories_cap=150))
script = "for i in $(seq 150); do sleep 100 & done"
bomb = await rt.spawn(["sh", "-c", script], stdout=DEVNULL, stderr=PIPE)
err = await asyncio.wait_for(bomb.stderr.readline(), 60)
await rt.kill_all()
after = (await rt.run(["echo", "after"], timeout=60)).stdout
rt.close()
[err.decode(), after.decode()]
""",
        110,
    )
    assert "Resource temporarily unavailable" in err and after == "after\n"


def test_two_runtimes_in_one_page_do_not_see_each_other(page: Page) -> None:
    assert run(
        page,
        """
a, b = await asyncio.gather(new_runtime(), new_runtime())
await asyncio.gather(busybox(a), busybox(b))
await a.fs.write_file("/tmp/x", "a")
await b.fs.write_file("/tmp/x", "b")
out = await asyncio.gather(*(rt.run(["cat", "/tmp/x"]) for rt in (a, b)))
a.close()
again = await b.run(["cat", "/tmp/x"])
b.close()
[o.stdout.decode() for o in out] + [again.stdout.decode()]
""",
    ) == ["a", "b", "b"]


def test_close_with_everything_under_way(page: Page) -> None:
    pending = run(
        page,
        """
rt, p, pending = await victim()
writer = await rt.spawn(["sleep", "100"], stdin=PIPE, stdout=DEVNULL, stderr=DEVNULL)
writer.stdin.write(bytes(1 << 20))
pending.append(asyncio.ensure_future(outcome(writer.stdin.drain())))
await asyncio.sleep(0)
rt.close()
[await each for each in pending]
""",
    )
    assert pending == ["RuntimeClosed: the runtime was closed"] * 3


def test_boot_failures_are_one_clear_error(page: Page) -> None:
    kernel, abi, pyodide, late = run(
        page,
        """
async def create(**options):
    try:
        rt = await tm.Runtime.create(**options)
        rt.close()
        return "started"
    except tm.TidemarkError as e:
        return f"{type(e).__name__}: {e}"
tiny = bytes([0, 97, 115, 109, 1, 0, 0, 0])
[await create(kernel=b"no wasm"), await create(kernel=tiny, snapshot=await snapshot_bytes()),
 await create(index_url="/nowhere/"), await create(boot_seconds=0.05)]
""",
    )
    assert kernel.startswith("BootError: kernel.wasm does not compile here")
    assert abi.startswith("BootError:") and "tk_" in abi
    assert pyodide.startswith("BootError:") and "pyodide.mjs" in pyodide
    assert late.startswith("BootError:") and "did not start within 0.05 s" in late


def test_closing_with_many_busy_processes_gives_their_memories_back_at_once(page: Page) -> None:
    assert (
        run(
            page,
            """
for n in range(3):
    rt = await busybox(await new_runtime(topology="together"))
    script = "for i in $(seq 30); do sleep 100 & done; while :; do :; done"
    p = await rt.spawn(["sh", "-c", script], stdout=DEVNULL, stderr=DEVNULL)
    while (await rt.snapshot()).counters["memories"] < 31:
        await asyncio.sleep(0.05)
    rt.close()
    await asyncio.sleep(0.5)
"done"
""",
            110,
        )
        == "done"
    )


def test_without_isolation_there_is_one_sentence_with_the_remedy(
    request: pytest.FixtureRequest, web_server_main: Any
) -> None:
    with spawn_web_server(SERVED) as server, selenium_common(request, "chrome", server) as selenium:
        selenium.run_js(INSTALL, pyodide_checks=False)
        said = Page(selenium).run("""
            said = []
            for start in (tm.Runtime.create, tm.install):
                try:
                    await start()
                    said.append("started")
                except tm.IsolationError as e:
                    said.append(str(e))
            said
        """)
    assert "Cross-Origin-Opener-Policy: same-origin" in said[0] and said[0].count(". ") == 0
    assert said[1] == said[0]


@pytest.mark.slow
def test_100_create_and_close_cycles(page: Page) -> None:
    for part in range(4):  # the driver wants an answer within two minutes
        times = run(
            page,
            f"""
times = []
for n in range({part * 25}, {part * 25 + 25}):
    t = time.perf_counter()
    rt = await new_runtime(topology="together" if n % 2 else "split")
    await busybox(rt)
    done = await rt.run(["echo", str(n)], timeout=60)
    assert done.stdout == b"%d\\n" % n
    rt.close()
    times.append(time.perf_counter() - t)
print("cycle, s: first", times[0], "last", times[-1], "most", max(times))
times
""",
            115,
        )
        assert len(times) == 25
