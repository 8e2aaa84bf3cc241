"""Python in the tab has processes: subprocess, os, asyncio over the runtime, in Chromium, as CPython has them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.shim.test_select import SELECTED, SELECTS

from .conftest import Page

pytestmark = pytest.mark.page

INSTALLED = """
import io, os, signal, subprocess, sys, tempfile
async def installed():
    rt = await tm.install(await shared_runtime())
    return rt
async def outcome(function, *args, **kw):
    try:
        return repr(function(*args, **kw))
    except Exception as e:
        return f"{type(e).__name__}: {e}"
"""


def run(page: Page, code: str, seconds: float = 60) -> Any:
    return page.run(INSTALLED + code, seconds)


def test_run_and_its_relatives(page: Page) -> None:
    out = run(
        page,
        """
rt = await installed()
r = subprocess.run(["sh", "-c", "cat; echo err >&2; exit 3"], input=b"in", capture_output=True)
said = [r.returncode, r.stdout.decode(), r.stderr.decode()]
said.append(subprocess.check_output("echo $HOME | tr a-z A-Z", shell=True, text=True))
said.append(subprocess.getoutput("echo a; echo b >&2"))
said.append(subprocess.call(["sh", "-c", "kill -9 $$"]))
both = subprocess.run("echo x >&2; echo y", shell=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
said.append(both.stdout.decode())
try:
    subprocess.run(["false"], check=True)
except subprocess.CalledProcessError as e:
    said.append(str(e))
for args in (["nothing"], ["/tmp"]):
    try:
        subprocess.Popen(args)
    except OSError as e:
        said.append([type(e).__name__, e.filename])
try:
    subprocess.run(["true"], cwd="/nowhere")
except OSError as e:
    said.append([type(e).__name__, e.filename])
said
""",
    )
    assert out == [
        3, "in", "err\n", "/HOME/PYODIDE\n", "a\nb", -9, "x\ny\n",
        "Command '['false']' returned non-zero exit status 1.",
        ["FileNotFoundError", "nothing"], ["PermissionError", "/tmp"], ["FileNotFoundError", "/nowhere"],
    ]  # fmt: skip


def test_streaming_timeouts_and_signals(page: Page) -> None:
    out = run(
        page,
        """
rt = await installed()
p = subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)
p.stdin.write("one\\n")
said = [p.stdout.readline(), p.poll()]
p.stdin.close()
said += [p.stdout.read(), p.wait()]
t = time.perf_counter()
p = subprocess.Popen(["sh", "-c", "echo early; sleep 100"], stdout=subprocess.PIPE)
try:
    p.communicate(timeout=0.3)
except subprocess.TimeoutExpired as e:
    said.append(e.output.decode())
try:
    p.wait(timeout=0.1)
except subprocess.TimeoutExpired as e:
    said.append(e.timeout)
p.terminate()
said += [p.communicate()[0].decode(), p.returncode, time.perf_counter() - t < 5]
p = subprocess.Popen(["sleep", "100"])
os.kill(p.pid, signal.SIGINT)
said.append(p.wait())
a = subprocess.Popen(["echo", "through"], stdout=subprocess.PIPE)
b = subprocess.Popen(["tr", "a-z", "A-Z"], stdin=a.stdout, stdout=subprocess.PIPE)
a.stdout.close()
said += [b.communicate()[0].decode(), a.wait()]
said
""",
    )
    assert out == ["one\n", None, "", 0, "early\n", 0.1, "early\n", -15, True, -2, "THROUGH\n", 0]


def test_files_devnull_and_descriptors(page: Page) -> None:
    out = run(
        page,
        """
rt = await installed()
with tempfile.TemporaryFile() as f:
    subprocess.run(["sh", "-c", "echo out; echo err >&2"], stdout=f, stderr=f, check=True)
    f.seek(0)
    said = [f.read().decode()]
    f.seek(4)
    said.append(subprocess.run(["cat"], stdin=f, stdout=subprocess.PIPE).stdout.decode())
