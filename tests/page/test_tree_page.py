"""One file tree: Pyodide's open, os, pathlib and shutil on the kernel's files, and guests on Pyodide's, in Chromium."""

from __future__ import annotations

import pytest

from .conftest import Page
from .test_shims_page import run

pytestmark = pytest.mark.page


def test_files_of_guests_are_files_of_python(page: Page) -> None:
    out = run(
        page,
        """
import errno, pathlib, shutil, stat
rt = await installed()
sh = lambda command: subprocess.check_output(command, shell=True, text=True)
top = pathlib.Path("/tmp/tree")
shutil.rmtree(top, ignore_errors=True)
top.mkdir()
(top / "x").write_text("from python")
said = [sh("cat /tmp/tree/x"), os.path.samefile(top / "x", "/mnt/guest/tmp/tree/x")]
sh("cd /tmp/tree; echo more >> x; chmod 640 x; ln -s x l; ln -s /tmp/tree/x abs; mkdir d; echo a > d/a; ln x hard")
got = os.stat(top / "x")
said.append([oct(got.st_mode), got.st_size, got.st_nlink, got.st_uid])
said.append([os.readlink(top / "l"), os.readlink(top / "abs"), (top / "abs").read_text() == (top / "x").read_text()])
os.rename(top / "x", top / "y")
said.append(sh("ls /tmp/tree").split())
failed = []
for act in (lambda: os.stat(top / "x"), lambda: os.mkdir(top / "d"), lambda: os.rmdir(top / "d"),
            lambda: os.unlink(top / "d"), lambda: open(top / "d"), lambda: os.listdir(top / "y")):
    try:
        act()
        failed.append("nothing")
    except OSError as e:
        failed.append(errno.errorcode[e.errno])
said.append(failed)
shutil.copytree(top / "d", top / "e")
shutil.rmtree(top / "d")
said.append(sh("cat /tmp/tree/e/a; ls -d /tmp/tree/d 2>&1 | wc -l").split())
os.utime(top / "y", (1, 2))
os.chmod(top / "y", 0o600)
os.chown(top / "y", 5, 6)
os.link(top / "y", top / "z")
said.append(sh("stat -c '%Y %a %u:%g %h' /tmp/tree/y").strip())
with open(top / "new", "w"):
    pass
said.append(oct(os.stat(top / "new").st_mode))
said.append(sorted(str(p.relative_to(top)) for p in top.rglob("*")))
said
""",
    )
    assert out == [
        "from python", True, ["0o100640", 16, 2, 0], ["x", "/tmp/tree/x", True],
        ["abs", "d", "hard", "l", "y"], ["ENOENT", "EEXIST", "ENOTEMPTY", "EISDIR", "EISDIR", "ENOTDIR"],
        ["a", "1"], "2 600 5:6 3", "0o100644", ["abs", "e", "e/a", "hard", "l", "new", "y", "z"],
    ]  # fmt: skip


def test_positions_maps_and_big_files(page: Page) -> None:
    out = run(
        page,
        """
import mmap
rt = await installed()
with open("/tmp/log", "w") as f:
    print("first", file=f, flush=True)
    subprocess.run(["echo", "second"], stdout=f)
    print("third", file=f)
said = [open("/tmp/log").read().split()]
with open("/tmp/log") as f:
    os.read(f.fileno(), 6)
    said.append(subprocess.check_output(["head", "-n", "1"], stdin=f).decode())
with open("/tmp/log", "a") as f:
    subprocess.run(["sh", "-c", "echo between >> /tmp/log"])
    f.write("last")
said.append(open("/tmp/log").read().split()[-2:])
data = bytes(range(256)) * 40000
with open("/tmp/big", "wb+") as f:
    f.write(data)
    f.seek(2560)
    said.append(f.read(4) == data[2560:2564])
said.append(subprocess.check_output("wc -c < /tmp/big", shell=True).decode().strip())
said.append(open("/tmp/big", "rb").read() == data)
with open("/tmp/big", "rb+") as f, mmap.mmap(f.fileno(), 0) as m:
    m[:3] = b"abc"
    m.flush()
    f.truncate(1000)
said.append(subprocess.check_output("head -c 5 /tmp/big | od -c | head -n 1; wc -c < /tmp/big", shell=True).split())
with tempfile.NamedTemporaryFile("w", suffix=".sh") as f:
    f.write("echo script $1")
    f.flush()
    said.append(subprocess.check_output(["sh", f.name, "arg"], text=True))
pipe = "/tmp/fifo"
os.path.exists(pipe) and os.unlink(pipe)
subprocess.run(["mkfifo", pipe], check=True)
p = subprocess.Popen(["sh", "-c", f"echo through > {pipe}"])
fd = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
p.wait()
said.append(os.read(fd, 100).decode())
os.close(fd)
said[6] = [part.decode() for part in said[6]]
said
""",
    )
    assert out == [
        ["first", "second", "third"], "second\n", ["between", "last"], True, "10240000", True,
        ["0000000", "a", "b", "c", "003", "004", "1000"], "script arg\n", "through\n",
    ]  # fmt: skip


