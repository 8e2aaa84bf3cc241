"""The runtime in Chromium: boot, processes, streams, terminals, files, both topologies."""

from __future__ import annotations

import pytest

from .conftest import Page

pytestmark = pytest.mark.page


def test_split_and_together_boot_and_run_a_pipeline(page: Page) -> None:
    assert page.run("""
        out = {}
        for topology in ("split", "together"):
            t = time.perf_counter()
            async with await new_runtime(topology=topology) as rt:
                await busybox(rt)
                done = await rt.run(["sh", "-c", "printf hi | cat; exit 3"], timeout=60)
                out[topology] = [done.stdout.decode(), done.returncode]
                print(topology, time.perf_counter() - t)
        out
    """) == {"split": ["hi", 3], "together": ["hi", 3]}


def test_streams_both_ways_and_backpressure(page: Page) -> None:
    assert page.run("""
        rt = await shared_runtime()
        p = await rt.spawn(["cat"], stdin=PIPE, stdout=PIPE)
        data = bytes(range(256)) * 20000
        t = time.perf_counter()
        out, err = await asyncio.wait_for(p.communicate(data), 30)
        print("cat 5 MB", time.perf_counter() - t)
        flood = await rt.spawn(["sh", "-c", "yes | head -c 10000000; echo done >&2"], stdout=PIPE, stderr=PIPE)
        await asyncio.sleep(0.3)
        held = flood.returncode is None
        n = 0
        while chunk := await flood.stdout.read(65536):
            n += len(chunk)
        [out == data, held, n, (await flood.stderr.readline()).decode(), await flood.wait()]
    """) == [True, True, 10000000, "done\n", 0]


def test_missing_and_malformed_programs(page: Page) -> None:
    assert page.run("""
        rt = await shared_runtime()
        said = []
        try:
            await rt.spawn(["nothing"])
        except FileNotFoundError as e:
            said.append(e.filename)
        await rt.fs.write_file("/tmp/bad", b"\\x7fELF nonsense", 0o755)
        await rt.fs.write_file("/tmp/plain", b"text", 0o644)
        for path in ("/tmp/bad", "/tmp/plain"):
            try:
                await rt.spawn([path])
            except OSError as e:
                said.append([type(e).__name__, e.strerror, e.filename])
        done = await rt.run(["sh", "-c", "nothing; echo $?"])
        said + [done.stdout.decode(), done.stderr.decode()]
    """) == [
        "nothing",
        ["OSError", "Exec format error", "/tmp/bad"],
        ["PermissionError", "Permission denied", "/tmp/plain"],
        "127\n",
        "sh: nothing: not found\n",
    ]


def test_a_terminal_edits_lines_sends_signals_and_is_resized(page: Page) -> None:
    out = page.run("""
        rt = await shared_runtime()
        p = await rt.spawn(["sh"], tty=(33, 99), env={"PATH": "/bin", "PS1": "$ ", "TERM": "xterm"})
        async def until(text):
            got = b""
            while text not in got:
                got += await asyncio.wait_for(p.stdout.read(4096), 10)
            return got
        await until(b"$ ")
        p.stdin.write(b"stty size\\n")
        await until(b"33 99\\r\\n")
        p.resize(40, 120)
        p.stdin.write(b"stty size\\n")
        await until(b"40 120\\r\\n")
        p.stdin.write(b"sleep 100\\n")
        await asyncio.sleep(0.3)
        p.stdin.write(b"\\x03")
        await until(b"$ ")
        p.stdin.write(b"echo status $?\\n")
        got = await until(b"status 130")
        p.stdin.write(b"exit 4\\n")
        rest = await asyncio.wait_for(p.stdout.read(), 10)
        [await asyncio.wait_for(p.wait(), 10), p.stdout.at_eof()]
    """)
    assert out == [4, True]


def test_an_endless_loop_is_killed(page: Page) -> None:
    code = page.run("""
        rt = await shared_runtime()
        p = await rt.spawn(["sh", "-c", "while :; do :; done"], stdout=DEVNULL, stderr=DEVNULL)
        await asyncio.sleep(0.2)
        p.kill()
        await asyncio.wait_for(p.wait(), 10)
    """)
    assert code == -9


def test_roots_are_fresh_copies(page: Page) -> None:
    assert page.run("""
        rt = await shared_runtime()
        seen = []
        for n in range(3):
            root = await rt.root_new(0)
            await rt.run(["sh", "-c", f"echo {n} >> /tmp/mark; rm -f /bin/true"], root=root)
            seen.append((await rt.fs.read_file("/tmp/mark", root=root)).decode())
            await rt.root_drop(root)
        seen + [await rt.fs.exists("/tmp/mark"), await rt.fs.exists("/bin/true")]
    """) == ["0\n", "1\n", "2\n", False, True]


