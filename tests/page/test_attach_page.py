"""An attached Pyodide is a process: terminals, job control, signals; and Pyodides of other workers, in Chromium."""

from __future__ import annotations

import pytest

from .conftest import Page
from .test_shims_page import run

pytestmark = pytest.mark.page


def test_terminals(page: Page) -> None:
    out = run(
        page,
        """
import contextlib, pty, termios
rt = await installed()
master, slave = os.openpty()
said = [os.isatty(slave), tuple(os.get_terminal_size(slave))]
termios.tcsetwinsize(master, (33, 99))
said.append(tuple(os.get_terminal_size(slave)))
modes = termios.tcgetattr(slave)
modes[3] &= ~termios.ECHO
termios.tcsetattr(slave, termios.TCSANOW, modes)
os.write(master, b"line\\n")
said.append(os.read(slave, 100).decode())
os.close(master)
os.close(slave)
shown = io.StringIO()
with contextlib.redirect_stdout(shown):
    status = pty.spawn(["sh", "-c", "tty; stty size; exit 3"])
said += [shown.getvalue().split(), os.waitstatus_to_exitcode(status)]
said
""",
    )
    assert out == [True, [80, 24], [99, 33], "line\n", ["/dev/pts/0", "24", "80"], 3]


def test_job_control_and_waitid(page: Page) -> None:
    out = run(
        page,
        """
rt = await installed()
p = subprocess.Popen(["sleep", "100"], process_group=0)
os.kill(p.pid, signal.SIGSTOP)
pid, status = os.waitpid(p.pid, os.WUNTRACED)
said = [pid == p.pid, os.WIFSTOPPED(status), os.WSTOPSIG(status) == signal.SIGSTOP]
os.kill(p.pid, signal.SIGCONT)
pid, status = os.waitpid(-p.pid, os.WCONTINUED)
said += [pid == p.pid, os.WIFCONTINUED(status), os.waitpid(p.pid, os.WNOHANG)]
os.killpg(p.pid, signal.SIGTERM)
info = os.waitid(os.P_PID, p.pid, os.WEXITED | os.WNOWAIT)
said += [info.si_pid == p.pid, info.si_status, p.wait()]
said += [subprocess.getoutput("echo $PPID") == str(os.getpid()), os.getpgid(0) == os.getpid()]
heard = []
signal.signal(signal.SIGUSR1, lambda number, frame: heard.append(number))
subprocess.run("kill -USR1 $PPID", shell=True)
said.append(heard == [signal.SIGUSR1])
try:
    os.kill(os.getpid(), signal.SIGINT)
except KeyboardInterrupt:
    said.append("interrupted")
said
""",
    )
    assert out == [True, True, True, True, True, [0, 0], True, 15, -15, True, True, True, "interrupted"]


def test_posix_spawn_file_actions(page: Page) -> None:
    out = run(
        page,
        """
rt = await installed()
path, five = "/tmp/spawned", "/tmp/five"
open(five, "w").write("five")
script = "echo out; echo err >&2; cat <&5; cat"
actions = [
    (os.POSIX_SPAWN_OPEN, 1, path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600),
    (os.POSIX_SPAWN_DUP2, 1, 2),
    (os.POSIX_SPAWN_OPEN, 5, five, os.O_RDONLY, 0),
    (os.POSIX_SPAWN_CLOSE, 0),
]
pid = os.posix_spawnp("sh", ["sh", "-c", script], os.environ, file_actions=actions)
said = [os.waitpid(pid, 0)[1], open(path).read(), oct(os.stat(path).st_mode)]
try:
    os.posix_spawn("/bin/sh", ["sh"], {}, file_actions=[(os.POSIX_SPAWN_OPEN, 1, "/nowhere/x", os.O_RDONLY, 0)])
except FileNotFoundError as e:
    said.append(e.filename)
said
""",
    )
    assert out == [0, "out\nerr\nfive", "0o100600", "/nowhere/x"]


def test_the_stop_button_reaches_python_and_its_children(page: Page) -> None:
    out = run(
        page,
        """
import pyodide_js
from pyodide.code import run_js
rt = await installed()
def stopped():
    script = "trap 'echo got; exit 7' INT; echo ready; while :; do sleep 0.05; done"
    p = subprocess.Popen(["sh", "-c", script], stdout=subprocess.PIPE, text=True)
    assert p.stdout.readline() == "ready\\n"
    try:
        p.wait()
        return "ended"
    except KeyboardInterrupt:
        return ["interrupted", p.stdout.read(), p.wait()]
asyncio.get_event_loop().call_later(0.3, rt.interrupt)
said = [stopped()]
buffer = js.Uint8Array.new(js.SharedArrayBuffer.new(1))
pyodide_js.setInterruptBuffer(buffer)
try:
    run_js("(b) => setTimeout(() => { b[0] = 2; }, 300)")(buffer)
    said.append(stopped())
finally:
    pyodide_js.setInterruptBuffer(None)
rt.interrupt()
await asyncio.sleep(0.1)
said.append(subprocess.check_output(["echo", "nobody waited"], text=True))
said
""",
    )
    assert out == [["interrupted", "got\n", 7], ["interrupted", "got\n", 7], "nobody waited\n"]


