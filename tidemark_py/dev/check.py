"""`build.py check` and `build.py test`: what is run, in which order, and one summary.

Every check runs even when an earlier one failed, so that one run shows everything.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

from . import abigen, guests, kernel_build
from .toolchain import ROOT, BuildError, call, node, python, run, say, step, venv_tool


def generated() -> None:
    """Generated files are what the tables say."""
    stale = abigen.stale(ROOT)
    if stale:
        names = ", ".join(str(p.relative_to(ROOT)) for p in stale)
        raise BuildError(f"not what the tables say: {names}. Run `python3 build.py abi` and commit")


def ruff() -> None:
    """Style and common mistakes of Python."""
    run([venv_tool("ruff"), "check", "--no-cache", "."], "ruff")


def mypy() -> None:
    """Types of Python, strict."""
    run([venv_tool("mypy"), "--cache-dir", ROOT / ".cache" / "mypy"], "mypy")


def javascript() -> None:
    """Every JavaScript file parses."""
    for folder in ("js_shim", "site", "tests"):
        for path in sorted((ROOT / folder).rglob("*.js")):
            run([node(), "--check", path], str(path.relative_to(ROOT)))


def c_warnings() -> None:
    """C for both builds without a warning (clang and gcc)."""
    kernel_build.compile_strictly()


def house() -> None:
    """Floors, sizes, one truth."""
    run([python(), "-m", "pytest", "-q", "tests/house"], "house tests")


CHECKS: tuple[Callable[[], None], ...] = (generated, ruff, mypy, javascript, c_warnings, house)


def check() -> int:
    """Run every check; exit code 1 when one failed."""
    failed = []
    for one in CHECKS:
        try:
            with step(f"check {one.__name__.replace('_', ' ')}: {(one.__doc__ or '').rstrip('.')}"):
                one()
        except BuildError as error:
            print(error, file=sys.stderr)
            failed.append(one.__name__)
    say(f"check: {'failed: ' + ', '.join(failed) if failed else 'clean'}")
    return 1 if failed else 0


def prepare_tests() -> None:
    """What the tests run against: kernels, guest programs, the wheel."""
    from . import wheel_build

    guests.build()
    kernel_build.build_native("address")
    wheel_build.build()


TESTS_FAILED = 1  # pytest's exit code


def test(*, everything: bool, arguments: list[str]) -> int:
    """Run the tests; exit code is pytest's.

    What failed runs once more by itself: a test that then passes is named as unsteady, one that fails again has failed.
    """
    prepare_tests()
    options = [] if everything else ["-m", "not slow"]
    pytest: list[str | Path] = [python(), "-m", "pytest", "-q", "--durations=15", *options]
    code = call([*pytest, *arguments])
    if code != TESTS_FAILED:
        return code
    say("the failed tests once more, by themselves; what passes now is unsteady")
    return call([*pytest, "-rA", "--last-failed", "--last-failed-no-failures=none", *arguments])
