"""A folder of the user's (here one of OPFS: the same interface as showDirectoryPicker's): guests and Python see it."""

from __future__ import annotations

import pytest

from .conftest import Page

pytestmark = [pytest.mark.page, pytest.mark.slow]


def test_guests_and_python_see_the_folder_and_the_folder_what_they_write(page: Page) -> None:
    out = page.run(
        """
        from tidemark_py.sdk.folder import open_folder
        from tidemark_py.host.folder import HandleFolder

        top = await js.navigator.storage.getDirectory()
        handle = await top.getDirectoryHandle("of-the-user", create=True)
        mine = HandleFolder(handle)  # what another program does to the folder
        await mine.mkdir("src")
        await mine.write("src/main.c", b"int main;")
        await mine.write("notes", "Gr\\u00fc\\u00dfe".encode())

        rt = await busybox(await new_runtime())
        folder = await open_folder(rt.fs, "/mnt/work", handle)
        async def sh(script):
            done = await rt.run(["sh", "-c", "cd /mnt/work; " + script], timeout=30)
            return done.stdout.decode() + done.stderr.decode()
        out = [await sh("find . | sort; cat src/main.c notes")]
        change = "mkdir out; wc -c < notes > out/count; rm src/main.c; ln -s notes link; echo more >> notes"
        out.append(await sh(change))
        done = await folder.sync()
        out.append([done.written, done.removed, done.skipped, done.conflicts])
        out.append([(await mine.read("out/count")).decode(), await mine.stamp("src/main.c"), sorted(await mine.scan())])

        await tm.install(rt, mounts={"/work": "/mnt/work"})
        with open("/work/from-python", "w") as f:
            f.write("python")
        import os
        folder.every(0.1)
        while await mine.stamp("from-python") is None:
            await asyncio.sleep(0.05)
        await mine.write("notes", b"changed outside")
        await mine.remove("out/count")
        while os.path.exists("/work/out/count") or open("/work/notes").read() != "changed outside":
            await asyncio.sleep(0.05)
        out.append([folder.problem, await sh("ls out; cat notes from-python")])
        await sh("echo last > last")
        await folder.close()
        out.append((await mine.read("last")).decode())
        try:
            await mine.remove("src/none/none")
            await mine.write("src", b"a directory is there")
        except OSError as e:
            out.append([type(e).__name__, "refuses" in str(e)])
        await rt.fs.write_file("/mnt/work/both", b"in")
        await mine.write("both", b"outside")
        out.append([(await folder.sync()).conflicts, (await folder.sync(prefer="outside")).brought])
        out.append(await sh("cat both"))
        rt.close()
        await top.removeEntry("of-the-user", recursive=True)
        try:
            await folder.sync()
        except OSError as e:
            out.append(type(e).__name__)
        out
    """,
        100,
    )
    assert out == [
        ".\n./notes\n./src\n./src/main.c\nint main;Grüße",
        "",
        [["notes", "out", "out/count"], ["src/main.c"], ["link"], []],
        ["7\n", None, ["notes", "out", "out/count", "src"]],
        [None, "changed outsidepython"],
        "last\n",
        ["FileExistsError", True],
        [["both"], ["both"]],
        "outside",
        "FileNotFoundError",
    ]
