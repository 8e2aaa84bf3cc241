"""The outside, on loopback: servers that guests' git, apt, pip and npm talk to, and the relay that brings them there.

Called by the tests beside it. Each server is one handler below a path of one HTTP server; what is asked is kept in
`Outside.asked`. Follows git-http-backend(1), RFC 3875 (CGI), PEP 503 (index of Python packages), npm's registry API.
"""

from __future__ import annotations

import base64
import hashlib
import http.server
import io
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tarfile
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

RELAY_PYTHON = os.environ.get("TIDEMARK_TEST_WISP_PYTHON", sys.executable)
Service = Callable[["Request"], None]


class Request(http.server.BaseHTTPRequestHandler):
    """One request; services answer it by answer(), or by themselves."""

    protocol_version = "HTTP/1.1"
    server: Outside

    def do_GET(self) -> None:
        """To the service with the longest prefix of the path."""
        self.server.asked.append(f"{self.command} {self.path}")
        prefix = max((p for p in self.server.services if self.path.startswith(p)), key=len, default=None)
        if prefix is None:
            self.answer(404, b"nothing here\n")
        else:
            self.server.services[prefix](self)

    do_POST = do_HEAD = do_PUT = do_OPTIONS = do_GET

    def body(self) -> bytes:
        """What was sent, by length or by chunks."""
        if "chunked" not in self.headers.get("Transfer-Encoding", ""):
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        whole = b""
        while size := int(self.rfile.readline(), 16):
            whole += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return whole

    def answer(self, status: int, body: bytes, **headers: str) -> None:
        """headers: Content_Type="..." and so on."""
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: `asked` is the log."""


class Outside(http.server.ThreadingHTTPServer):
    """Serves until closed. services: path prefix -> what answers below it."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Request)
        self.services: dict[str, Service] = {}
        self.asked: list[str] = []
        threading.Thread(target=self.serve_forever, name="outside", daemon=True).start()


def files(folder: Path, prefix: str) -> Service:
    """The files of a folder; directories are listed as PEP 503 wants it."""

    def serve(r: Request) -> None:
        path = folder / r.path.partition("?")[0].removeprefix(prefix).strip("/")
        if ".." in path.parts or not path.exists():
            r.answer(404, b"no such file\n")
        elif path.is_dir():
            names = "".join(f'<a href="{p.name}">{p.name}</a>\n' for p in sorted(path.iterdir()))
            r.answer(200, f"<!DOCTYPE html>\n<html><body>\n{names}</body></html>\n".encode(), Content_Type="text/html")
        else:
            r.answer(200, path.read_bytes(), Content_Type="application/octet-stream")

    return serve


def git_backend(folder: Path, prefix: str, user: str, password: str) -> Service:
    """git-http-backend on the repositories of a folder; who pushes must say who they are."""
    programs = subprocess.run(["git", "--exec-path"], capture_output=True, text=True, check=True).stdout.strip()
    backend = Path(programs, "git-http-backend")
    wanted = "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()

    def serve(r: Request) -> None:
        body = r.body()
        known = r.headers.get("Authorization") == wanted
        path, _, query = r.path.partition("?")
        if "git-receive-pack" in r.path and not known:
            r.answer(401, b"", WWW_Authenticate='Basic realm="git"')
            return
        env = {
            "GIT_PROJECT_ROOT": str(folder),
            "GIT_HTTP_EXPORT_ALL": "1",
            "GATEWAY_INTERFACE": "CGI/1.1",
            "REQUEST_METHOD": r.command,
            "PATH_INFO": path.removeprefix(prefix.rstrip("/")),
            "QUERY_STRING": query,
            "CONTENT_TYPE": r.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(len(body)),
            "HTTP_CONTENT_ENCODING": r.headers.get("Content-Encoding", ""),
            "GIT_PROTOCOL": r.headers.get("Git-Protocol", ""),
            "REMOTE_ADDR": "127.0.0.1",
            "PATH": os.environ["PATH"],
            "GIT_CONFIG_NOSYSTEM": "1",
            "HOME": str(folder),
        } | ({"REMOTE_USER": user} if known else {})
        done = subprocess.run([str(backend)], input=body, env=env, capture_output=True, timeout=60, check=False)
        head, _, rest = done.stdout.partition(b"\r\n\r\n")
        fields = dict(re.findall(r"^([\w-]+): (.*?)\r?$", head.decode(), re.M))
        status = int(fields.pop("Status", "200").split()[0])
        r.answer(status, rest, **{name.replace("-", "_"): value for name, value in fields.items()})

    return serve


