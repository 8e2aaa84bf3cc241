"""The server's half of a WebSocket over an accepted HTTP connection: what run and demo need, no more.

Follows RFC 6455. One reader thread; any thread may send. Missing: extensions, the client's half.
"""

from __future__ import annotations

import base64
import hashlib
import socket
import struct
import threading
from typing import BinaryIO

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455, 1.3
MAX_MESSAGE_BYTES = 64 << 20
TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10


def accept_key(key: str) -> str:
    """Sec-WebSocket-Accept for a client's key."""
    return base64.b64encode(hashlib.sha1(key.encode() + GUID, usedforsecurity=False).digest()).decode()


class WebSocket:
    """One connection after its handshake."""

    def __init__(self, connection: socket.socket, rfile: BinaryIO) -> None:
        self._connection = connection
        self._rfile = rfile
        self._send_lock = threading.Lock()
        self.closed = False

    def send(self, message: str | bytes) -> None:
        """Send one message; blocks while the peer does not read. Raises OSError when the peer is gone."""
        if isinstance(message, str):
            self._frame(TEXT, message.encode())
        else:
            self._frame(BINARY, message)

    def _frame(self, opcode: int, payload: bytes) -> None:
        n = len(payload)
        if n < 126:
            head = struct.pack(">BB", 0x80 | opcode, n)
        elif n < 65536:
            head = struct.pack(">BBH", 0x80 | opcode, 126, n)
        else:
            head = struct.pack(">BBQ", 0x80 | opcode, 127, n)
        with self._send_lock:
            if self.closed:
                raise ConnectionResetError("the page is gone")
            self._connection.sendall(head + payload)

    def receive(self) -> str | bytes | None:
        """The next whole message; None when the peer closed or broke the protocol."""
        parts: list[bytes] = []
        kind = 0
        while True:
            frame = self._read_frame()
            if frame is None:
                self.close()
                return None
            fin, opcode, payload = frame
            if opcode == PING:
                self._frame(PONG, payload)
                continue
            if opcode == PONG:
                continue
            if opcode == CLOSE:
                self.close()
                return None
            kind = opcode or kind
            parts.append(payload)
            if sum(map(len, parts)) > MAX_MESSAGE_BYTES:
                self.close()
                return None
            if fin:
                data = b"".join(parts)
                return data.decode() if kind == TEXT else data

    def _read_frame(self) -> tuple[bool, int, bytes] | None:
        try:
            head = self._rfile.read(2)
            if len(head) < 2 or not head[1] & 0x80:  # a client masks
                return None
            n = head[1] & 0x7F
            if n >= 126:
                more = self._rfile.read(2 if n == 126 else 8)
                n = int.from_bytes(more, "big")
            if n > MAX_MESSAGE_BYTES:
                return None
            mask = self._rfile.read(4)
            payload = self._rfile.read(n)
        except (OSError, ValueError):
            return None
        if len(payload) < n:
            return None
        return bool(head[0] & 0x80), head[0] & 0x0F, unmask(payload, mask)

    def close(self) -> None:
        """End the connection."""
        with self._send_lock:
            if self.closed:
                return
            self.closed = True
            try:
                self._connection.sendall(bytes([0x80 | CLOSE, 0]))
                self._connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


def unmask(payload: bytes, mask: bytes) -> bytes:
    """XOR with the repeated mask; as one big number, which is quick."""
    n = len(payload)
    if not n:
        return b""
    key = (mask * (n // 4 + 1))[:n]
    return (int.from_bytes(payload, "little") ^ int.from_bytes(key, "little")).to_bytes(n, "little")
