"""KernelCalls: Linux system calls of the attached process (init), with arguments laid out in its staging memory.

Owner: the kernel worker (and any other attached role). Each method is the man page of its name, section 2, and raises
OSError as that page says. The staging memory is one scratch area: nothing in it outlives a call.
"""

from __future__ import annotations

import contextlib
import errno
import stat as st
import struct
from collections.abc import Iterator

from ..abi.gen import linux
from ..abi.gen.abi import STAGING_BYTES, Errno, Syscall
from ..abi.gen.guest import Rusage, Stat, Winsize
from ..channel.wire import linux_error
from ..host.contract import Kernel

__all__ = ["ChildExit", "KernelCalls"]

# The staging memory: address 0 stays unused, so that no argument is NULL by accident.
PATH_A = 0x1000
PATH_B = 0x3000
RECORD = 0x5000
DATA = 0x10000
DATA_BYTES = STAGING_BYTES - DATA  # of a role that has the whole staging memory to itself
PATH_MAX = 4096
EAGAIN = -int(Errno.EAGAIN)
EINTR = -int(Errno.EINTR)


class ChildExit:
    """What wait4 said of one child."""

    __slots__ = ("instructions", "pid", "status", "user_ns")

    def __init__(self, pid: int, status: int, user_ns: int, instructions: int) -> None:
        self.pid = pid
        self.status = status
        self.user_ns = user_ns
        self.instructions = instructions