said.append(subprocess.run(["cat"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE).stdout)
r, w = os.pipe()
p = subprocess.Popen(["sh", "-c", f"echo passed >&{w}"], pass_fds=[w])
os.close(w)
with os.fdopen(r) as f:
    said.append(f.read())
said.append(p.wait())
said[2] = said[2].decode()
said
""",
    )
    assert out == ["out\nerr\n", "err\n", "", "passed\n", 0]


def test_os_processes(page: Page) -> None:
    out = run(
        page,
        """
import shutil
rt = await installed()
said = [os.waitstatus_to_exitcode(os.system("exit 7")), os.popen("echo popen").read()]
pid = os.posix_spawnp("sh", ["sh", "-c", "exit 5"], os.environ)
said.append(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
said.append(await outcome(os.waitpid, pid, 0))
said.append(await outcome(os.kill, 999999, 0))
f = io.StringIO()
import contextlib
with contextlib.redirect_stdout(f):
    subprocess.run(["echo", "inherited"])
said.append(f.getvalue())
said
""",
    )
    assert out[:3] == [7, "popen\n", 5]
    assert out[3].startswith("ChildProcessError") and out[4].startswith("ProcessLookupError")
    assert out[5] == "inherited\n"


def test_which_and_what_cannot_wait(page: Page) -> None:
    out = run(
        page,
        """
import shutil, pyodide_js
rt = await installed()
said = [shutil.which("cat"), shutil.which("nothing")]
try:
    pyodide_js.runPython("import subprocess; subprocess.run(['sleep', '1'])")
except tm.TidemarkError as e:
    said.append(str(e))
except Exception as e:
    said.append(str(e).strip().splitlines()[-1].partition("TidemarkError: ")[2])
said
""",
    )
    assert out[0] in ("/bin/cat", "/usr/bin/cat") and out[1] is None
    assert out[2].startswith("Python cannot wait for a process here, on a page's main thread: run the code by run")


def test_many_children_binary_input_and_a_reader_that_stops(page: Page) -> None:
    out = run(
        page,
        """
rt = await installed()
pipes = dict(stdin=subprocess.PIPE, stdout=subprocess.PIPE)
many = [subprocess.Popen(["sh", "-c", f"read x; echo {n} $x"], **pipes) for n in range(50)]
alive = [p.poll() for p in many] == [None] * 50
said = [alive and [p.communicate(b"go\\n")[0] for p in many] == [b"%d go\\n" % n for n in range(50)]]
data = bytes(range(256)) * 4096
said.append(subprocess.run(["cat"], input=data, stdout=subprocess.PIPE).stdout == data)
p = subprocess.Popen(["yes"], stdout=subprocess.PIPE)
p.stdout.read(10)
p.stdout.close()
said.append(p.wait(timeout=10))
p = subprocess.Popen(["true"], stdin=subprocess.PIPE)
p.wait()
try:
    p.stdin.write(bytes(1 << 20))
    p.stdin.close()
except BrokenPipeError:
    said.append("broken")
said
""",
    )
    assert out == [True, True, -13, "broken"]


def test_select_and_poll_wait_for_kernel_pipes(page: Page) -> None:
    """select(2), poll(2): on the page's main thread, where waiting is JSPI."""
    assert run(page, "rt = await installed()\n" + SELECTS) == SELECTED


def test_asyncio_subprocesses(page: Page) -> None:
    out = run(
        page,
        """
rt = await installed()
p = await asyncio.create_subprocess_exec("cat", stdin=subprocess.PIPE, stdout=subprocess.PIPE)
got, _ = await p.communicate(b"x" * 300000)
said = [len(got), p.returncode]
p = await asyncio.create_subprocess_shell("echo a; sleep 0.1; echo b; exit 4", stdout=subprocess.PIPE)
lines = [line.decode() async for line in p.stdout]
said += [lines, await p.wait()]
p = await asyncio.create_subprocess_exec("sleep", "100")
p.kill()
said.append(await p.wait())
try:
    await asyncio.create_subprocess_exec("nothing")
except FileNotFoundError as e:
    said.append(e.filename)
start = asyncio.create_subprocess_exec
many = await asyncio.gather(*[start("echo", str(n), stdout=subprocess.PIPE) for n in range(20)])
said.append([(await p.communicate())[0].decode().strip() for p in many] == [str(n) for n in range(20)])
said
""",
    )
    assert out == [300000, 0, ["a\n", "b\n"], 4, -9, "nothing", True]


def test_1000_in_a_row_leave_no_memory_behind_and_200_megabytes_come_whole(page: Page) -> None:
    out = run(
        page,
        """
rt = await installed()
for _ in range(50):
    subprocess.run(["true"])
before = (await rt.snapshot()).counters
times = []
for _ in range(1000):
    t = time.perf_counter()
    subprocess.run(["true"])
    times.append(time.perf_counter() - t)
after = (await rt.snapshot()).counters
ms = sorted(times)[500] * 1000
t = time.perf_counter()
p = subprocess.Popen(["dd", "if=/dev/zero", "bs=64k", "count=3200"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
n = 0
while data := p.stdout.read(1 << 20):
    n += len(data)
p.wait()
rate = n / (time.perf_counter() - t) / 1e6
print("subprocess.run(true), ms:", ms, "MB/s:", rate, before, after)
grown = {k: after[k] - before[k] for k in ("processes", "memories", "heap_used")}
[n, grown]
""",
        110,
    )
    size, grown = out
    assert grown["processes"] == grown["memories"] == 0 and abs(grown["heap_used"]) < 1 << 20
    assert size == 3200 << 16  # how quick it is: `build.py bench --only subprocess`


def test_install_twice_and_after_close(page: Page) -> None:
    out = run(
        page,
        """
rt = await installed()
said = [(await tm.install()) is rt]
other = await busybox(await new_runtime())
await tm.install(other)
said.append(subprocess.check_output(["echo", "other"]).decode())
other.close()
said.append(await outcome(subprocess.run, ["true"]))
try:
    await tm.install(other)
except tm.RuntimeClosed as e:
    said.append(str(e))
await tm.install(rt)
said.append(subprocess.check_output(["echo", "back"]).decode())
try:
    await tm.install(layers="nowhere.tdl")
except Exception as e:
    said.append(type(e).__name__)
said
""",
    )
    assert out[:2] == [True, "other\n"] and out[2].startswith("RuntimeClosed") and out[3] == "the runtime was closed"
    assert out[4] == "back\n"


WORKER = """
import { loadPyodide } from "ORIGIN/pyodide.mjs";
const pyodide = await loadPyodide({ indexURL: "ORIGIN/" });
pyodide.unpackArchive(await (await fetch("ORIGIN/tidemark.whl")).arrayBuffer(), "wheel");
self.onmessage = async (e) => {
  try {
    self.postMessage(await pyodide.runPythonAsync(e.data));
  } catch (error) {
    self.postMessage(String(error));
  }
};
self.postMessage("ready");
"""
IN_WORKER = """
import subprocess, tidemark_py
rt = await tidemark_py.install(layers="ORIGIN/busybox.tdl.gz")
done = subprocess.run(["sh", "-c", "cat | tr a-z A-Z; exit 3"], input=b"in a worker", stdout=subprocess.PIPE)
rt.close()
f"{done.stdout.decode()} {done.returncode}"
"""


def test_install_in_a_worker_kernel(page: Page) -> None:
    assert page.run(
        f"""
from pyodide.ffi import create_proxy, to_js
origin = str(js.location.origin)
options = to_js({{"type": "text/javascript"}}, dict_converter=js.Object.fromEntries)
source = js.Blob.new(to_js([{WORKER!r}.replace("ORIGIN", origin)]), options)
module = to_js({{"type": "module"}}, dict_converter=js.Object.fromEntries)
worker = js.Worker.new(js.URL.createObjectURL(source), module)
queue = asyncio.Queue()
heard = create_proxy(lambda e: queue.put_nowait(str(e.data)))
worker.onmessage = heard
said = [await asyncio.wait_for(queue.get(), 30)]
worker.postMessage({IN_WORKER!r}.replace("ORIGIN", origin))
said.append(await asyncio.wait_for(queue.get(), 40))
worker.terminate()
said
""",
        90,
    ) == ["ready", "IN A WORKER 3"]


def test_spawn_family_and_the_flag_of_inheritance(page: Page) -> None:
    out = run(
        page,
        """
import fcntl
rt = await installed()
said = [os.spawnlp(os.P_WAIT, "sh", "sh", "-c", "exit 6"), os.spawnv(os.P_WAIT, "/nothing", ["nothing"])]
pid = os.spawnvpe(os.P_NOWAIT, "sh", ["sh", "-c", "kill -9 $$"], {})
said.append(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
os.putenv("BEHIND", "its back")
said.append(subprocess.getoutput("echo $BEHIND"))
os.unsetenv("BEHIND")
with open("/tmp/own", "w") as f:
    said.append(os.get_inheritable(f.fileno()))
    fcntl.fcntl(f.fileno(), fcntl.F_SETFD, 0)
    said.append(os.get_inheritable(f.fileno()))
    said.append(fcntl.fcntl(f.fileno(), fcntl.F_GETFD))
try:
    os.get_inheritable(f.fileno() if not f.closed else 999)
except OSError as e:
    said.append(e.errno == 8)
said
""",
    )
    assert out == [6, 127, -9, "its back", False, True, 0, True]


def test_asyncio_drain_raises_when_the_child_has_gone(page: Page) -> None:
    out = run(
        page,
        """
rt = await installed()
p = await asyncio.create_subprocess_exec("sh", "-c", "exec <&-; sleep 0.1", stdin=subprocess.PIPE)
p.stdin.write(bytes(4 << 20))
try:
    await p.stdin.drain()
    said = "nothing"
except (BrokenPipeError, ConnectionResetError) as e:
    said = "gone"
[said, await p.wait()]
""",
    )
    assert out == ["gone", 0]


def test_users_and_groups_are_the_guests(page: Page) -> None:
    out = run(
        page,
        """
import grp, pwd
rt = await installed()
said = [pwd.getpwuid(0).pw_name, pwd.getpwnam("nobody").pw_uid, grp.getgrgid(0).gr_name]
await rt.fs.write_file("/etc/group", (await rt.fs.read_file("/etc/group")) + b"crew:x:4321:root,user\\n")
said.append(list(grp.getgrnam("crew")[2:]))
said.append(subprocess.check_output(["id", "-g"], group="crew", text=True))
for wrong in (lambda: grp.getgrnam("none"), lambda: pwd.getpwuid(-5)):
    try:
        wrong()
    except KeyError as e:
        said.append("KeyError")
said
""",
    )
    assert out == ["root", 65534, "root", [4321, ["root", "user"]], "4321\n", "KeyError", "KeyError"]
