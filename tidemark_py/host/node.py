"""Node >= 22 as a host: what Python must know of it (js_shim/platform.js knows the rest)."""

from __future__ import annotations

import base64
from typing import Any

import js

from ..errors import BootError

__all__ = ["check_version", "file_url", "is_node", "module_url"]

LEAST_MAJOR = 22  # the first with multi-memory


def _process() -> Any:
    return getattr(js, "process", None)


def is_node() -> bool:
    """This is Node."""
    process = _process()
    versions = getattr(process, "versions", None) if process is not None else None
    return versions is not None and hasattr(versions, "node")


def check_version() -> None:
    """Raises BootError when it is too old."""
    version = str(_process().versions.node)
    if int(version.split(".")[0]) < LEAST_MAJOR:
        raise BootError(f"Node {version} has no multi-memory: use Node {LEAST_MAJOR} or newer")


def module_url(source: str) -> str:
    """Node starts no worker from a blob: URL."""
    return "data:text/javascript;base64," + base64.b64encode(source.encode()).decode()


def file_url(path: str) -> str:
    """file: URL of a folder, with a slash at its end."""
    if "://" not in path:
        path = str(_process().getBuiltinModule("node:url").pathToFileURL(path).href)
    return path if path.endswith("/") else path + "/"
