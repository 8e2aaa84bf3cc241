"""Spawning from init: PATH search as execvp(3) does it, the spawn_request record, pipes and terminals for the child."""

from __future__ import annotations

import errno
import stat as st

from ..abi.gen import linux
from ..abi.gen.abi import FdMap, Spawn, SpawnRequest
from ..abi.gen.messages import ProcessSpawn, ProcessSpawnReply
from ..channel.wire import linux_error
from ..state.calls import DATA, KernelCalls
from .streams import StreamTable

__all__ = ["NEW_PIPE", "NULL", "SAME_AS_STDOUT", "find_program", "pack_request", "spawn"]

NEW_PIPE, NULL, SAME_AS_STDOUT = -1, -2, -3
DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def find_program(calls: KernelCalls, program: str, env: list[str], cwd: str) -> str:
    """The path to run for argv[0]. Raises FileNotFoundError or PermissionError naming `program`."""
    if not program:
        raise FileNotFoundError(errno.ENOENT, "No such file or directory", program)
    if "/" in program:
        return program
    path = next((e[5:] for e in env if e.startswith("PATH=")), DEFAULT_PATH)
    refused = False
    for directory in path.split(":"):
        candidate = f"{directory or '.'}/{program}"
        try:
            calls.access(candidate if candidate.startswith("/") else f"{cwd or '/'}/{candidate}", linux.X_OK)
            return candidate
        except PermissionError:
            refused = True
        except OSError:
            pass
    if refused:
        raise PermissionError(errno.EACCES, "Permission denied", program)
    raise FileNotFoundError(errno.ENOENT, "No such file or directory", program)


def pack_request(message: ProcessSpawn, path: str, fds: dict[int, int], flags: int, most: int) -> bytes:
    """The spawn_request record, of at most `most` bytes. Raises OSError(E2BIG), ValueError for a NUL."""
    strings = [path, message.cwd, *message.argv, *message.env, *message.preopens]
    encoded = [s.encode("utf-8", "surrogateescape") for s in strings]
    if any(b"\0" in s for s in encoded):
        raise ValueError("embedded null byte")
    tail = b"".join(FdMap(target, source).pack() for target, source in sorted(fds.items()))
    tail += b"".join(s + b"\0" for s in encoded)
    head = SpawnRequest(
        bytes=SpawnRequest.BYTES + len(tail),
        flags=flags,
        argc=len(message.argv),
        envc=len(message.env),
        fd_count=len(fds),
        root=message.root,
        uid=message.uid,
        gid=message.gid,
        memory_limit=message.memory_limit,
        umask=message.umask,
        preopens=len(message.preopens) // 2,
        capabilities=message.capabilities,
    )
    if head.bytes > most:
        raise OSError(errno.E2BIG, "Argument list too long", message.argv[0])
    return head.pack() + tail


def spawn(calls: KernelCalls, streams: StreamTable, message: ProcessSpawn) -> ProcessSpawnReply:
    """Start a program; our ends of its streams go to `streams`. Raises OSError naming argv[0]; nothing stays open."""
    if not message.argv:
        raise ValueError("argv is empty")
    calls.use_root(message.root)
    if message.cwd and not st.S_ISDIR(calls.stat(message.cwd).st_mode):
        raise NotADirectoryError(errno.ENOTDIR, "Not a directory", message.cwd)
    program = message.executable or message.argv[0]
    path = find_program(calls, program, message.env, message.cwd)
    child_ends: list[int] = []  # closed here once the child has them
    our_ends: list[tuple[int, bool]] = []
    try:
        fds, ours, flags = _streams(calls, message, child_ends, our_ends)
        request = pack_request(message, path, fds, flags, calls.data_bytes)
        calls.kernel.write(DATA, request)
        pid = int(calls.kernel.call("tk_spawn", DATA, len(request)))
        if pid < 0:
            raise linux_error(-pid, program)
        for fd, terminal in our_ends:
            streams.open(fd, terminal)
        our_ends = []
        return ProcessSpawnReply(pid, *ours)
    finally:
        for fd in child_ends:
            calls.close(fd)
        for fd, _ in our_ends:
            calls.close(fd)


def _streams(
    calls: KernelCalls, message: ProcessSpawn, child_ends: list[int], our_ends: list[tuple[int, bool]]
) -> tuple[dict[int, int], list[int], int]:
    """(child's descriptors, our ends of 0, 1, 2 or -1, spawn flags)"""
    fds = {message.pass_fds[i]: message.pass_fds[i + 1] for i in range(0, len(message.pass_fds), 2)}
    for number in [n for n, source in fds.items() if source == NULL]:
        fds[number] = calls.openat("/dev/null", linux.O_RDWR)
        child_ends.append(fds[number])
    flags = (Spawn.SETSID if message.session else 0) | (Spawn.SETPGID if message.group else 0)
    if message.tty:
        master, slave = calls.open_pty(message.rows, message.columns)
        our_ends.append((master, True))
        child_ends.append(slave)
        fds.update({0: slave, 1: slave, 2: slave})
        return fds, [master, master, -1], flags | Spawn.SETSID | Spawn.CTTY | Spawn.FOREGROUND
    ours = [-1, -1, -1]
    for number, wanted in enumerate((message.stdin, message.stdout, message.stderr)):
        if wanted == NEW_PIPE:
            read_end, write_end = calls.pipe()
            child, mine = (read_end, write_end) if number == 0 else (write_end, read_end)
            child_ends.append(child)
            our_ends.append((mine, False))
            ours[number] = mine
            fds[number] = child
        elif wanted == NULL:
            fds[number] = calls.openat("/dev/null", linux.O_RDWR)
            child_ends.append(fds[number])
        elif wanted == SAME_AS_STDOUT:
            fds[number] = fds[1]
        else:
            fds[number] = wanted
    return fds, ours, flags
