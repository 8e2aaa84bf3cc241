"""Names for guests: a stub resolver's messages (RFC 1035), and addresses that stand for names.

A backend that takes names (a tunnel, fetch) must be told the name, but connect(2) carries an address. So a name that a
guest looks up gets an address of 198.18.0.0/15 (RFC 2544: nobody's), and a connection to it is one to the name.
"""

from __future__ import annotations

import ipaddress
import struct

__all__ = ["NameTable", "answer", "question"]

NETWORK = ipaddress.IPv4Network("198.18.0.0/15")
TTL_S = 60
A, ANY, IN = 1, 255, 1
NO_ERROR, FORMAT_ERROR, REFUSED = 0, 1, 5
HEAD = struct.Struct(">6H")
MAX_NAME = 253


class NameTable:
    """Both ways; an address is never given to a second name."""

    def __init__(self) -> None:
        self._by_name: dict[str, str] = {}
        self._by_address: dict[str, str] = {}

    def address(self, name: str) -> str:
        """The address that stands for `name`. Raises OSError when all are taken."""
        name = name.lower().rstrip(".")
        found = self._by_name.get(name)
        if found is None:
            number = len(self._by_name) + 1
            if number >= NETWORK.num_addresses - 1:
                raise OSError("too many names were looked up")
            found = self._by_name[name] = str(NETWORK[number])
            self._by_address[found] = name
        return found

    def name(self, address: str) -> str:
        """The name behind an address, or the address itself."""
        return self._by_address.get(address, address)


def question(data: bytes) -> tuple[str, int]:
    """(name, type) that a query asks for. Raises ValueError when it is malformed or asks for more than one."""
    if len(data) < HEAD.size:
        raise ValueError("shorter than its head")
    _, flags, questions, _, _, _ = HEAD.unpack_from(data)
    if flags >> 15 or questions != 1:
        raise ValueError("no query of one question")
    labels, at = [], HEAD.size
    while True:
        if at >= len(data):
            raise ValueError("the name does not end")
        size = data[at]
        if size == 0:
            break
        if size > 63 or at + 1 + size >= len(data):
            raise ValueError("a label is cut short")
        labels.append(data[at + 1 : at + 1 + size].decode("ascii", "strict"))
        at += 1 + size
    if len(data) < at + 5:
        raise ValueError("the question is cut short")
    kind, cls = struct.unpack_from(">HH", data, at + 1)
    name = ".".join(labels)
    if cls not in (IN, ANY) or not name or len(name) > MAX_NAME:
        raise ValueError("no name of the Internet")
    return name, kind


def answer(query: bytes, code: int, address: str | None = None) -> bytes:
    """The reply to a query: a response code, and an A record when there is an address."""
    number, flags = struct.unpack_from(">HH", query) if len(query) >= 4 else (0, 0)
    try:
        name, _ = question(query)
        asked = query[HEAD.size : HEAD.size + len(name) + 2 + 4]
    except ValueError:
        asked = b""
    record = b""
    if address is not None:
        record = struct.pack(">HHHIH", 0xC000 | HEAD.size, A, IN, TTL_S, 4) + ipaddress.IPv4Address(address).packed
    reply = 0x8080 | (flags & 0x0100) | code  # a response, recursion is available
    return HEAD.pack(number, reply, 1 if asked else 0, 1 if record else 0, 0, 0) + asked + record