def npm_registry(packages: dict[str, bytes], prefix: str) -> Service:
    """Packuments and tarballs. packages: name -> the .tgz of its version 1.0.0."""

    def serve(r: Request) -> None:
        name = r.path.removeprefix(prefix).partition("?")[0]
        if name.endswith(".tgz") and (data := packages.get(name.partition("/")[0])):
            r.answer(200, data, Content_Type="application/octet-stream")
            return
        found = packages.get(name)
        if found is None:
            r.answer(404, b'{"error": "not found"}', Content_Type="application/json")
            return
        manifest = json.loads(_member(found, "package/package.json"))
        manifest["dist"] = {
            "tarball": f"http://{r.headers['Host']}{prefix}{name}/-/{name}-1.0.0.tgz",
            "integrity": "sha512-" + base64.b64encode(hashlib.sha512(found).digest()).decode(),
            "shasum": hashlib.sha1(found, usedforsecurity=False).hexdigest(),
        }
        document = {"name": name, "dist-tags": {"latest": "1.0.0"}, "versions": {"1.0.0": manifest}}
        r.answer(200, json.dumps(document).encode(), Content_Type="application/json")

    return serve


def tar_gz(members: dict[str, str]) -> bytes:
    """A gzipped tar archive of text files."""
    whole = io.BytesIO()
    with tarfile.open(fileobj=whole, mode="w:gz") as tar:
        for name, text in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(text.encode())
            tar.addfile(info, io.BytesIO(text.encode()))
    return whole.getvalue()


def wheel(name: str, members: dict[str, str]) -> bytes:
    """A pure Python wheel of version 1.0 (PEP 427)."""
    info = f"{name}-1.0.dist-info"
    all_members = {
        **members,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(f"{path},sha256={_digest(text)},{len(text)}\n" for path, text in all_members.items())
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w", zipfile.ZIP_DEFLATED) as z:
        for path, text in all_members.items():
            z.writestr(path, text)
        z.writestr(f"{info}/RECORD", f"{record}{info}/RECORD,,\n")
    return whole.getvalue()


def _digest(text: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).decode().rstrip("=")


def _member(archive: bytes, name: str) -> bytes:
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        found = tar.extractfile(name)
        assert found
        return found.read()


# ---- the relay ----


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nobody has."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port: int = s.getsockname()[1]
        return port


def start_relay(port: int) -> subprocess.Popen[bytes]:
    """A wisp server that may reach loopback, when it listens."""
    command = [RELAY_PYTHON, "-m", "wisp.server", "--host", "127.0.0.1", "--port", str(port), "--allow-loopback"]
    command += ["--threads", "1"]  # a child of its own all the same
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    for _ in range(1200):
        with socket.socket() as s:
            if s.connect_ex(("127.0.0.1", port)) == 0:
                return server
        assert server.poll() is None, f"{RELAY_PYTHON} -m wisp.server does not start"
        time.sleep(0.05)
    stop_relay(server)
    raise AssertionError("the relay does not listen")


def stop_relay(server: subprocess.Popen[bytes]) -> None:
    """At once, with its children."""
    with suppress(ProcessLookupError):
        os.killpg(server.pid, signal.SIGKILL)
    server.wait()


@contextmanager
def running_relay() -> Iterator[str]:
    """Its WebSocket's address."""
    port = free_port()
    server = start_relay(port)
    try:
        yield f"ws://127.0.0.1:{port}/"
    finally:
        stop_relay(server)
