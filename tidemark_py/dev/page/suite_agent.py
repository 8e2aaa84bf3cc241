"""Runs in the page: tests of CPython's own suite on a Pyodide with processes, one after the other, each reported.

Owns: which tests count (see RULES), the adaptation of asyncio's tests to the page's event loop, the clean-up between
tests. Started by dev/suites.py, which hears what is said and replaces a page in which a test hangs.
Wire: console lines `SUITE {json}`.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import inspect
import json
import os
import signal
import sys
import time
import traceback
import unittest
from collections.abc import Iterator
from typing import Any

import js

import tidemark_py as tm
from tidemark_py.shims.tree import MOUNTS

# this Python sees the guests' programs where they are: sys.executable and /bin/sh exist
GUEST_PROGRAMS = ("/usr/bin", "/bin")
PROCESS_MARK = "__needs_processes__"
WINDOWS = ("Windows", "_winapi", "msvcrt", "Win32", "win32")
FORK = "needs os.fork: a Python in a tab cannot be copied"


def say(**message: Any) -> None:
    """Tell the tool."""
    js.console.log("SUITE " + json.dumps(message))


def lift_skips() -> None:
    """test.support believes in processes, and what asks for them is marked: that mark is what "process part" means."""
    support: Any = importlib.import_module("test.support")

    def requires_subprocess() -> Any:
        def mark(thing: Any) -> Any:
            setattr(thing, PROCESS_MARK, True)
            return thing

        return mark

    def requires_fork() -> Any:
        return unittest.skip(FORK)

    support.has_subprocess_support = support.has_socket_support = True
    support.requires_subprocess = requires_subprocess
    support.requires_fork = requires_fork


def flat(suite: Any) -> Iterator[Any]:
    """Every test of nested suites."""
    for each in suite:
        if isinstance(each, unittest.TestSuite):
            yield from flat(each)
        else:
            yield each


def source_of(test: Any) -> str:
    """Text of a test's method, "" when there is none."""
    try:
        return inspect.getsource(inspect.unwrap(getattr(test, test._testMethodName)))
    except (OSError, TypeError, AttributeError):
        return ""


def not_counted(test: Any, process_parts: bool) -> str:
    """Why a collected test is not of the table, or ""."""
    method = getattr(type(test), test._testMethodName, None)
    source = source_of(test)
    if "Win32" in test.id():
        return "Windows' own"
    if "preexec" in source:
        return "names preexec_fn"
    marked = getattr(method, PROCESS_MARK, False) or getattr(type(test), PROCESS_MARK, False)
    return "" if marked or not process_parts else "asks for no process"


def asyncio_tests(module: Any) -> Any:
    """asyncio's tests with the page's own event loop. Child watchers are gone from Python 3.14, and so are their tests:
    what they ran with each watcher runs once, with the loop that is here."""

    class PageLoopTests(module.SubprocessMixin, unittest.TestCase):  # type: ignore[misc]
        """SubprocessMixin's tests on Pyodide's loop."""

        def setUp(self) -> None:
            """The loop that runs is the loop under test."""
            self.loop = asyncio.get_event_loop()

    class OwnLoopTests(module.SubprocessTransportTests):  # type: ignore[misc]
        """Tests that bring a loop: no other one may seem to run meanwhile."""

        def run(self, result: Any = None) -> Any:
            """Hide the page's loop."""
            running = asyncio.get_running_loop()
            task = asyncio.current_task(running)
            if task is not None:
                asyncio.tasks._leave_task(running, task)
            asyncio._set_running_loop(None)
            try:
                return super().run(result)
            finally:
                asyncio._set_running_loop(running)
                if task is not None:
                    asyncio.tasks._enter_task(running, task)

    def no_watcher(_: Any) -> None:
        raise NotImplementedError  # what test_asyncio.utils takes for "there is none"

    type(asyncio.events._get_event_loop_policy()).get_child_watcher = no_watcher  # type: ignore[attr-defined]
    loader = unittest.defaultTestLoader
    return unittest.TestSuite([loader.loadTestsFromTestCase(c) for c in (PageLoopTests, OwnLoopTests)])


def collect(name: str, process_parts: bool) -> Any:
    """All tests of a module."""
    module = importlib.import_module(name)
    if hasattr(module, "SubprocessMixin"):
        return asyncio_tests(module)
    return unittest.defaultTestLoader.loadTestsFromModule(module)


def run_one(test: Any) -> tuple[str, str]:
    """("passed" | "failed" | "skipped" | "windows", why)"""
    result = unittest.TestResult()
    try:
        test.run(result)
    except BaseException:
        return "failed", traceback.format_exc()
    for found in (result.failures, result.errors):
        if found:
            return "failed", found[0][1]
    if result.unexpectedSuccesses:
        return "failed", "unexpected success"
    if result.skipped:
        why = result.skipped[0][1]
        return ("windows" if any(word in why for word in WINDOWS) else "skipped"), why
    return "passed", ""


def reap() -> None:
    """No zombie is left."""
    with contextlib.suppress(OSError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


async def clean_up(runtime: Any) -> None:
    """No process of the test is left: children of this Python end when it has waited for them."""
    killed = asyncio.ensure_future(runtime.kill_all(signal.SIGKILL))
    while not killed.done():
        reap()
        await asyncio.wait([killed], timeout=0.02)
    killed.result()
    reap()


async def main() -> None:
    """Everything that was asked for."""
    options = json.loads(js.suiteOptions)
    saved = await (await js.fetch("/pyodide-snapshot.bin")).arrayBuffer()
    mounts = {**MOUNTS, **{path: path for path in GUEST_PROGRAMS}}
    runtime = await tm.install(layers=["/layer.tdl"], snapshot=saved, jit=options["jit"], mounts=mounts)
    sys.path.append(options["library"])
    lift_skips()
    done = set(options["done"])
    for suite in options["suites"]:
        name, process_parts = suite["module"], suite["process_parts"]
        try:
            tests = list(flat(collect(name, process_parts)))
        except BaseException:
            say(kind="broken", suite=name, why=traceback.format_exc())
            continue
        for test in tests:
            label = ".".join(test.id().split(".")[-2:])
            key = f"{name}:{label}"
            if key in done or (options["only"] and not any(o in key for o in options["only"])):
                continue
            why = not_counted(test, process_parts)
            if why:
                say(kind="left out", suite=name, test=label, why=why)
                continue
            say(kind="start", suite=name, test=label)
            began = time.perf_counter()
            outcome, text = run_one(test)
            seconds = time.perf_counter() - began
            kind = "left out" if outcome == "windows" else "result"
            why = text[-options["text"] :]
            say(kind=kind, suite=name, test=label, outcome=outcome, why=why, seconds=round(seconds, 3))
            await clean_up(runtime)
    say(kind="end")


await main()  # type: ignore[top-level-await]  # noqa: F704, PLE1142  (Pyodide runs this text by runPythonAsync)