WORKERS = '''
from pyodide.ffi import create_proxy, to_js

SOURCE = """
import { loadPyodide } from "ORIGIN/pyodide.mjs";
const pyodide = await loadPyodide({ indexURL: "ORIGIN/" });
pyodide.unpackArchive(await (await fetch("ORIGIN/tidemark.whl")).arrayBuffer(), "wheel");
self.onmessage = async ({ data }) => {
  if (data.port) self.port = data.port;
  if (data.buffer) pyodide.setInterruptBuffer(data.buffer);
  try {
    self.postMessage(String(data.plain ? pyodide.runPython(data.code) : await pyodide.runPythonAsync(data.code)));
  } catch (error) {
    self.postMessage(String(error));
  }
};
self.postMessage("ready");
"""

class Worker:
    """A Pyodide in a worker of the page's."""

    def __init__(self):
        values = lambda **named: to_js(named, dict_converter=js.Object.fromEntries)
        self.values = values
        blob = js.Blob.new(to_js([SOURCE.replace("ORIGIN", str(js.location.origin))]), values(type="text/javascript"))
        self.worker = js.Worker.new(js.URL.createObjectURL(blob), values(type="module"))
        self.answers = asyncio.Queue()
        self.heard = create_proxy(lambda e: self.answers.put_nowait(str(e.data)))
        self.worker.onmessage = self.heard

    async def answer(self, seconds=30):
        return await asyncio.wait_for(self.answers.get(), seconds)

    def send(self, code, **more):
        """plain=True: by runPython, where nothing can suspend Python."""
        self.worker.postMessage(self.values(code=code, **more), to_js([more["port"]] if "port" in more else []))

    async def ask(self, code, **more):
        self.send(code, **more)
        return await self.answer()

ATTACH = """
import js, tidemark_py
rt = await tidemark_py.attach(js.port)
await tidemark_py.install(rt)
"attached"
"""

async def attached_worker(rt):
    worker = Worker()
    assert await worker.answer() == "ready"
    said = await worker.ask(ATTACH, port=await rt.port())
    assert said == "attached", said
    return worker
'''


def test_a_pyodide_in_another_worker_shares_the_runtime_and_waits_by_atomics(page: Page) -> None:
    said, seen, whole, interrupted = run(
        page,
        WORKERS
        + '''
rt = await shared_runtime()
worker = await attached_worker(rt)
said = await worker.ask("""
import contextlib, io, subprocess, time
out = [subprocess.check_output("echo hi | tr a-z A-Z", shell=True, text=True)]
def plain():
    p = subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    p.stdin.write(bytes(range(256)) * 400)
    p.stdin.close()
    return p.stdout.read() == bytes(range(256)) * 400, p.wait()
out.append(plain())
p = subprocess.Popen(["sleep", "100"])
try:
    p.wait(timeout=0.2)
except subprocess.TimeoutExpired:
    p.terminate()
    out.append(p.wait())
shown = io.StringIO()
with contextlib.redirect_stdout(shown):
    subprocess.run("yes | head -c 300000", shell=True)
out.append(len(shown.getvalue()))
open("/tmp/from_worker", "w").write("written there")
out
""", plain=True)
seen = (await rt.run(["cat", "/tmp/from_worker"])).stdout.decode()
whole = await worker.ask("""
times = []
for _ in range(50):
    t = time.perf_counter()
    subprocess.run(["true"])
    times.append(time.perf_counter() - t)
t = time.perf_counter()
p = subprocess.Popen(["dd", "if=/dev/zero", "bs=64k", "count=3200"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
n = 0
while data := p.stdout.read(1 << 20):
    n += len(data)
p.wait()
print("in a worker: subprocess.run(true) ms, MB/s:", sorted(times)[25] * 1000, n / (time.perf_counter() - t) / 1e6)
str(n)
""", plain=True)
buffer = js.Uint8Array.new(js.SharedArrayBuffer.new(1))
worker.send("""
try:
    subprocess.run(["sleep", "100"])
    said = "ended"
except KeyboardInterrupt:
    said = "interrupted"
said
""", plain=True, buffer=buffer)
await asyncio.sleep(0.5)
buffer[0] = 2
interrupted = await worker.answer()
worker.worker.terminate()
[said, seen, whole, interrupted]
''',
        90,
    )
    assert said == "['HI\\n', (True, 0), -15, 300000]" and seen == "written there" and interrupted == "interrupted"
    assert whole == str(3200 << 16)


def test_a_child_outlives_its_python_and_a_runtime_its_attached_workers(page: Page) -> None:
    out = run(
        page,
        WORKERS
        + '''
rt = await busybox(await new_runtime())
gone = await attached_worker(rt)
said = [await gone.ask("""
import subprocess
p = subprocess.Popen("sleep 1; echo done > /tmp/outlived", shell=True)
"started"
""")]
gone.worker.terminate()
left = await attached_worker(rt)
said.append(await left.ask("""
rt.close()
try:
    subprocess = __import__("subprocess")
    subprocess.run(["true"])
    said = "ran"
except tidemark_py.RuntimeClosed as e:
    said = str(e)
said
"""))
for _ in range(50):
    if await rt.fs.exists("/tmp/outlived"):
        break
    await asyncio.sleep(0.1)
said.append((await rt.fs.read_file("/tmp/outlived")).decode())
waits = await attached_worker(rt)
waits.send("""
import os, subprocess
r, w = os.pipe()
try:
    os.read(r, 1)
    said = "read"
except tidemark_py.RuntimeClosed as e:
    said = str(e)
said
""", plain=True)
await asyncio.sleep(0.5)
rt.close()
said.append(await waits.answer())
for worker in (left, waits):
    worker.worker.terminate()
said
''',
        110,
    )
    assert out == ["started", "this Python has let go of the runtime", "done\n", "the runtime was closed"]


def test_a_port_that_nobody_answers_is_one_sentence(page: Page) -> None:
    said = run(
        page,
        """
from tidemark_py.shims import remote
remote.ANSWER_SECONDS = 0.3
try:
    await tm.attach(js.MessageChannel.new().port1)
    said = "attached"
except tm.BootError as e:
    said = str(e)
said
""",
    )
    assert said.startswith("nobody answers at this port: make one by rt.port()")
