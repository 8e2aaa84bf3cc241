#!/usr/bin/env python3
"""Tidemark's tasks. One file, one function per task; the work is in tidemark_py/dev. Needs Python 3.11 and nothing else:
each task makes what it lacks (`setup`) and a second run starts in seconds.

  setup     .venv, npm packages, Chromium: everything pinned, inside the checkout
  abi       write the files generated from tidemark_py/abi/*.toml
  kernel    build/kernel.wasm; --native: build/native/tidemark-native, --sanitize address|thread
  guests    the guest test programs for riscv64 and this host
  wheel     build/dist/tidemark_py-*.whl with kernel.wasm and the shim
  check     generated files fresh, ruff, mypy, node --check, C with -Werror, house tests
  test      the tests (--all: the slow ones too); arguments after -- go to pytest
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from tidemark_py.dev.toolchain import BuildError, say

ROOT = Path(__file__).resolve().parent
Task = Callable[[argparse.Namespace], int]
Arguments = Callable[[argparse.ArgumentParser], None]
TASKS: dict[str, tuple[Task, Arguments | None]] = {}


def task(arguments: Arguments | None = None) -> Callable[[Task], Task]:
    """Register a function as a task; its name is the command, its docstring the help."""

    def register(function: Task) -> Task:
        TASKS[function.__name__.rstrip("_")] = (function, arguments)
        return function

    return register


# ---- tools, kernel, wheel ----


def prepare() -> None:
    """What every task needs first: the pinned tools."""
    from tidemark_py.dev import tools_setup

    tools_setup.setup()


@task()
def setup(_: argparse.Namespace) -> int:
    """Install the pinned tools inside the checkout."""
    from tidemark_py.dev import tools_setup

    tools_setup.setup()
    tools_setup.report()
    return 0


@task()
def abi(_: argparse.Namespace) -> int:
    """Write the files generated from the ABI tables."""
    from tidemark_py.dev import abigen

    for path in abigen.write(ROOT):
        say(f"wrote {path.relative_to(ROOT)}")
    return 0


def kernel_arguments(p: argparse.ArgumentParser) -> None:
    p.add_argument("--native", action="store_true", help="the kernel as a Linux program instead of kernel.wasm")
    p.add_argument("--sanitize", choices=("none", "address", "thread"), default="none", help="with --native")
    p.add_argument("--allow-missing", action="store_true", help="link although handlers are missing (development)")
    p.add_argument("--werror", action="store_true", help="warnings are errors, as check wants it")


@task(kernel_arguments)
def kernel(a: argparse.Namespace) -> int:
    """Build kernel.wasm, or with --native the Linux program."""
    from tidemark_py.dev import kernel_build

    prepare()
    if a.native:
        kernel_build.build_native(a.sanitize, allow_missing=a.allow_missing, strict=a.werror)
    else:
        kernel_build.build_wasm(allow_missing=a.allow_missing, strict=a.werror)
    return 0


@task()
def guests(_: argparse.Namespace) -> int:
    """Build the guest test programs for riscv64 and for this host."""
    from tidemark_py.dev import guests as guest_programs

    prepare()
    guest_programs.build()
    return 0


@task()
def wheel(_: argparse.Namespace) -> int:
    """Build the wheel."""
    from tidemark_py.dev import wheel_build

    prepare()
    print(wheel_build.build())
    return 0


# ---- check and test ----


@task()
def check(_: argparse.Namespace) -> int:
    """Everything that can be known without running a guest."""
    from tidemark_py.dev import check as checks

    prepare()
    return checks.check()


def test_arguments(p: argparse.ArgumentParser) -> None:
    p.add_argument("--all", action="store_true", help="the slow ones too")
    p.add_argument("pytest", nargs="*", help="arguments for pytest, after --")


@task(test_arguments)
def test(a: argparse.Namespace) -> int:
    """Build what the tests need and run them."""
    from tidemark_py.dev import check as checks

    prepare()
    return checks.test(everything=a.all, arguments=a.pytest)


# ---- layers, run, demo, site, bench ----


def main(argv: list[str] | None = None) -> int:
    """Parse, run one task, turn a build failure into one message and exit code 1."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="task", required=True, metavar="TASK")
    for name, (function, arguments) in TASKS.items():
        sub = commands.add_parser(name, help=(function.__doc__ or "").splitlines()[0], description=function.__doc__)
        if arguments:
            arguments(sub)
    a = parser.parse_args(argv)
    try:
        return TASKS[a.task][0](a)
    except BuildError as error:
        print(f"build.py {a.task}: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
