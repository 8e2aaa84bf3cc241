"""Messages on the wire, ports, errors by name."""

from __future__ import annotations

import asyncio
import errno

import pytest

from tidemark_py.abi.gen import messages as m
from tidemark_py.channel import Later, Port
from tidemark_py.channel.wire import decode, encode, error_from_wire, error_to_wire, linux_error
from tidemark_py.dev import messagegen
from tidemark_py.errors import InternalError, KernelPanic, LayerError
from tidemark_py.host.fake import port_pair


class Echo:
    """A handler of some messages."""

    def fs_read_file(self, message: m.FsReadFile) -> m.FsReadFileReply:
        if message.path == "/none":
            raise FileNotFoundError(errno.ENOENT, "No such file or directory", "/none")
        return m.FsReadFileReply(message.path.encode())

    def stream_read(self, message: m.StreamRead) -> Later[m.StreamReadReply]:
        self.later: Later[m.StreamReadReply] = Later()
        return self.later

    async def fs_apply_layer(self, message: m.FsApplyLayer) -> m.FsApplyLayerReply:
        await asyncio.sleep(0)
        raise LayerError(f"{message.name}: bad")


def ports() -> tuple[Port, Echo, Port]:
    a, b = port_pair()
    echo = Echo()
    return Port(a, object()), echo, Port(b, echo)


def test_generated_files_are_fresh() -> None:
    for path, text in messagegen.outputs().items():
        assert path.read_text("utf-8") == text, f"{path.name}: run python -m tidemark_py.dev.messagegen"


def test_every_message_survives_the_wire() -> None:
    samples = {"str": "a", "int": 3, "float": 1.5, "bool": True, "bytes": b"b", "json": {"x": [1]}, "object": None}
    samples |= {"list[str]": ["a"], "list[int]": [1], "list[bytes]": [b"c"]}
    for cls in m.MESSAGES.values():
        message = cls(*[samples[kind] for _, kind in cls.FIELDS])
        assert decode(cls, encode(message)) == message


def test_a_malformed_message_is_an_internal_error() -> None:
    with pytest.raises(InternalError, match=r"fs\.stat"):
        decode(m.FsStat, {"m": "fs.stat", "root": 0})


async def test_requests_are_answered_out_of_order() -> None:
    page, echo, _ = ports()
    slow = page.request(m.StreamRead(3, 1))
    assert (await page.request(m.FsReadFile(0, "/a"))).data == b"/a"
    assert not slow.done and page.pending == 1
    echo.later.resolve(m.StreamReadReply(b"late"))
    assert (await slow).data == b"late"


async def test_errors_arrive_as_what_they_were() -> None:
    page, _, _ = ports()
    with pytest.raises(FileNotFoundError) as e:
        await page.request(m.FsReadFile(0, "/none"))
    assert e.value.filename == "/none"
    with pytest.raises(LayerError, match="x: bad"):
        await page.request(m.FsApplyLayer(0, "x", b"", b"", {}))


async def test_an_unknown_message_gets_an_error_reply() -> None:
    page, _, _ = ports()
    with pytest.raises(InternalError, match=r"fs\.rename"):
        await page.request(m.FsRename(0, "/a", "/b"))


async def test_fail_all_ends_pending_and_later_requests() -> None:
    page, _, _ = ports()
    pending = page.request(m.StreamRead(3, 1))
    page.fail_all(KernelPanic("gone"))
    for request in (pending, page.request(m.FsReadFile(0, "/a"))):
        with pytest.raises(KernelPanic, match="gone"):
            await request


def test_linux_errno_numbers_become_this_hosts_by_name() -> None:
    error = linux_error(39, "/d")  # ENOTEMPTY of Linux
    assert error.errno == errno.ENOTEMPTY and error.filename == "/d"
    assert isinstance(linux_error(2), FileNotFoundError)
    again = error_from_wire(error_to_wire(error))
    assert isinstance(again, OSError) and (again.errno, again.filename) == (errno.ENOTEMPTY, "/d")
    assert isinstance(error_from_wire(error_to_wire(ValueError("x"))), InternalError)
