"""`build.py setup`: everything a fresh Debian machine needs, inside the checkout, pinned.

Owns .venv, .cache/npm, .cache/wheels and their stamps. Stdlib only. Machine packages (Chromium, its driver, gcc for the
address sanitizer, npm) are installed by apt when we are root and they are missing, else named exactly.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import venv
from collections.abc import Mapping
from pathlib import Path

from .toolchain import CACHE, NPM, VENV, WHEELS, BuildError, exclusive, node, node_package, python, run, say, step

PIP_PINS = (
    "ziglang==0.17.0",
    "pytest==9.1.1",
    "pytest-pyodide==0.59.2",
    "selenium==4.51.0",
    "pytest-asyncio==1.5.0",
    "mypy==2.4.1",
    "ruff==0.17.5",
    "hatchling==1.33.0",
    "wisp-python==0.9.0",  # a relay for the tests of the network
    "perfetto==0.59.1",  # the format's own description, to read our traces in the tests
    "protobuf==7.36.2",
    "python-debian==1.1.1",  # versions and stanzas, as the Debian provider has them in Pyodide
)
NPM_PINS = {
    "binaryen": "132.0.0",
    "pyodide": "314.0.7",
    "@xterm/xterm": "6.0.0",
    "@xterm/addon-fit": "0.11.0",
}
FIREFOX_PINS = {"puppeteer-core": "25.16.0"}
NODE_VERSION = "24.21.0"
# Pure-Python wheels served beside Pyodide: installing our wheel in the browser, and pytest-pyodide's run_in_pyodide.
PYODIDE_WHEELS = ("micropip==0.11.1",)
# Packages of other people that start programs: tests install them in the page, unmodified, from our own server.
PACKAGE_WHEELS = ("graphviz==0.21", "plumbum==2.0.2", "GitPython==3.2.1", "gitdb==4.0.12", "smmap==5.0.3")
# program -> Debian packages that bring it
BROWSER = {"chromium": ("chromium",), "chromedriver": ("chromium-driver",)}
FIREFOX = {"firefox-esr": ("firefox-esr",)}
MACHINE = {"node": ("nodejs",), "npm": ("npm",)}
SANITIZERS = {"gcc": ("gcc", "libc6-dev")}


def _stamp_text(*what: object) -> str:
    return hashlib.sha256(json.dumps(what, default=str).encode()).hexdigest()


def _fresh(stamp: Path, text: str) -> bool:
    return stamp.exists() and stamp.read_text(encoding="utf-8") == text


def _venv_tools() -> None:
    stamp, text = VENV / ".stamp", _stamp_text(PIP_PINS, sys.version_info[:2])
    if _fresh(stamp, text) and python().exists():
        return
    with step(f"Python tools into {VENV.name}"):
        if not python().exists():
            try:
                venv.create(VENV, with_pip=True, clear=VENV.exists())
            except (subprocess.CalledProcessError, OSError) as error:
                shutil.rmtree(VENV, ignore_errors=True)
                _apt(["python3-venv"], f"python3 cannot make environments ({error})")
                venv.create(VENV, with_pip=True)
        run([python(), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *PIP_PINS], "pip install")
    stamp.write_text(text, encoding="utf-8")


def _npm_install(folder: Path, pins: Mapping[str, str]) -> bool:
    """Pinned packages into a folder; False when they were there."""
    if _fresh(folder / ".stamp", _stamp_text(pins)):
        return False
    with step(f"npm packages into .cache/{folder.name}"):
        folder.mkdir(parents=True, exist_ok=True)
        manifest = {"name": "tidemark-tools", "version": "1.0.0", "private": True, "dependencies": pins}
        (folder / "package.json").write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")
        # The platform package carries Node's binary itself, so that no install script has to run.
        run(
            ["npm", "install", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"],
            "npm install",
            cwd=folder,
        )
    return True


def _npm_tools() -> None:
    pins = {**NPM_PINS, node_package(): NODE_VERSION}
    if _npm_install(NPM, pins):
        version = run([node(), "--version"], "the pinned Node").strip()
        if version != f"v{NODE_VERSION}":
            raise BuildError(f"the pinned Node says {version}, expected v{NODE_VERSION}")
        (NPM / ".stamp").write_text(_stamp_text(pins), encoding="utf-8")


def firefox() -> Path:
    """Firefox and what drives it, for the one test that wants them; the folder of npm's packages."""
    require(FIREFOX)
    folder = CACHE / "npm-firefox"
    with exclusive("npm-firefox", CACHE):
        if _npm_install(folder, FIREFOX_PINS):
            (folder / ".stamp").write_text(_stamp_text(FIREFOX_PINS), encoding="utf-8")
    return folder / "node_modules"


def _wheels() -> None:
    _download(WHEELS, PYODIDE_WHEELS, "wheels for Pyodide into .cache/wheels")


def _download(folder: Path, wheels: tuple[str, ...], what: str) -> None:
    """These wheels and no others in a folder."""
    stamp, text = folder / ".stamp", _stamp_text(wheels)
    if _fresh(stamp, text):
        return
    with step(what):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        options = ["--quiet", "--disable-pip-version-check", "--python-version", "3.14", "--only-binary", ":all:"]
        run([python(), "-m", "pip", "download", *options, "--no-deps", "-d", folder, *wheels], "pip download")
    stamp.write_text(text, encoding="utf-8")


def package_wheels() -> list[Path]:
    """The wheels of PACKAGE_WHEELS, fetched at first use. Raises BuildError."""
    folder = CACHE / "packages"
    with exclusive("packages", CACHE):
        _download(folder, PACKAGE_WHEELS, "wheels of packages that start programs into .cache/packages")
    return sorted(folder.glob("*.whl"))


def _apt(packages: list[str], why: str) -> None:
    command = "apt-get install -y --no-install-recommends " + " ".join(packages)
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        raise BuildError(f"{why}. Install with: sudo {command}")
    with step(f"apt: {' '.join(packages)}"):
        env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        try:
            run(command.split(), "apt-get install", env=env)
        except BuildError:
            run(["apt-get", "update"], "apt-get update", env=env)
            run(command.split(), "apt-get install", env=env)


def require(wanted: Mapping[str, tuple[str, ...]]) -> None:
    """Programs of the machine itself: installed when we are root, else named. Raises BuildError."""
    missing = sorted({p for tool, packages in wanted.items() if not shutil.which(tool) for p in packages})
    if missing:
        _apt(missing, f"missing on this machine: {', '.join(missing)}")


def setup(*, browser: bool = True) -> None:
    """Make every tool ready, Chromium only when `browser`; a second call takes well under a second.

    Raises BuildError naming what to install."""
    CACHE.mkdir(exist_ok=True)
    require({**MACHINE, **(BROWSER if browser else {})})
    with exclusive("setup", CACHE):
        _venv_tools()
        _npm_tools()
        _wheels()


def report() -> None:
    """Say where things are."""
    say(f"tools ready: {VENV.name}, .cache/npm, .cache/wheels; Node {NODE_VERSION}")
