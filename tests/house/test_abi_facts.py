"""The ABI tables against Linux' own headers for riscv64, as zig carries them: numbers, sizes, offsets. Nothing is run:
each fact is a static assertion, compiled for riscv64-linux-musl."""

from __future__ import annotations

import re
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tidemark_py.dev import abigen, toolchain

T = abigen.load(toolchain.ROOT / "tidemark_py" / "abi")
UAPI = (
    "asm/fcntl.h asm/stat.h asm/statfs.h asm/mman.h asm/signal.h asm/siginfo.h asm/poll.h "
    "asm/ioctls.h asm/termbits.h asm/termios.h asm/socket.h asm/auxvec.h asm/errno.h asm/unistd.h "
    "asm/hwprobe.h linux/fcntl.h linux/openat2.h linux/stat.h linux/fs.h linux/mount.h linux/mman.h "
    "linux/sched.h linux/sched/types.h linux/wait.h linux/eventpoll.h linux/resource.h linux/time.h "
    "linux/times.h linux/futex.h linux/random.h linux/prctl.h linux/in.h linux/in6.h linux/tcp.h "
    "linux/netlink.h linux/falloc.h linux/xattr.h linux/inotify.h linux/eventfd.h linux/timerfd.h "
    "linux/signalfd.h linux/limits.h linux/auxvec.h linux/elf.h linux/memfd.h linux/magic.h "
    "linux/reboot.h linux/close_range.h linux/capability.h linux/un.h linux/pidfd.h linux/major.h "
    "linux/sockios.h linux/utsname.h linux/uio.h linux/sysinfo.h linux/membarrier.h "
)
MUSL = (
    "errno.h fcntl.h poll.h sched.h signal.h termios.h sys/epoll.h sys/eventfd.h sys/mman.h "
    "sys/random.h sys/resource.h sys/socket.h sys/stat.h sys/statvfs.h sys/time.h sys/timerfd.h "
    "sys/types.h sys/uio.h sys/un.h sys/wait.h dirent.h unistd.h netinet/in.h netinet/tcp.h "
    "net/if.h sys/ioctl.h sys/ipc.h sys/shm.h sys/sem.h sys/msg.h "
)
# What a C library defines differently from the kernel, on purpose.
LIBRARY_OWN = {
    "SIGRTMIN",
    "SIGRTMAX",
    "NSIG",
    "O_LARGEFILE",
    "FD_SETSIZE",
    "IOV_MAX",
    "NCCS",
    "SIG_ERR",
    "SIG_DFL",
    "SIG_IGN",
    "RLIM_NLIMITS",
    "ARG_MAX",
    "SO_TIMESTAMP",
    "MINSIGSTKSZ",
    "SIGSTKSZ",
    "O_SEARCH",
    "O_EXEC",
    "SOMAXCONN",
    "O_RDWR",
    "SIG_HOLD",
    "TCP_CLOSE",
    "ST_RELATIME",
    "IPC_64",
    "IPPROTO_MAX",
    "O_NDELAY",
    "O_ACCMODE",
}
ABI_OWN = {"ARG_MAX", "SOMAXCONN"}  # our own limit, and a value raised since those headers
# our struct -> the header's; fields of ours without a counterpart are padding by other names
STRUCTS = {
    "stat": "struct stat",
    "statx": "struct statx",
    "statx_timestamp": "struct statx_timestamp",
    "statfs": "struct statfs",
    "flock": "struct flock",
    "f_owner_ex": "struct f_owner_ex",
    "open_how": "struct open_how",
    "iovec": "struct iovec",
    "pollfd": "struct pollfd",
    "epoll_event": "struct epoll_event",
    "rusage": "struct rusage",
    "rlimit": "struct rlimit",
    "timespec": "struct timespec",
    "timeval": "struct timeval",
    "itimerspec": "struct itimerspec",
    "itimerval": "struct itimerval",
    "timezone": "struct timezone",
    "tms": "struct tms",
    "sysinfo": "struct sysinfo",
    "utsname": "struct new_utsname",
    "termios": "struct termios",
    "termios2": "struct termios2",
    "termio": "struct termio",
    "winsize": "struct winsize",
    "stack_t": "stack_t",
    "siginfo": "siginfo_t",
    "sigevent": "sigevent_t",
    "ucontext": "struct ucontext",
    "robust_list_head": "struct robust_list_head",
    "clone_args": "struct clone_args",
    "sockaddr_un": "struct sockaddr_un",
    "sockaddr_in": "struct sockaddr_in",
    "sockaddr_in6": "struct sockaddr_in6",
    "sockaddr_nl": "struct sockaddr_nl",
    "cap_user_header": "struct __user_cap_header_struct",
    "cap_user_data": "struct __user_cap_data_struct",
    "nlmsghdr": "struct nlmsghdr",
    "inotify_event": "struct inotify_event",
    "signalfd_siginfo": "struct signalfd_siginfo",
    "futex_waitv": "struct futex_waitv",
    "elf64_ehdr": "Elf64_Ehdr",
    "elf64_phdr": "Elf64_Phdr",
    "riscv_hwprobe": "struct riscv_hwprobe",
    "mcontext": "struct sigcontext",
}
HEADERS = {
    "termios2": "asm/termbits.h",
    "termios": "asm/termbits.h",
    "winsize": "asm/termios.h",
    "termio": "asm/termios.h",
    "ucontext": "asm/signal.h asm/sigcontext.h asm/ucontext.h",
    "mcontext": "asm/sigcontext.h",
    "siginfo": "asm/siginfo.h",
    "sigevent": "asm/siginfo.h",
    "stack_t": "asm/signal.h",
    "stat": "asm/stat.h",
    "statfs": "asm/statfs.h",
    "flock": "asm/fcntl.h",
    "f_owner_ex": "asm/fcntl.h",
    "open_how": "linux/openat2.h",
    "iovec": "linux/uio.h",
    "pollfd": "asm/poll.h",
    "epoll_event": "linux/eventpoll.h",
    "rusage": "linux/resource.h",
    "rlimit": "linux/resource.h",
    "tms": "linux/times.h",
    "sysinfo": "linux/sysinfo.h",
    "utsname": "linux/utsname.h",
    "robust_list_head": "linux/futex.h",
    "clone_args": "linux/sched.h",
    "sockaddr_un": "linux/un.h",
    "sockaddr_in": "linux/in.h",
    "sockaddr_in6": "linux/in6.h",
    "sockaddr_nl": "linux/netlink.h",
    "nlmsghdr": "linux/netlink.h",
    "cap_user_header": "linux/capability.h",
    "cap_user_data": "linux/capability.h",
    "inotify_event": "linux/inotify.h",
    "statx": "linux/stat.h",
    "statx_timestamp": "linux/stat.h",
    "signalfd_siginfo": "linux/signalfd.h",
    "futex_waitv": "linux/futex.h",
    "elf64_ehdr": "linux/elf.h",
    "elf64_phdr": "linux/elf.h",
    "riscv_hwprobe": "asm/hwprobe.h",
}
FIELD = {
    "stat": {"st_atime_sec": "st_atime", "st_mtime_sec": "st_mtime", "st_ctime_sec": "st_ctime"},
    "siginfo": {"si_value": "si_value"},
    "robust_list_head": {"list_next": "list"},
    "sysinfo": {"pad2": "", "pad3": ""},
    "signalfd_siginfo": {"pad2": "", "pad": ""},
    "sigevent": {"sigev_tid": "_sigev_un"},
}
SKIP = {"pad", "pad1", "pad2", "pad3", "unused", "rest", "spare0", "spare3", "f_spare", "reserved", "f_fsid", "d_name"}
SKIP_IN = {"mcontext": {"pc", "x", "f", "fcsr", "fp_rest"}, "termio": {"pad"}, "utsname": set[str]()}


