"""The local server: isolation headers, who may have what, the WebSocket."""

from __future__ import annotations

import base64
import http.client
import os
import socket
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from tidemark_py.dev.server import Server, find
from tidemark_py.dev.websocket import WebSocket, accept_key, unmask


def echo(ws: WebSocket) -> None:
    """Everything back."""
    while (message := ws.receive()) is not None:
        ws.send(message)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """A public and a private directory, an echoing socket."""
    (tmp_path / "public").mkdir()
    (tmp_path / "public" / "index.html").write_text("hello")
    (tmp_path / "public" / "sub").mkdir()
    (tmp_path / "secret.txt").write_text("secret")
    with Server({"/": tmp_path / "public"}, {"/private/s": tmp_path / "secret.txt"}, echo) as s:
        yield s


def get(server: Server, path: str, **headers: str) -> tuple[int, str, dict[str, str]]:
    """Status, body, headers."""
    c = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    c.request("GET", path, headers=headers)
    r = c.getresponse()
    return r.status, r.read().decode(), dict(r.getheaders())


def test_every_answer_isolates(server: Server) -> None:
    for path in ("/", "/nothing", "/private/s"):
        _, _, headers = get(server, path)
        assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
        assert headers["Cross-Origin-Embedder-Policy"] == "require-corp"


def test_what_is_the_users_needs_the_token(server: Server) -> None:
    assert get(server, "/private/s")[0] == 403
    assert get(server, "/private/s?token=wrong")[0] == 403
    assert get(server, f"/private/s?token={server.token}")[:2] == (200, "secret")


def test_other_hosts_and_origins_are_refused(server: Server) -> None:
    assert get(server, "/", Host="evil.example")[0] == 403
    assert get(server, "/", Origin="http://evil.example")[0] == 403
    assert get(server, "/", Origin=server.origin)[:2] == (200, "hello")


def test_nothing_outside_a_directory_is_served(server: Server, tmp_path: Path) -> None:
    for path in ("/../secret.txt", "/%2e%2e/secret.txt", "/sub/../../secret.txt", "//etc/passwd"):
        assert get(server, path)[0] == 404
    assert find({"/a": tmp_path}, "/a/../b") is None
    assert find({"/a": tmp_path}, "/ab") is None


def test_it_listens_on_this_machine_only(server: Server) -> None:
    assert server._httpd.server_address[0] == "127.0.0.1"


def handshake(server: Server, token: str) -> tuple[socket.socket, bytes]:
    """A client's side."""
    s = socket.create_connection(("127.0.0.1", server.port), timeout=10)
    key = base64.b64encode(os.urandom(16)).decode()
    head = f"GET /rpc?token={token} HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\nUpgrade: websocket\r\n"
    s.sendall(f"{head}Connection: Upgrade\r\nSec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode())
    answer = b""
    while b"\r\n\r\n" not in answer:
        answer += s.recv(1)
    if b" 101 " in answer:
        assert accept_key(key).encode() in answer
    return s, answer


def frame(opcode: int, payload: bytes, fin: bool = True) -> bytes:
    """As a client masks it."""
    mask = os.urandom(4)
    n = len(payload)
    length = bytes([0x80 | n]) if n < 126 else struct.pack(">BH", 0x80 | 126, n)
    return bytes([(0x80 if fin else 0) | opcode]) + length + mask + unmask(payload, mask)


def test_the_socket_needs_the_token(server: Server) -> None:
    assert b" 403 " in handshake(server, "wrong")[1]


def test_the_socket_echoes_whole_and_split_messages(server: Server) -> None:
    s, answer = handshake(server, server.token)
    assert b" 101 " in answer
    s.sendall(frame(1, "hé".encode()) + frame(9, b"ping") + frame(2, b"a" * 300, fin=False) + frame(0, b"b" * 300))
    got = b""
    expected = b"\x81\x03" + "hé".encode() + b"\x8a\x04ping" + b"\x82\x7e" + struct.pack(">H", 600)
    expected += b"a" * 300 + b"b" * 300
    while len(got) < len(expected):
        got += s.recv(4096)
    assert got == expected
    s.sendall(frame(8, b""))
    assert s.recv(16) == b"\x88\x00"
    s.close()


def test_the_address_of_the_test_vector() -> None:
    """RFC 6455, 1.3"""
    assert accept_key("dGhlIHNhbXBsZSBub25jZQ==") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
