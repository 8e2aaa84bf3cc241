"""select, poll and selectors on pipes of the kernel, on Node; tests/page runs the same on a page's main thread."""

from __future__ import annotations

import json

from .test_shim import run_on_node

# A child waits for what this Python says, so nothing depends on how long anything takes.
SELECTS = r"""
import os, select, selectors, subprocess
said = []
pipes = dict(stdin=subprocess.PIPE, stdout=subprocess.PIPE)
with subprocess.Popen(["sh", "-c", "read x; sleep 0.2; echo got $x; read y"], **pipes) as p:
    said.append(select.select([p.stdout], [], [], 0))
    said.append(select.select([p.stdout], [], [], 0.05))
    ready = select.select([p.stdout], [p.stdin], [p.stdout])
    said.append([ready[0], ready[1] == [p.stdin], ready[2]])
    os.write(p.stdin.fileno(), b"one\n")
    said.append(select.select([p.stdout], [], [], 60)[0] == [p.stdout])
    said.append(os.read(p.stdout.fileno(), 100).decode())
    poll = select.poll()
    poll.register(p.stdout, select.POLLIN)
    said.append(poll.poll(0) + poll.poll(50))
    os.write(p.stdin.fileno(), b"two\n")
    with selectors.DefaultSelector() as selector, selectors.SelectSelector() as other:
        for each in (selector, other):
            each.register(p.stdout, selectors.EVENT_READ, "end")
            said.append([(key.data, events) for key, events in each.select(60)])
    said.append(poll.poll(60000) == [(p.stdout.fileno(), select.POLLHUP)])
    said.append(os.read(p.stdout.fileno(), 100).decode())
r, w = os.pipe()
while select.select([], [w], [], 0)[1]:
    os.write(w, bytes(4096))
said.append(select.select([r], [w], [], 0.05) == ([r], [], []))
os.read(r, 8192)
said.append(select.select([], [w], [], 60)[1] == [w])
os.close(r)
for arguments in (([w], [], [], -1), (["x"], [], []), ([w, r], [], [], 0)):
    try:
        said.append(select.select(*arguments))
    except (OSError, TypeError, ValueError) as e:
        said.append(f"{type(e).__name__}: {e}")
os.close(w)
said
"""
SELECTED = [
    [[], [], []], [[], [], []], [[], True, []], True, "got one\n", [], [["end", 1]], [["end", 1]], True, "", True, True,
    "ValueError: timeout must be non-negative", "TypeError: argument must be an int, or have a fileno() method.",
    "OSError: [Errno 8] Bad file descriptor",
]  # fmt: skip


def test_select_and_poll_wait_for_kernel_pipes() -> None:
    """select(2), poll(2)"""
    code = SELECTS.rstrip().removesuffix("said")
    out = run_on_node(
        f"import json\nrt = await busybox()\nawait tm.install(rt)\n{code}\nrt.close()\nprint(json.dumps(said))"
    )
    assert json.loads(out) == SELECTED
