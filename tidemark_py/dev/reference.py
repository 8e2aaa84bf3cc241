"""Run a command in an unpacked riscv64 root under qemu-riscv64, as on a machine of that kind: children too.

Run as a program (`python3 -m tidemark_py.dev.reference ROOT QEMU CMD ARGS`) because it leaves its namespaces: a user,
mount, pid, net, ipc and uts namespace of its own, in which qemu is registered as the interpreter of riscv64 programs
and nowhere else. Follows user_namespaces(7), unshare(2), Linux' Documentation/admin-guide/binfmt-misc.rst (a table per
user namespace needs Linux 6.7). As root all owners of the root's files mean what they say; else only root's.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from .toolchain import ROOT, BuildError

CLONE_NEWNS, CLONE_NEWUTS, CLONE_NEWIPC = 0x20000, 0x4000000, 0x8000000
CLONE_NEWUSER, CLONE_NEWPID, CLONE_NEWNET = 0x10000000, 0x20000000, 0x40000000
SPACES = CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET
MS_BIND, MS_REC, MS_PRIVATE = 0x1000, 0x4000, 0x40000
PR_SET_PDEATHSIG = 1
SIOCSIFFLAGS, IFF_UP = 0x8914, 1
BINFMT = "/proc/sys/fs/binfmt_misc"
# e_ident of a little-endian 64-bit ELF, then e_type EXEC or DYN and e_machine 243
MAGIC = rb"\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xf3\x00"
MASK = rb"\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff"


@dataclass(frozen=True)
class Reference:
    """What a run gave."""

    exit_code: int
    stdout: bytes
    stderr: bytes
    seconds: float


def run(root: Path, qemu: Path, argv: list[str], env: dict[str, str], timeout_s: float) -> Reference:
    """Run to the end; files that the command makes stay in `root`. Raises BuildError after `timeout_s`."""
    command = [sys.executable, "-m", "tidemark_py.dev.reference", str(root), str(qemu), *argv]
    began = time.monotonic()
    try:
        done = subprocess.run(
            command, env={**env, "PYTHONPATH": str(ROOT)}, stdin=subprocess.DEVNULL, capture_output=True, cwd=ROOT,
            timeout=timeout_s, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise BuildError(f"{argv[0]}: not done under qemu-riscv64 in {timeout_s:.0f} s") from None
    return Reference(done.returncode, done.stdout, done.stderr, time.monotonic() - began)


@contextmanager
def scratch_root(layer: Path) -> Iterator[Path]:
    """A layer unpacked for one use."""
    from ..layers.format import Layer
    from ..layers.unpack import unpack

    folder = Path(tempfile.mkdtemp(prefix="tidemark-root-"))
    try:
        unpack(Layer.load(layer), folder)
        folder.chmod(0o755)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


# ---- inside ----


def _libc(name: str, *arguments: object) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if getattr(libc, name)(*arguments):
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")


def _mount(source: str, target: str, kind: str, flags: int = 0) -> None:
    _libc("mount", source.encode(), target.encode(), kind.encode(), flags, None)


def _end_with_parent() -> None:
    """A limit that passed kills the outermost process: what is inside must not go on. Lost at each change of user."""
    _libc("prctl", PR_SET_PDEATHSIG, signal.SIGKILL.value, 0, 0, 0)


def _enter(root: str, qemu: str) -> None:
    """In the new namespaces, as their root: binfmt, mounts, loopback, chroot."""
    _mount("none", "/", "none", MS_REC | MS_PRIVATE)
    _mount("none", BINFMT, "binfmt_misc")
    rule = b":riscv64:M::" + MAGIC + b":" + MASK + b":" + os.fsencode(qemu) + b":OCF"
    Path(BINFMT, "register").write_bytes(rule)
    _mount("proc", f"{root}/proc", "proc")
    _mount("/dev", f"{root}/dev", "none", MS_BIND | MS_REC)
    _mount("shm", f"{root}/dev/shm", "tmpfs")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        fcntl.ioctl(s, SIOCSIFFLAGS, struct.pack("16sH14x", b"lo", IFF_UP))
    os.chroot(root)
    os.chdir("/")


def main() -> int:
    """ROOT QEMU CMD ARGS; the command's exit code."""
    root, qemu, *argv = sys.argv[1:]
    unshared, mapped = os.pipe(), os.pipe()
    child = os.fork()
    if child == 0:
        _libc("unshare", SPACES)
        _end_with_parent()
        os.write(unshared[1], b"x")
        os.read(mapped[0], 1)
        first = os.fork()  # the pid namespace's own pid 1
        if first == 0:
            os.setgid(0)
            os.setuid(0)
            _end_with_parent()
            _enter(root, qemu)
            os.environ.pop("PYTHONPATH", None)
            os.execvpe(argv[0], argv, dict(os.environ))
        code = os.waitstatus_to_exitcode(os.waitpid(first, 0)[1])
        os._exit(code if code >= 0 else 128 - code)
    os.close(unshared[1])
    if os.read(unshared[0], 1):
        whole = os.geteuid() == 0
        if not whole:
            Path(f"/proc/{child}/setgroups").write_text("deny")
        for name, own in (("uid_map", os.getuid()), ("gid_map", os.getgid())):
            Path(f"/proc/{child}/{name}").write_text("0 0 65536" if whole else f"0 {own} 1")
        os.write(mapped[1], b"x")
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    sys.exit(main())
