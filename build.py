#!/usr/bin/env python3
"""Tidemark's tasks. One file, one function per task; the work is in tidemark_py/dev. Needs Python 3.11, nothing else:
each task makes what it lacks (`setup`) and a second run starts in seconds.

  setup     .venv, npm packages, Chromium: everything pinned, inside the checkout
  abi       write the files generated from tidemark_py/abi/*.toml
  kernel    build/kernel.wasm; --native: build/native/tidemark-native, --sanitize address|thread
  guests    the guest test programs for riscv64 and this host
  wheel     build/dist/tidemark_py-*.whl with kernel.wasm and the shim
  check     generated files fresh, ruff, mypy, node --check, C with -Werror, house tests
  test      the tests (--all: the slow ones too); arguments after -- go to pytest
  demo      the whole path in headless Chromium; without --once it goes on serving for a person's browser
  run       one guest command with our own stdin, stdout, stderr and exit code; or --batch FILE.jsonl
  layer     a file layer from deb:pkg[,pkg...], dir:PATH or tar:FILE
  site      the static site into build/site
  bench     figures beside native and qemu-riscv64, in one run
  suites    CPython's own tests of processes inside Pyodide in Chromium: a table of passed, failed, skipped
  wasi      a directory of WASI preview 1 test modules, run as processes: a table
  workloads Debian's programs, each with a short script, in Chromium and Node: a table with time, memory, every miss
  conformance  stress-ng --verify, CPython's own tests, or race-prone programs over and over, in the guest
  soak         mixed workloads over and over in one machine: memory and workers stay flat
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


def prepare(*, browser: bool = False) -> None:
    """What every task needs first: the pinned tools, and Chromium for the tasks that open pages."""
    from tidemark_py.dev import tools_setup

    tools_setup.setup(browser=browser)


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


@task(kernel_arguments)
def kernel(a: argparse.Namespace) -> int:
    """Build kernel.wasm, or with --native the Linux program."""
    from tidemark_py.dev import kernel_build

    prepare()
    if a.native:
        print(kernel_build.build_native(a.sanitize))
    else:
        print(kernel_build.build_wasm())
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

    prepare(browser=True)
    return checks.test(everything=a.all, arguments=a.pytest)


# ---- layers, run, demo, site, bench ----


def programs() -> None:
    """What running guests needs: tools, kernel.wasm, wheel, Pyodide's memory snapshot."""
    from tidemark_py.dev import kernel_build, pyodide_files, wheel_build

    prepare(browser=True)
    kernel_build.build_wasm()
    wheel_build.build()
    pyodide_files.snapshot()


def layer_arguments(p: argparse.ArgumentParser) -> None:
    p.add_argument("spec", metavar="SPEC", help="deb:pkg[,pkg...] (Debian trixie), dir:PATH, tar:FILE or oci:DIR[#REF]")
    p.add_argument("-o", "--output", required=True, type=Path, metavar="OUT", help="file to write; .gz compresses")
    p.add_argument("--mirror", default="", metavar="URL", help="Debian mirror instead of this machine's")
    p.add_argument("--slim", action="store_true", help="without manuals, documentation and translations")
    p.add_argument("--oci", action="store_true", help="OUT is a directory: an OCI image that starts lazily, too")
    p.add_argument("--unpack", type=Path, metavar="DIR", help="also unpack it into a directory")


@task(layer_arguments)
def layer(a: argparse.Namespace) -> int:
    """Build a file layer."""
    from tidemark_py.dev import layer_build, oci_build
    from tidemark_py.dev.run import checked
    from tidemark_py.layers import Layer, unpack

    def work() -> int:
        options = layer_build.Options(a.mirror, a.slim)
        if a.oci:
            made = Layer.load(layer_build.layer_file(a.spec, options))
            sizes = ", ".join(f"{name} {size:,} bytes" for name, size in oci_build.write_image(made, a.output).items())
            print(f"{a.output}: an OCI image of {made.manifest['entries']} files: {sizes}")
            return 0
        built = layer_build.build_layer(a.spec, a.output, options)
        if a.unpack:
            unpack(built, a.unpack)
        files, packages = built.manifest["entries"], len(built.packages())
        print(f"{a.output}: {files} files, {built.blob_bytes:,} bytes, {packages} packages, sha256 {built.sha256}")
        return 0

    return checked(work)


