"""Packages of PyPI that start programs, unmodified: micropip installs them in the page, Debian's programs answer.

The wheels and layers come from the test's own server.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tidemark_py.dev import layer_build, tools_setup
from tidemark_py.dev.toolchain import WHEELS

from .conftest import SERVED, Page

pytestmark = pytest.mark.page

MICROPIP = """
import builtins, os, subprocess, sys
import pyodide_js
if not hasattr(builtins, "micropip_ready"):
    await pyodide_js.loadPackage(js.location.origin + "/{micropip}")
    builtins.micropip_ready = True
import micropip
await micropip.install([js.location.origin + "/" + name for name in {wheels}], deps=False)
rt = await tm.install(snapshot=await snapshot_bytes())
for name in {layers}:
    await rt.fs.apply_layer(await tm.layers.fetch(name))
"""

Run = Callable[[list[str], list[str], str], Any]


def serve(path: Path) -> str:
    """A file under the name it has, in the served folder."""
    target = SERVED / path.name
    if not target.exists() or not os.path.samefile(target, path):
        target.unlink(missing_ok=True)
        try:
            os.link(path, target)
        except OSError:
            shutil.copy(path, target)
    return path.name


@pytest.fixture
def run(blank: Any) -> Run:
    """run(projects, layer specs, code): the code's last value, in a page of its own."""

    def work(projects: list[str], specs: list[str], code: str) -> Any:
        by_project = {p.name.partition("-")[0].lower(): p for p in tools_setup.package_wheels()}
        wheels = [serve(by_project[name]) for name in projects]
        options = layer_build.Options(slim=True)
        layers = [serve(layer_build.layer_file(spec, options)) for spec in specs]
        text = MICROPIP.format(
            micropip=serve(next(WHEELS.glob("micropip-*.whl"))), wheels=json.dumps(wheels), layers=json.dumps(layers)
        )
        page: Page = blank.page
        return page.run(text + code, 120)

    return work


@pytest.mark.slow
def test_graphviz_renders_an_svg_with_debians_dot(run: Run) -> None:
    """`dot -c` is what the package's maintainer script runs: it lists dot's plugins."""
    svg = run(
        ["graphviz"],
        ["deb:graphviz"],
        """
import graphviz
subprocess.run(["dot", "-c"], check=True)
g = graphviz.Digraph("flow")
g.edge("page", "kernel", label="spawn")
g.node("kernel", shape="box")
g.pipe(format="svg", encoding="utf-8")
""",
    )
    assert svg.startswith("<?xml") and svg.rstrip().endswith("</svg>")
    assert "<title>page&#45;&gt;kernel</title>" in svg and ">spawn</text>" in svg


def test_plumbum_runs_a_pipeline(run: Run) -> None:
    out = run(
        ["plumbum"],
        ["deb:coreutils,grep,sed"],
        """
from plumbum import local
from plumbum.commands.processes import ProcessExecutionError
printf, grep, sort, sed = (local[f"/usr/bin/{name}"] for name in ("printf", "grep", "sort", "sed"))
chain = printf["b1\\na2\\nc\\na1\\n"] | grep["[0-9]"] | sort | sed["s/^/> /"]
said = [chain(), grep["nothing"].run(retcode=None)[0]]
try:
    grep["-q", "nothing", "/etc/passwd"]()
except ProcessExecutionError as e:
    said.append(e.retcode)
said
""",
    )
    assert out == ["> a1\n> a2\n> b1\n", 1, 1]


@pytest.mark.slow
def test_gitpython_clones_a_local_repository_with_debians_git(run: Run) -> None:
    """Both see the same files: git writes them, GitPython reads objects and refs by itself too. git wants a shell."""
    out = run(
        ["gitdb", "gitpython", "smmap"],
        ["deb:git,dash"],
        """
os.environ["GIT_PYTHON_GIT_EXECUTABLE"] = "/usr/bin/git"
import git
origin = git.Repo.init("/home/pyodide/origin", initial_branch="main")
with origin.config_writer() as config:
    config.set_value("user", "name", "Somebody").set_value("user", "email", "s@example.org")
with open("/home/pyodide/origin/file", "w") as f:
    f.write("one\\n")
origin.index.add(["file"])
first = origin.index.commit("first")
origin.git.commit("--allow-empty", "-m", "second")
clone = git.Repo.clone_from("/home/pyodide/origin", "/tmp/clone")
commits = [c.message.strip() for c in clone.iter_commits()]
clone.create_head("side").checkout()
[commits, open("/tmp/clone/file").read(), str(clone.active_branch), clone.head.commit.parents[0] == first,
 clone.commit("HEAD").tree["file"].data_stream.read().decode(), clone.is_dirty(), clone.remotes.origin.url]
""",
    )
    assert out == [["second", "first"], "one\n", "side", True, "one\n", False, "/home/pyodide/origin"]
