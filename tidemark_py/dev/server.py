"""The local web server of run, demo, bench and the tests.

Owns: what is served where, the isolation headers, and who may have what. It listens on 127.0.0.1 only. Public paths
(the site, Pyodide, the wheel) are plain files. Everything of the user's (layers, mounts, stdio) needs the token made
for this run, so that another page in the same browser, or another user's program guessing the port, gets nothing;
requests for another host name (DNS rebinding) or from another origin are refused too.
"""

from __future__ import annotations

import contextlib
import http.server
import mimetypes
import os
import secrets
import sys
import threading
import urllib.parse
from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path
from typing import Any

from .websocket import WebSocket, accept_key

HEADERS = {
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-cache",
}
TYPES = {
    ".mjs": "text/javascript",
    ".js": "text/javascript",
    ".wasm": "application/wasm",
    ".whl": "application/zip",
    ".tdl": "application/octet-stream",
    ".gz": "application/octet-stream",
    ".py": "text/x-python; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".json": "application/json",
    ".webmanifest": "application/manifest+json",
}

Socket = Callable[[WebSocket], None]
Upload = Callable[[str, bytes], None]


class Server:
    """Serves until closed. `public` and `private` map a path prefix to a directory or file; the longest prefix wins."""

    def __init__(
        self,
        public: dict[str, Path],
        private: dict[str, Path] | None = None,
        socket: Socket | None = None,
        upload: Upload | None = None,
        port: int = 0,
    ) -> None:
        self.public = public
        self.private = private or {}
        self.socket = socket
        self.upload = upload
        self.token = secrets.token_urlsafe(24)
        self._httpd = _Httpd(("127.0.0.1", port), _Handler)
        self._httpd.owner = self
        self.sent: dict[str, int] = {}  # body bytes by path: what a test may count
        self._thread = threading.Thread(target=self._httpd.serve_forever, name="server", daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        """Port it got."""
        return int(self._httpd.server_address[1])

    @property
    def origin(self) -> str:
        """http://127.0.0.1:port"""
        return f"http://127.0.0.1:{self.port}"

    def url(self, path: str) -> str:
        """Address of a public path."""
        return f"{self.origin}/{path.lstrip('/')}"

    def private_url(self, path: str) -> str:
        """Address of a private path, with the token."""
        return f"{self.url(path)}?token={self.token}"

    def close(self) -> None:
        """Stop listening; open connections end with the process or their peer."""
        self._httpd.shutdown()
        self._httpd.server_close()
        self._thread.join()

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class _Httpd(http.server.ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128
    owner: Server

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A page that goes away with a connection open is no fault; the rest is told."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Httpd

    # ---- who may ----

    def _admitted(self) -> bool:
        """Right host name, no foreign origin."""
        port = self.server.owner.port
        hosts = {f"127.0.0.1:{port}", f"localhost:{port}"}
        origin = self.headers.get("Origin")
        if self.headers.get("Host") not in hosts or (origin and origin.removeprefix("http://") not in hosts):
            self._refuse(HTTPStatus.FORBIDDEN)
            return False
        return True

    def _has_token(self, query: str) -> bool:
        given = urllib.parse.parse_qs(query).get("token", [""])[0]
        return secrets.compare_digest(given.encode(), self.server.owner.token.encode())

    # ---- methods ----

    def do_GET(self) -> None:
        """Files, and the WebSocket at /rpc."""
        if not self._admitted():
            return
        url = urllib.parse.urlsplit(self.path)
        path = urllib.parse.unquote(url.path)
        if path == "/rpc" and self.server.owner.socket:
            self._websocket(url.query)
            return
        file = find(self.server.owner.private, path)
        if file is not None and not self._has_token(url.query):
            self._refuse(HTTPStatus.FORBIDDEN)
            return
        if file is None:
            file = find(self.server.owner.public, path)
        if file is not None and file.is_dir():
            if not path.endswith("/"):
                self.send_response(HTTPStatus.MOVED_PERMANENTLY)
                self.send_header("Location", url.path + "/")
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            file = file / "index.html"
        if file is None or not file.is_file():
            self._refuse(HTTPStatus.NOT_FOUND)
            return
        self._send_file(file)

    do_HEAD = do_GET

    def do_POST(self) -> None:
        """Uploads: /upload/NAME with the token."""
        if not self._admitted():
            return
        url = urllib.parse.urlsplit(self.path)
        n = int(self.headers.get("Content-Length") or 0)
        upload = self.server.owner.upload
        if not upload or not url.path.startswith("/upload/") or not self._has_token(url.query):
            self.close_connection = True
            self._refuse(HTTPStatus.FORBIDDEN)
            return
        upload(urllib.parse.unquote(url.path.removeprefix("/upload/")), self.rfile.read(n))
        self.send_response(HTTPStatus.NO_CONTENT)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _send_file(self, file: Path) -> None:
        s = file.stat()
        tag = f'"{s.st_mtime_ns:x}-{s.st_size:x}"'
        if self.headers.get("If-None-Match") == tag:
            self.send_response(HTTPStatus.NOT_MODIFIED)
            self.send_header("ETag", tag)
            self.end_headers()
            return
        kind = TYPES.get(file.suffix) or mimetypes.guess_type(file.name)[0] or "application/octet-stream"
        part = byte_range(self.headers.get("Range"), s.st_size)
        if part is not None and part[0] >= part[1]:
            self.send_response(HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE)
            self.send_header("Content-Range", f"bytes */{s.st_size}")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        start, end = part or (0, s.st_size)
        self.send_response(HTTPStatus.OK if part is None else HTTPStatus.PARTIAL_CONTENT)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(end - start))
        if part is not None:
            self.send_header("Content-Range", f"bytes {start}-{end - 1}/{s.st_size}")
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("ETag", tag)
        self.end_headers()
        if self.command == "HEAD":
            return
        path = urllib.parse.urlsplit(self.path).path
        sent = self.server.owner.sent
        sent[path] = sent.get(path, 0) + end - start
        with file.open("rb") as f, contextlib.suppress(ConnectionError):
            f.seek(start)
            while start < end and (piece := f.read(min(1 << 20, end - start))):
                self.wfile.write(piece)
                start += len(piece)

    def _websocket(self, query: str) -> None:
        key = self.headers.get("Sec-WebSocket-Key")
        if not self._has_token(query) or not key or self.headers.get("Upgrade", "").lower() != "websocket":
            self._refuse(HTTPStatus.FORBIDDEN)
            return
        self.send_response(HTTPStatus.SWITCHING_PROTOCOLS)
        self.send_header("Upgrade", "websocket")
        self.send_header("Connection", "Upgrade")
        self.send_header("Sec-WebSocket-Accept", accept_key(key))
        self.end_headers()
        self.wfile.flush()
        self.close_connection = True
        handler = self.server.owner.socket
        assert handler
        socket = WebSocket(self.connection, self.rfile)  # type: ignore[arg-type]
        try:
            handler(socket)
        finally:
            socket.close()

    # ---- answers ----

    def end_headers(self) -> None:
        """Every answer carries the isolation headers."""
        for name, value in HEADERS.items():
            self.send_header(name, value)
        super().end_headers()

    def _refuse(self, status: HTTPStatus) -> None:
        text = f"{status.value} {status.phrase}\n".encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(text)

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: the command's own output is what counts."""


def byte_range(header: str | None, size: int) -> tuple[int, int] | None:
    """(start, end) of a Range header with one range (RFC 9110, 14.1.2); start >= end: not satisfiable. None: all."""
    if not header or not header.startswith("bytes=") or "," in header:
        return None
    first, dash, last = header.removeprefix("bytes=").strip().partition("-")
    if not dash or not (first or last) or not all(c.isdecimal() for c in first + last):
        return None
    if not first:
        return max(0, size - int(last)), size
    return int(first), min(int(last) + 1, size) if last else size


def find(table: dict[str, Path], path: str) -> Path | None:
    """The file a path stands for; None when there is none or it leads out of its directory."""
    best = max((p for p in table if path == p or path.startswith(p.rstrip("/") + "/")), key=len, default=None)
    if best is None:
        return None
    rest = path[len(best) :].lstrip("/")
    base = table[best]
    if not rest:
        return base
    real = Path(os.path.normpath(base / rest))
    return real if real.is_relative_to(base) and "\0" not in rest else None