def run_arguments(p: argparse.ArgumentParser) -> None:
    p.add_argument("--layer", action="append", default=[], metavar="SPEC", help="as `layer` takes it, or a .tdl file")
    p.add_argument("--host", choices=("chromium", "node"), default="chromium")
    p.add_argument("--env", action="append", default=[], metavar="K=V")
    p.add_argument("--cwd", default="/", metavar="DIR")
    p.add_argument("--mount", action="append", default=[], metavar="HOSTDIR:GUESTDIR[:ro]")
    p.add_argument("--timeout", type=float, metavar="S")
    p.add_argument("--tty", action=argparse.BooleanOptionalAction, help="a terminal (default: when ours is one)")
    p.add_argument("--jit", choices=("off", "on", "forced"), default="on", help="translate hot guest code")
    p.add_argument("--stats", action="store_true", help="the share of instructions that ran as compiled code")
    p.add_argument("--strace", nargs="?", const="-", metavar="FILE", help="system calls of all, to stderr or =FILE")
    p.add_argument("--trace", type=Path, metavar="FILE", help="what threads did: .json (Chrome's), else Perfetto's")
    p.add_argument("--profile", type=Path, metavar="FILE.json", help="where the time went, for speedscope")
    crash = "registers, code and mapped files of what SIGSEGV or the like ended (default: on a terminal)"
    p.add_argument("--crash-report", action=argparse.BooleanOptionalAction, help=crash)
    calls = "tell at the end of system calls that are not there or were refused in part (all: even without refusal)"
    p.add_argument("--calls", choices=("missing", "all", "none"), default="missing", help=calls)
    p.add_argument("--lazy", choices=("auto", "always", "never"), default="auto",
                   help="fetch file bodies when they are touched (auto: of big layers)")  # fmt: skip
    p.add_argument("--batch", type=argparse.FileType("r", encoding="utf-8"), metavar="FILE.jsonl", help="- is stdin")
    p.add_argument("--output", type=Path, metavar="FILE", help="results of --batch (default: stdout)")
    p.add_argument("--mirror", default="", metavar="URL", help="Debian mirror instead of this machine's")
    p.add_argument("--verbose", action="store_true", help="show what the page says")
    p.add_argument("command", nargs="*", metavar="CMD ARGS")


@task(run_arguments)
def run(a: argparse.Namespace) -> int:
    """Run one guest command, or a batch of them."""
    from tidemark_py.dev import run as runner
    from tidemark_py.dev.diagnose import Wanted

    if bool(a.batch) == bool(a.command):
        raise BuildError("give a command after --, or --batch FILE")
    if bad := [e for e in a.env if "=" not in e]:
        raise BuildError(f"--env wants K=V, not {bad[0]!r}")
    env = dict(e.split("=", 1) for e in a.env)
    mounts = [runner.Mount.parse(m) for m in a.mount]
    layers = a.layer or ["deb:busybox-static"]
    options = runner.Options(
        layers, a.host, env, a.cwd, mounts, a.timeout, a.mirror, a.verbose, a.tty, a.jit, a.lazy,
        Wanted(a.strace, a.trace, a.crash_report, a.calls, a.profile), a.stats,
    )  # fmt: skip
    programs()
    if not a.batch:
        return runner.checked(lambda: runner.run(options, a.command))
    if not a.output:
        return runner.checked(lambda: runner.batch(options, a.batch, sys.stdout))
    with a.output.open("w", encoding="utf-8") as out:
        return runner.checked(lambda: runner.batch(options, a.batch, out))


