"""Saved machines of Debian's programs: bash with a job, python3's prompt with state, vim with an unsaved buffer."""

from __future__ import annotations

import shutil

import pytest

from tidemark_py.dev import layer_build

from .conftest import SERVED, Page
from .test_saved_machine import run

pytestmark = [pytest.mark.page, pytest.mark.slow]
SPEC = "deb:bash,coreutils,python3,vim-tiny,procps"


def test_bash_python_and_vim_go_on_in_another_runtime(page: Page) -> None:
    shutil.copy(layer_build.layer_file(SPEC), SERVED / "programs.tdl")
    out = run(
        page,
        """
        programs = await tm.layers.fetch("programs.tdl")
        rt = await new_runtime()
        await rt.fs.apply_layer(programs)
        env = {"PATH": "/usr/bin:/bin", "PS1": "$ ", "TERM": "xterm", "HOME": "/root", "LANG": "C.UTF-8"}
        bash = await rt.spawn(["bash", "--norc"], tty=(24, 80), env=env)
        await read_until(bash.stdout, b"$ ")
        bash.stdin.write(b"x=kept; sleep 3000 &\\n")
        await asyncio.sleep(1)
        python = await rt.spawn(["python3", "-q", "-i", "-S"], tty=(24, 80), env=env)
        await read_until(python.stdout, b">>> ")
        python.stdin.write(b"import threading\\n")
        python.stdin.write(b"e = threading.Event(); answer = {'n': 40}\\n")
        python.stdin.write(b"t = threading.Thread(target=e.wait); t.start(); print('up')\\n")
        await read_until(python.stdout, b"up\\r\\n")
        vim = await rt.spawn(["vim.tiny", "-u", "NONE", "/tmp/text"], tty=(24, 80), env=env)
        await asyncio.sleep(2)
        vim.stdin.write(b"iunsaved words")
        await asyncio.sleep(1)
        pids = [bash.pid, python.pid, vim.pid]
        saved = await rt.save()
        rt.close()
        two = await again(saved, layers=[programs])
        by = {p.pid: p for p in two.processes()}
        bash, python, vim = (by[pid] for pid in pids)
        python.stdin.write(b"answer['n'] += 2; e.set(); t.join(); print('answer', answer, t.is_alive())\\n")
        said = (await read_until(python.stdout, b"False")).decode()
        python.stdin.write(b"import os; os._exit(7)\\n")
        code = await asyncio.wait_for(python.wait(), 20)
        vim.stdin.write(b"\\x1b")
        await asyncio.sleep(1)
        vim.stdin.write(b":wq\\r")
        await asyncio.wait_for(vim.wait(), 20)
        text = (await two.fs.read_file("/tmp/text")).decode()
        bash.stdin.write(b"echo $x; jobs; kill %1; wait %1; echo status $?\\n")
        job = (await read_until(bash.stdout, b"status 143")).decode()
        two.close()
        ["answer {'n': 42} False" in said, code, text, "kept" in job and "sleep 3000" in job]
    """,
        150,
    )
    assert out == [True, 7, "unsaved words\n", True]