def test_what_python_had_is_moved_in_and_back(page: Page) -> None:
    out = run(
        page,
        """
import pyodide_js, shutil
first = await installed()
FS = pyodide_js.FS
os.makedirs("/home/pyodide/mine/deep", exist_ok=True)
open("/home/pyodide/mine/deep/file", "w").write("kept")
if not os.path.lexists("/home/pyodide/mine/link"):
    os.symlink("deep/file", "/home/pyodide/mine/link")
said = [os.getcwd(), subprocess.check_output("cat mine/deep/file; pwd", shell=True, text=True)]
# what is mounted below stays, before and after
os.makedirs("/home/pyodide/mine/other", exist_ok=True)
FS.mount(FS.filesystems.MEMFS, js.Object.new(), "/home/pyodide/mine/other")
open("/home/pyodide/mine/other/here", "w").write("not the kernel's")
said.append([os.listdir("/home/pyodide/mine/other"), subprocess.getoutput("ls /home/pyodide/mine/other")])
second = await busybox(await new_runtime())
await tm.install(second)
said.append(subprocess.check_output("cat mine/link", shell=True, text=True))
said.append(open("/home/pyodide/mine/other/here").read())
second.close()
said.append([open("/home/pyodide/mine/link").read(), os.path.exists("/mnt/guest/etc")])
await tm.install(first)
said.append(subprocess.check_output("cat mine/link", shell=True, text=True))
FS.unmount("/home/pyodide/mine/other")
shutil.rmtree("/home/pyodide/mine")
said.append(subprocess.getoutput("ls -d /home/pyodide/mine 2>&1 | wc -l").strip())
other = await busybox(await new_runtime())
await tm.install(other, mounts={"/guest": "/", "/work": "/data"})
open("/work/a", "w").write("a")
said.append([subprocess.getoutput("cat /data/a"), os.path.isdir("/guest/etc"), os.getcwd()])
os.chdir("/work")
said.append(subprocess.getoutput("pwd"))
os.chdir("/home/pyodide")
other.close()
try:
    await tm.install(await busybox(await new_runtime()), mounts={"relative": "/"})
except ValueError as e:
    said.append(str(e))
(await tm.install()).close()
await tm.install(first)
said
""",
        100,
    )
    assert out[:8] == [
        "/home/pyodide", "kept/home/pyodide\n", [["here"], ""], "kept", "not the kernel's", ["kept", False], "kept",
        "1",
    ]  # fmt: skip
    assert out[8:10] == [["a", True, "/home/pyodide"], "/data"] and "must be absolute" in out[10]


def test_a_lazy_file_comes_when_it_is_opened_or_says_what_to_do(page: Page) -> None:
    out = run(
        page,
        """
import pyodide_js
rt = await busybox(await new_runtime())
await rt.fs.apply_layer("lazy", lazy=True)
await tm.install(rt)
name = "/mnt/guest/usr/bin/busybox"
try:
    pyodide_js.runPython(f"open({name!r}, 'rb').read(4)")
    said = ["read"]
except Exception as e:
    text = f"{type(e).__name__}: {e}"
    said = ["rt.fs.prefetch('/usr/bin/busybox')" in text and "NotHere" in text or text]
said.append(open(name, "rb").read(4))
rt.close()
said
""",
    )
    assert out[0] is True and bytes(out[1]) == b"\x7fELF"


def test_file_calls_are_quick(page: Page) -> None:
    """Against Pyodide's own MEMFS, in the same minute: a ratio holds on a busy machine."""
    ours, own = run(
        page,
        """
rt = await installed()
def spent(folder):
    name = f"{folder}/quick"
    with open(name, "w") as f:
        f.write("x" * 100)
    best = []
    for _ in range(5):
        t = time.perf_counter()
        for _ in range(200):
            os.stat(name)
            with open(name) as f:
                f.read()
        best.append(time.perf_counter() - t)
    os.unlink(name)
    return min(best) / 200 * 1e6
os.makedirs("/own", exist_ok=True)
times = [spent("/tmp"), spent("/own")]
print("stat + open + read + close, us: kernel", times[0], "MEMFS", times[1])
times
""",
    )
    assert ours < own * 8, (ours, own)