def test_a_root_can_be_dropped_as_soon_as_its_processes_are_killed(page: Page) -> None:
    assert (
        page.run("""
        rt = await shared_runtime()
        for _ in range(20):
            root = await rt.root_new(0)
            script = "sleep 100 & (sleep 100; :) & yes | cat > /dev/null & while :; do :; done"
            p = await rt.spawn(["sh", "-c", script], root=root, stdout=tm.DEVNULL)
            await asyncio.sleep(0.05)
            await rt.kill_all()
            await rt.root_drop(root)
        "dropped"
    """)
        == "dropped"
    )


def test_a_read_only_mount_refuses_guests_and_the_api(page: Page) -> None:
    assert page.run("""
        import errno
        rt = await shared_runtime()
        root = await rt.root_new(0)
        await rt.fs.write_files({"/data/file": "kept", "/data/sub/x": "x"}, root=root)
        await rt.fs.mount("/data", read_only=True, root=root)
        await rt.fs.mkdir("/seen", root=root)
        await rt.fs.mount("/seen", "/data/sub", root=root)
        said = []
        for change in (rt.fs.write_file("/data/file", b"", root=root), rt.fs.mkdir("/data/d", root=root),
                       rt.fs.remove("/data/file", root=root), rt.fs.rename("/data/file", "/data/g", root=root),
                       rt.fs.symlink("x", "/data/l", root=root)):
            try:
                await change
                said.append("done")
            except OSError as e:
                said.append(errno.errorcode[e.errno])
        script = "cat /data/file; echo x > /data/file || echo no; echo y > /seen/x && cat /data/sub/x"
        p = await rt.run(["sh", "-c", script], root=root)
        said.append(p.stdout.decode())
        await rt.fs.unmount("/seen", root=root)
        await rt.fs.unmount("/data", root=root)
        await rt.fs.write_file("/data/file", "now", root=root)
        said.append((await rt.fs.read_file("/data/file", root=root)).decode())
        try:
            await rt.fs.unmount("/data", root=root)
        except OSError as e:
            said.append(errno.errorcode[e.errno])
        await rt.root_drop(root)
        said
    """) == ["EROFS"] * 5 + ["keptno\ny\n", "now", "EINVAL"]


def test_a_corrupted_layer_is_refused_whole_and_names_the_file(page: Page) -> None:
    said, left = page.run("""
        rt = await shared_runtime()
        await busybox(rt)
        root = await rt.root_new(-1)
        good = builtins.layer
        blob = good.blob.slice()
        entry = next(e for e in good.entries() if e.is_file and e.size > 1000)
        blob[entry.offset + 500] ^= 1
        bad = tm.layers.Layer(good.manifest, good.index, blob, "bad")
        try:
            await rt.fs.apply_layer(bad, root=root)
            said = "accepted"
        except tm.LayerError as e:
            said = str(e)
        [said, [entry.path in said, await rt.fs.exists("/" + entry.path, root=root)]]
    """)
    assert "corrupted" in said and left == [True, False]


def test_a_lazy_layer_starts_without_its_bodies(page: Page) -> None:
    """This server knows no ranges: the one request that brings everything is enough, and right."""
    seen, out, left, names = page.run("""
        rt = await shared_runtime()
        root = await rt.root_new(-1)
        told = []
        rt.fs.on_fetch = lambda p: told.append((p.here, p.total, p.requests))
        await rt.fs.apply_layer("lazy", lazy=True, root=root)
        names = await rt.fs.readdir("/usr/bin", root=root)
        before = told[-1]
        done = await rt.run(["busybox", "echo", "hi"], root=root)
        rt.fs.on_fetch = None
        await rt.root_drop(root)
        [[before[0], told[-1][0] == told[-1][1], told[-1][2]], done.stdout, await rt.fs.prefetch("/"), names]
    """)
    assert seen == [0, True, 1] and bytes(out) == b"hi\n" and left == 0 and "busybox" in names


def test_prefetch_brings_a_file_or_says_what_is_wrong(page: Page) -> None:
    fetched, again, said = page.run("""
        import errno

        rt = await shared_runtime()
        root = await rt.root_new(-1)
        await rt.fs.apply_layer("lazy.tdx", root=root)
        fetched = await rt.fs.prefetch("/", root=root)
        again = await rt.fs.prefetch("/usr", root=root)
        other = await rt.root_new(-1)
        await rt.fs.apply_layer("nowhere.tdx", root=other)
        said = []
        for attempt in (rt.fs.prefetch, rt.fs.read_file):
            try:
                await attempt("/usr/bin/busybox", root=other)
            except OSError as e:
                said.append([e.errno == errno.EIO, e.strerror])
        try:
            await rt.run(["busybox", "true"], root=other)
        except OSError as e:
            said.append([e.errno == errno.EIO, e.filename])
        [fetched > 500_000, again, said]
    """)
    assert fetched and again == 0
    assert [s[0] for s in said] == [True] * 3 and "404" in said[0][1] and said[2][1] == "busybox"