def compile_only(source: str, folder: Path) -> str:
    """Compiler's complaints about a C text, for riscv64."""
    path = folder / "facts.c"
    path.write_text(source, encoding="utf-8")
    target = ["cc", "-target", "riscv64-linux-musl", "-c", "-ferror-limit=0", "-w"]
    command = [str(toolchain.zig()), *target, str(path), "-o", str(folder / "facts.o")]
    done = subprocess.run(command, capture_output=True, text=True, env=toolchain.zig_env(), check=False)
    lines = [line for line in done.stderr.splitlines() if "error:" in line] or [done.stderr]
    return "\n".join(lines) if done.returncode else ""


def assertions(allowed: set[str]) -> str:
    """One conditional static assertion per constant and errno."""
    facts = {n: v for values in T.constants.values() for n, v in values.items()}
    facts |= {e["name"]: e["value"] for e in T.errnos}
    lines = []
    for name, value in facts.items():
        if name not in allowed:
            literal = f"{value}LL" if value < 1 << 63 else f"{value}ULL"
            # an int-typed 1 << 31 of a header is our unsigned word
            narrow = f" || (unsigned)({name}) == {literal}" if 0x7FFFFFFF < value <= 0xFFFFFFFF else ""
            lines.append(f'#ifdef {name}\n_Static_assert((long long)({name}) == {literal}{narrow}, "{name}");\n#endif')
    return "\n".join(lines)