def demo_arguments(p: argparse.ArgumentParser) -> None:
    p.add_argument("--once", action="store_true", help="end after the job instead of serving on")
    p.add_argument("--port", type=int, default=0, metavar="N")


@task(demo_arguments)
def demo(a: argparse.Namespace) -> int:
    """Build what is missing, serve the site, run the main job in headless Chromium, print what the guest printed."""
    from tidemark_py.dev import demo as demonstration
    from tidemark_py.dev import site as static_site
    from tidemark_py.dev.run import checked

    programs()
    return checked(lambda: demonstration.demo(static_site.build(), once=a.once, port=a.port))


def site_arguments(p: argparse.ArgumentParser) -> None:
    p.add_argument("-o", "--output", type=Path, default=ROOT / "build" / "site", metavar="DIR")
    p.add_argument("--gallery", action="store_true", help="with the gallery's big layers: git, gcc, SQLite")
    p.add_argument("--screenshots", type=Path, metavar="DIR", help="also take pictures of every page")


@task(site_arguments)
def site(a: argparse.Namespace) -> int:
    """Build the static site; --screenshots takes pictures of each page, desktop and phone, light and dark."""
    from tidemark_py.dev import site as static_site
    from tidemark_py.dev import site_pictures
    from tidemark_py.dev.run import checked

    def work() -> int:
        built = static_site.build(a.output, a.gallery)
        say(f"site in {built}")
        if a.screenshots:
            site_pictures.take(built, a.screenshots)
        return 0

    programs()
    return checked(work)


def bench_arguments(p: argparse.ArgumentParser) -> None:
    p.add_argument("--json", action="store_true", help="the figures as JSON")
    p.add_argument("--host", choices=("chromium", "node"), default="chromium")
    p.add_argument("--rounds", type=int, default=5, metavar="N", help="interleaved rounds the medians are of")
    only = ("guests", "subprocess", "kernels", "queues", "watching", "frames")
    p.add_argument("--only", choices=only, default="guests", help="guest programs, Python's own, compiled code, ...")
    p.add_argument("--kernel", action="append", default=[], metavar="NAME", help="with --only kernels: these of them")


@task(bench_arguments)
def bench(a: argparse.Namespace) -> int:
    """Figures in one run, each beside native and qemu-riscv64; or those of subprocess in a page."""
    from tidemark_py.dev import bench as benchmarks
    from tidemark_py.dev import bench_frames, bench_kernels, bench_queues, bench_subprocess, bench_watching
    from tidemark_py.dev.run import checked

    programs()
    if a.only == "subprocess":
        return checked(lambda: bench_subprocess.bench(as_json=a.json))
    if a.only == "queues":
        return checked(lambda: bench_queues.bench(a.json, a.rounds))
    if a.only == "frames":
        return checked(lambda: bench_frames.bench(a.json))
    if a.only == "watching":
        return checked(lambda: bench_watching.bench(a.json, a.host, a.rounds))
    if a.only == "kernels":
        return checked(lambda: bench_kernels.bench(a.json, a.host, a.rounds, a.kernel))
    return checked(lambda: benchmarks.bench(as_json=a.json, host=a.host, rounds=a.rounds))


# ---- other people's tests ----


def suites_arguments(p: argparse.ArgumentParser) -> None:
    p.add_argument("--suite", action="append", default=[], metavar="NAME", help="test_subprocess ... (default: all)")
    p.add_argument("--seconds", type=float, default=60.0, metavar="S", help="longest silence of a test that hangs not")
    p.add_argument("--jit", choices=("off", "on"), default="on", help="translate hot guest code")
    p.add_argument("--report", type=Path, metavar="FILE.md", help="also write the table there, and FILE.json")
    p.add_argument("--verbose", action="store_true", help="whole tracebacks, and what the page says")
    p.add_argument("only", nargs="*", metavar="NAME", help="only tests whose name contains one of these")


