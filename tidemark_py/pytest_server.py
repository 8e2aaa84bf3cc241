"""pytest-pyodide's web server, so that no connection holds up the others.

It serves one connection at a time, and a browser opens some that it does not use: ahead of time, beside one slow
to connect, for a worker that ends before it asks. Whoever comes after such a one waits until the browser gives it up,
a minute later. Here a connection that says nothing is closed after some seconds.
Callers: pytest_plugin.py, and this project's own tests.
"""

from __future__ import annotations

import functools
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from pytest_pyodide.server import DefaultHandler, spawn_web_server

__all__ = ["isolated_server"]

HEADERS = {
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
    "Cross-Origin-Resource-Policy": "cross-origin",
}


class _Handler(DefaultHandler):  # type: ignore[misc]  # it has no types
    timeout = 5.0  # seconds (socketserver.StreamRequestHandler)


def isolated_server(folder: Path, **headers: str) -> AbstractContextManager[Any]:
    """(host name, port, log file) of a server of `folder` with the isolation headers and others."""
    handler = functools.partial(_Handler, extra_headers={**HEADERS, **headers})
    served: AbstractContextManager[Any] = spawn_web_server(folder, handler_cls=handler)
    return served