class KernelCalls:
    """owner: the worker whose kernel instance it is; not shared."""

    def __init__(self, kernel: Kernel, staging_bytes: int = STAGING_BYTES) -> None:
        self.kernel = kernel
        self.data_bytes = staging_bytes - DATA
        self._syscall = kernel.syscall
        self._root = 0

    # ---- plumbing ----

    def raw(self, nr: int, a0: float = 0, a1: float = 0, a2: float = 0, a3: float = 0, a4: float = 0) -> int:
        """The call's own result, -errno too; a call cut short by a signal is made again."""
        while (result := int(self._syscall(nr, a0, a1, a2, a3, a4, 0))) == EINTR:
            pass
        return result

    def call(
        self,
        nr: int,
        a0: float = 0,
        a1: float = 0,
        a2: float = 0,
        a3: float = 0,
        a4: float = 0,
        path: str | None = None,
    ) -> int:
        """The call's result; raises OSError, with `path` when given."""
        result = self.raw(nr, a0, a1, a2, a3, a4)
        if result < 0:
            raise linux_error(-result, path)
        return result

    def use_root(self, root: int) -> None:
        """Paths are looked up below root handle `root` from now on."""
        if root != self._root:
            result = int(self.kernel.call("tk_root_use", root))
            if result < 0:
                raise linux_error(-result, text=f"there is no root {root}")
            self._root = root

    def forget_root(self, root: int) -> None:
        """`root` is about to be dropped: stand elsewhere."""
        if root == self._root:
            self.use_root(0)

    def _path(self, path: str, at: int = PATH_A) -> int:
        data = path.encode("utf-8", "surrogateescape")
        if b"\0" in data:
            raise ValueError("embedded null byte")
        if len(data) >= PATH_MAX:
            raise OSError(errno.ENAMETOOLONG, "File name too long", path)
        self.kernel.write(at, data + b"\0")
        return at

    # ---- descriptors ----

    def openat(self, path: str, flags: int, mode: int = 0) -> int:
        """Descriptor, always close-on-exec."""
        return self.call(Syscall.openat, linux.AT_FDCWD, self._path(path), flags | linux.O_CLOEXEC, mode, path=path)

    def close(self, fd: int) -> None:
        """Raises OSError(EBADF)."""
        self.call(Syscall.close, fd)

    def read(self, fd: int, size: int) -> bytes | None:
        """At most `size` bytes (and at most the staging memory), b"" at the end, None when nothing is there yet."""
        result = self.raw(Syscall.read, fd, DATA, min(size, self.data_bytes))
        if result > 0:
            return self.kernel.read(DATA, result)
        if result == 0:
            return b""
        if result == EAGAIN:
            return None
        raise linux_error(-result)

    def write(self, fd: int, data: memoryview) -> int:
        """Bytes accepted: at most the staging memory; 0 when none can be now."""
        size = min(len(data), self.data_bytes)
        self.kernel.write(DATA, data[:size])
        result = self.raw(Syscall.write, fd, DATA, size)
        if result >= 0:
            return result
        if result == EAGAIN:
            return 0
        raise linux_error(-result)

    def pipe(self) -> tuple[int, int]:
        """(read end, write end)"""
        self.call(Syscall.pipe2, RECORD, linux.O_CLOEXEC)
        read_end, write_end = struct.unpack("<ii", self.kernel.read(RECORD, 8))
        return read_end, write_end

    def set_nonblocking(self, fd: int) -> None:
        """O_NONBLOCK of the description."""
        flags = self.call(Syscall.fcntl, fd, linux.F_GETFL)
        self.call(Syscall.fcntl, fd, linux.F_SETFL, flags | linux.O_NONBLOCK)

    def watch(self, fd: int, events: int, number: int) -> bool:
        """True when ready now; else NOTIFY_WATCH(number) comes once."""
        result = int(self.kernel.call("tk_watch", fd, events, number))
        if result < 0:
            raise linux_error(-result)
        return result > 0

    # ---- terminals: pty(7), ioctl_tty(2) ----

    def open_pty(self, rows: int, columns: int) -> tuple[int, int]:
        """(master, which does not block; slave)"""
        master = self.openat("/dev/ptmx", linux.O_RDWR | linux.O_NOCTTY | linux.O_NONBLOCK)
        try:
            self.kernel.write(RECORD, struct.pack("<i", 0))
            self.call(Syscall.ioctl, master, linux.TIOCSPTLCK, RECORD)
            self.call(Syscall.ioctl, master, linux.TIOCGPTN, RECORD)
            (number,) = struct.unpack("<I", self.kernel.read(RECORD, 4))
            self.resize(master, rows, columns)
            return master, self.openat(f"/dev/pts/{number}", linux.O_RDWR | linux.O_NOCTTY)
        except BaseException:
            self.close(master)
            raise

    def resize(self, fd: int, rows: int, columns: int) -> None:
        """TIOCSWINSZ: the foreground group gets SIGWINCH."""
        size = Winsize(ws_row=rows, ws_col=columns)
        self.kernel.write(RECORD, size.pack())
        self.call(Syscall.ioctl, fd, linux.TIOCSWINSZ, RECORD)

    # ---- files ----

    def stat(self, path: str, follow: bool = True) -> Stat:
        """The guest's own stat record."""
        flags = 0 if follow else linux.AT_SYMLINK_NOFOLLOW
        self.call(Syscall.newfstatat, linux.AT_FDCWD, self._path(path), RECORD, flags, path=path)
        return Stat.unpack(self.kernel.read(RECORD, Stat.BYTES))

    def access(self, path: str, mode: int) -> None:
        """Raises OSError when not allowed."""
        self.call(Syscall.faccessat, linux.AT_FDCWD, self._path(path), mode, path=path)

    def mkdir(self, path: str, mode: int) -> None:
        """One directory; `mode` goes through init's umask."""
        self.call(Syscall.mkdirat, linux.AT_FDCWD, self._path(path), mode, path=path)

    def chmod(self, path: str, mode: int) -> None:
        """Permission bits."""
        self.call(Syscall.fchmodat, linux.AT_FDCWD, self._path(path), mode, path=path)

    def utime(self, path: str, atime_ns: int, mtime_ns: int) -> None:
        """utimensat(2), of a link itself."""
        self.kernel.write(RECORD, struct.pack("<4q", *divmod(atime_ns, 10**9), *divmod(mtime_ns, 10**9)))
        flags = linux.AT_SYMLINK_NOFOLLOW
        self.call(Syscall.utimensat, linux.AT_FDCWD, self._path(path), RECORD, flags, path=path)

    def link(self, source: str, target: str, flags: int = 0) -> None:
        """linkat(2)"""
        target_at = self._path(target, PATH_B)
        at = linux.AT_FDCWD
        self.call(Syscall.linkat, at, self._path(source), at, target_at, flags, path=source)

    def chown(self, path: str, uid: int, gid: int, follow: bool = True) -> None:
        """fchownat(2)"""
        flags = 0 if follow else linux.AT_SYMLINK_NOFOLLOW
        self.call(Syscall.fchownat, linux.AT_FDCWD, self._path(path), uid, gid, flags, path=path)

    def symlink(self, target: str, path: str) -> None:
        """`path` becomes a link that says `target`."""
        target_at = self._path(target, PATH_B)
        self.call(Syscall.symlinkat, target_at, linux.AT_FDCWD, self._path(path), path=path)

    def readlink(self, path: str) -> str:
        """What the link says."""
        size = self.call(Syscall.readlinkat, linux.AT_FDCWD, self._path(path), DATA, PATH_MAX, path=path)
        return self.kernel.read(DATA, size).decode("utf-8", "surrogateescape")

    def rename(self, source: str, target: str) -> None:
        """Replaces `target`."""
        target_at = self._path(target, PATH_B)
        at = linux.AT_FDCWD
        self.call(Syscall.renameat2, at, self._path(source), at, target_at, 0, path=source)

    def unlink(self, path: str, directory: bool = False) -> None:
        """A file, or an empty directory."""
        flags = linux.AT_REMOVEDIR if directory else 0
        self.call(Syscall.unlinkat, linux.AT_FDCWD, self._path(path), flags, path=path)

    def readdir(self, path: str) -> list[str]:
        """Sorted names without . and .."""
        fd = self.openat(path, linux.O_RDONLY | linux.O_DIRECTORY)
        try:
            return sorted(self._names(fd))
        finally:
            self.close(fd)

    def _names(self, fd: int) -> Iterator[str]:
        while size := self.call(Syscall.getdents64, fd, DATA, 65536):
            data, at = self.kernel.read(DATA, size), 0
            while at < size:
                (record_bytes,) = struct.unpack_from("<H", data, at + 16)
                name = data[at + 19 : at + record_bytes].split(b"\0", 1)[0]
                if name not in (b".", b".."):
                    yield name.decode("utf-8", "surrogateescape")
                at += record_bytes

    def write_file(self, path: str, data: bytes, mode: int) -> None:
        """Replace or make `path`."""
        fd = self.openat(path, linux.O_WRONLY | linux.O_CREAT | linux.O_TRUNC, mode)
        try:
            view = memoryview(data)
            while view:
                view = view[self.write(fd, view) or self._full(path) :]
            self.call(Syscall.fchmod, fd, mode)
        finally:
            self.close(fd)

    @staticmethod
    def _full(path: str) -> int:
        raise OSError(errno.EAGAIN, "Resource temporarily unavailable", path)

    def read_file(self, path: str) -> bytes:
        """The whole body."""
        fd = self.openat(path, linux.O_RDONLY)
        try:
            parts = []
            while part := self.read(fd, self.data_bytes):
                parts.append(part)
            return b"".join(parts)
        except OSError as e:
            raise OSError(e.errno, e.strerror, path) from None
        finally:
            self.close(fd)

    def missing(self, path: str, device: int | None = None) -> int:
        """Bytes of a file, or of all files below a directory, that a lazy layer has not brought; they are asked for.

        device: st_dev to stay on; None is that of `path`.
        """
        s = self.stat(path, follow=device is None)
        if device not in (None, s.st_dev) or not (st.S_ISDIR(s.st_mode) or st.S_ISREG(s.st_mode)):
            return 0
        if st.S_ISDIR(s.st_mode):
            return sum(self.missing(f"{path.rstrip('/')}/{name}", s.st_dev) for name in self.readdir(path))
        fd = self.openat(path, linux.O_RDONLY)
        try:
            result = int(self.kernel.call("tk_fetch_file", fd))
        finally:
            self.close(fd)
        return result

    # ---- mounts ----

    def mount(self, source: str, target: str, kind: str, read_only: bool, options: str) -> None:
        """A bind mount ("bind") of `source`, or a new file system of type `kind`, at `target`."""
        flags = linux.MS_RDONLY if read_only else 0
        if kind != "bind":
            for text, at in ((kind, PATH_B), (options, DATA)):
                self._path(text, at)
            self.call(Syscall.mount, PATH_B, self._path(target), PATH_B, flags, DATA, path=target)
            return
        self.call(Syscall.mount, self._path(source, PATH_B), self._path(target), 0, linux.MS_BIND, 0, path=target)
        try:  # mount(2): a new bind mount takes over the flags of what it shows
            remount = linux.MS_BIND | linux.MS_REMOUNT | flags
            self.call(Syscall.mount, 0, self._path(target), 0, remount, 0, path=target)
        except OSError:
            self.unmount(target)
            raise

    def unmount(self, path: str, lazy: bool = False) -> None:
        """Raises OSError(EBUSY) while it is used, unless lazy."""
        self.call(Syscall.umount2, self._path(path), linux.MNT_DETACH if lazy else 0, path=path)

    # ---- trees ----

    def make_parents(self, path: str, mode: int = 0o755) -> None:
        """Every directory above `path`."""
        parent = path.rstrip("/").rpartition("/")[0]
        if not parent:
            return
        try:
            self.stat(parent)
        except FileNotFoundError:
            self.make_parents(parent, mode)
            with contextlib.suppress(FileExistsError):
                self.mkdir(parent, mode)

    def remove_tree(self, path: str) -> None:
        """`path` and all below it; links are not followed."""
        if not st.S_ISDIR(self.stat(path, follow=False).st_mode):
            self.unlink(path)
            return
        for name in self.readdir(path):
            self.remove_tree(f"{path.rstrip('/')}/{name}")
        self.unlink(path, directory=True)

    # ---- processes ----

    def kill(self, pid: int, signal: int) -> None:
        """ProcessLookupError when there is none."""
        self.call(Syscall.kill, pid, signal)

    def wait_any(self) -> ChildExit | None:
        """Reap one child that has ended, or None."""
        before = self.kernel.call("tk_child_instructions")
        result = self.raw(Syscall.wait4, -1, RECORD, linux.WNOHANG, RECORD + 16)
        if result in (0, -int(Errno.ECHILD)):
            return None
        if result < 0:
            raise linux_error(-result)
        (status,) = struct.unpack("<i", self.kernel.read(RECORD, 4))
        usage = Rusage.unpack(self.kernel.read(RECORD + 16, Rusage.BYTES))
        user_ns = usage.ru_utime.tv_sec * 1_000_000_000 + usage.ru_utime.tv_usec * 1000
        return ChildExit(result, status, user_ns, int(self.kernel.call("tk_child_instructions") - before))