def wasi_arguments(p: argparse.ArgumentParser) -> None:
    p.add_argument("directory", type=Path, nargs="?", help="NAME.wasm, NAME.json: as the official test suite has them")
    p.add_argument("--host", choices=("chromium", "node"), default="chromium")


@task(wasi_arguments)
def wasi(a: argparse.Namespace) -> int:
    """Run a directory of WASI test modules."""
    from tidemark_py.dev import wasi_suite as suite

    prepare()
    return suite.run(a.directory, a.host)


@task(suites_arguments)
def suites(a: argparse.Namespace) -> int:
    """CPython's test_subprocess, test_asyncio.test_subprocess and the process parts of test_os, test_popen, test_shutil
    inside Pyodide; the tests come from Debian's libpython3.13-testsuite."""
    from tidemark_py.dev import suites as cpython
    from tidemark_py.dev.run import checked

    o = cpython.Options(a.suite or list(cpython.SUITES), a.only, a.seconds, a.jit, a.report, a.verbose)
    programs()
    return checked(lambda: cpython.suites(o))


def workloads_arguments(p: argparse.ArgumentParser) -> None:
    p.add_argument("--only", action="append", default=[], metavar="NAME", help="of tests/workload/programs")
    p.add_argument("--host", action="append", choices=("chromium", "node", "native"), help="default: chromium and node")
    p.add_argument("--quick", action="store_true", help="only those of `build.py test`")
    p.add_argument("--jit", choices=("off", "on"), default="on", help="translate hot guest code")
    p.add_argument("--report", type=Path, metavar="FILE.json", help="also write the results there")
    p.add_argument("--resume", action="store_true", help="what the report already has as passed is not run again")
    p.add_argument("--expect", nargs="+", metavar="NAME", help="instead, make what these must print, by qemu-riscv64")


@task(workloads_arguments)
def workloads(a: argparse.Namespace) -> int:
    """Run Debian's programs in Chromium and Node and compare with what qemu-riscv64 printed."""
    from tidemark_py.dev import workloads as debian
    from tidemark_py.dev.run import checked

    if a.expect:
        return checked(lambda: debian.expect(debian.programs(a.expect)))
    hosts = a.host or ["chromium", "node"]
    if hosts != ["native"]:
        programs()
    return checked(lambda: debian.workloads(debian.Options(a.only, hosts, a.quick, a.jit, a.report, a.resume)))


def conformance_arguments(p: argparse.ArgumentParser) -> None:
    p.add_argument("suite", choices=("stress", "cpython", "races"))
    p.add_argument("--only", action="append", default=[], metavar="NAME", help="a stressor, module or program")
    p.add_argument("--host", choices=("chromium", "node", "native"), default="chromium")
    p.add_argument("--seconds", type=float, default=5.0, metavar="S", help="of each stressor")
    p.add_argument("--runs", type=int, default=100, metavar="N", help="races: of each program")
    p.add_argument("--qemu", action=argparse.BooleanOptionalAction, default=True, help="cpython: beside qemu-riscv64")


@task(conformance_arguments)
def conformance(a: argparse.Namespace) -> int:
    """stress-ng --verify, CPython's own tests, or race-prone programs over and over: a table with every difference."""
    from tidemark_py.dev import conformance as others
    from tidemark_py.dev.run import checked

    if a.host != "native":
        programs()
    return checked(lambda: others.conformance(others.Options(a.suite, a.only, a.host, a.seconds, a.qemu, a.runs)))


def soak_arguments(p: argparse.ArgumentParser) -> None:
    p.add_argument("--minutes", type=float, default=30.0, metavar="N")
    p.add_argument("--host", choices=("chromium", "node"), default="chromium")


@task(soak_arguments)
def soak(a: argparse.Namespace) -> int:
    """Mixed workloads over and over in one machine: nothing may be left over, memory and workers stay flat."""
    from tidemark_py.dev import soak as mixed
    from tidemark_py.dev.run import checked

    programs()
    return checked(lambda: mixed.soak(a.minutes, a.host))


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
