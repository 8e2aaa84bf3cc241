"""HTTP/1.1 to a guest's server: bodies by length, by chunks and to the end; what is malformed is refused."""

from __future__ import annotations

import asyncio

import pytest

from tidemark_py.net.http import BadResponse, request


class Wire:
    """Answers in pieces of `step` bytes."""

    def __init__(self, answer: bytes, step: int) -> None:
        self.answer = answer
        self.step = step
        self.sent = b""

    async def read(self) -> bytes:
        data, self.answer = self.answer[: self.step], self.answer[self.step :]
        return data

    async def write(self, data: bytes) -> None:
        self.sent += data

    async def close(self) -> None:
        self.answer = b""


def ask(answer: bytes, step: int = 7, method: str = "GET") -> tuple[int, bytes, bytes]:
    async def main() -> tuple[int, bytes, bytes]:
        wire = Wire(answer, step)
        response = await request(wire, method, "/x?y", "localhost:80", [("Accept", "*/*"), ("Connection", "upgrade")])
        body = b"".join([piece async for piece in response.body()])
        return response.status, body, wire.sent

    return asyncio.run(main())


@pytest.mark.parametrize("step", [1, 3, 1000])
@pytest.mark.parametrize(
    "rest",
    [
        b"Content-Length: 5\r\n\r\nhello and more",
        b"Transfer-Encoding: chunked\r\n\r\n2;x=1\r\nhe\r\n3\r\nllo\r\n0\r\nTrailer: t\r\n\r\n",
        b"\r\nhello",
    ],
)
def test_bodies(rest: bytes, step: int) -> None:
    status, body, sent = ask(b"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\n" + rest, step)
    assert (status, body) == (200, b"hello")
    assert sent == b"GET /x?y HTTP/1.1\r\nHost: localhost:80\r\nConnection: close\r\nAccept: */*\r\n\r\n"


def test_an_answer_to_head_has_no_body() -> None:
    assert ask(b"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\n", method="HEAD")[:2] == (200, b"")


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"SSH-2.0-x\r\n\r\n",
        b"HTTP/1.1 20x OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell",
        b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\nhello\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel",
        b"HTTP/1.1 200 OK\r\nX: " + b"y" * 100_000 + b"\r\n\r\n",
    ],
)
def test_malformed_answers_are_refused(answer: bytes) -> None:
    with pytest.raises(BadResponse):
        ask(answer, 1000)


def test_requests_that_would_smuggle_are_refused() -> None:
    async def bad(path: str, headers: list[tuple[str, str]]) -> None:
        with pytest.raises(ValueError):
            await request(Wire(b"", 1), "GET", path, "localhost", headers)

    asyncio.run(bad("x", []))
    asyncio.run(bad("/x HTTP/1.1\r\nX: y", []))
    asyncio.run(bad("/x", [("A", "b\r\nC: d")]))