def expect_clean(units: dict[str, str], folder: Path) -> None:
    """Compile all units, two at a time; every complaint is shown."""

    def one(item: tuple[str, str]) -> str:
        place = folder / re.sub(r"\W", "_", item[0])
        place.mkdir()
        return compile_only(item[1], place)

    with ThreadPoolExecutor(toolchain.jobs()) as pool:
        complaints = [c for c in pool.map(one, units.items()) if c]
    assert not complaints, "\n".join(complaints)


def test_constants_are_what_the_kernel_headers_say(tmp_path: Path) -> None:
    facts = assertions(ABI_OWN)
    units = {}
    for header in UAPI.split():
        before = "struct termios2 { int x[11]; };\n" if header == "asm/ioctls.h" else ""
        before += "#include <asm/termbits.h>\n#include <asm/ioctls.h>\n" if header == "linux/sockios.h" else ""
        before += "#include <linux/time.h>\n" if header in ("asm/siginfo.h", "linux/resource.h") else ""
        units[header] = f"#include <stddef.h>\n#include <linux/types.h>\n{before}#include <{header}>\n{facts}"
    expect_clean(units, tmp_path)


def test_constants_are_what_the_c_library_says(tmp_path: Path) -> None:
    source = "#define _GNU_SOURCE\n" + "".join(f"#include <{h}>\n" for h in MUSL.split())
    expect_clean({"musl": source + assertions(LIBRARY_OWN)}, tmp_path)


def test_system_call_numbers_are_the_headers(tmp_path: Path) -> None:
    rows = [f'_Static_assert(__NR_{s["name"]} == {s["nr"]}, "{s["name"]}");' for s in T.syscalls]
    assert compile_only("#include <asm/unistd.h>\n" + "\n".join(rows), tmp_path) == ""


def test_guest_structs_are_laid_out_as_the_headers(tmp_path: Path) -> None:
    units: dict[str, str] = {}
    for layout in T.layouts:
        if not layout.guest or layout.name not in STRUCTS:
            continue
        name, theirs = layout.name, STRUCTS[layout.name]
        headers = HEADERS.get(name, "linux/time.h").split()
        lines = [f'_Static_assert(sizeof({theirs}) == {layout.bytes}, "{name}");']
        for f in layout.fields:
            other = FIELD.get(name, {}).get(f.name, f.name)
            if other and f.name not in SKIP | SKIP_IN.get(name, set()):
                lines.append(f'_Static_assert(__builtin_offsetof({theirs}, {other}) == {f.offset}, "{name}.{f.name}");')
        head = "#include <stddef.h>\n#include <linux/types.h>\n" + "".join(f"#include <{h}>\n" for h in headers)
        units[" ".join(headers)] = units.get(" ".join(headers), head) + "\n".join(lines) + "\n"
    expect_clean(units, tmp_path)
