"""The second decoder: GNU objdump for riscv64, fetched through apt, told that the machine is rv64gc and nothing more.

Gives, for a list of encodings, what objdump makes of each: a base mnemonic, or "illegal". Owns .cache/binutils.
"""

from __future__ import annotations

import os
import platform
import re
import struct
import subprocess
from pathlib import Path

from tidemark_py.dev.apt import Archive
from tidemark_py.dev.qemu import ARCHITECTURES
from tidemark_py.dev.toolchain import CACHE

ISA = b"rv64i2p1_m2p0_a2p1_f2p2_d2p2_c2p0_zicsr2p0_zifencei2p0"
#: Compressed mnemonics and what they expand to; the rest is the same without "c.".
EXPANSIONS = {
    "addi4spn": "addi",
    "addi16sp": "addi",
    "nop": "addi",
    "li": "addi",
    "mv": "add",
    "jr": "jalr",
    "j": "jal",
    "beqz": "beq",
    "bnez": "bne",
    "lwsp": "lw",
    "ldsp": "ld",
    "swsp": "sw",
    "sdsp": "sd",
    "fldsp": "fld",
    "fsdsp": "fsd",
    "slli64": "slli",
    "srli64": "srli",
    "srai64": "srai",
}
#: Legal for objdump, privileged or absent for a user program.
PRIVILEGED = {"unimp", "c.unimp", "sret", "mret", "uret", "hret", "dret", "wfi", "sfence.vma", "sfence.vm"}
USER_CSRS = {"fflags": 1, "frm": 2, "fcsr": 3, "cycle": 0xC00, "time": 0xC01, "instret": 0xC02}


def machine_suite() -> str:
    """Code name of this machine's own Debian release: its binutils runs on its libc."""
    text = Path("/etc/os-release").read_text()
    found = re.search(r"^VERSION_CODENAME=(\w+)", text, re.M)
    return found.group(1) if found else "trixie"


def objdump() -> list[str]:
    """Command of a riscv64 objdump; fetched at first use. Raises AptError."""
    target = CACHE / "binutils"
    binary = target / "usr/bin/riscv64-linux-gnu-objdump"
    if not binary.exists():
        archive = Archive(ARCHITECTURES[platform.machine()], suite=machine_suite())
        wanted = ("binutils-riscv64-linux-gnu", "libbinutils", "libctf", "libsframe", "libopcodes")
        packages = [p for p in archive.resolve(["binutils-riscv64-linux-gnu"]) if p.name.startswith(wanted)]
        target.mkdir(parents=True, exist_ok=True)
        for deb in archive.download(packages).values():
            subprocess.run(["dpkg-deb", "-x", str(deb), str(target)], check=True)
    return [str(binary)]


def environment() -> dict[str, str]:
    libraries = [str(p) for p in sorted((CACHE / "binutils/usr/lib").glob("*-linux-gnu"))]
    return {**os.environ, "LD_LIBRARY_PATH": ":".join(libraries), "LC_ALL": "C"}


def object_file(text: bytes) -> bytes:
    """A relocatable riscv64 ELF with .text and the attributes that name the ISA."""
    tag = b"\x05" + ISA + b"\0"
    sub = b"riscv\0" + b"\x01" + struct.pack("<I", len(tag) + 5) + tag
    attributes = b"A" + struct.pack("<I", len(sub) + 4) + sub
    names = b"\0.text\0.riscv.attributes\0.shstrtab\0"
    at_text, at_attributes = 64, 64 + len(text)
    at_names = at_attributes + len(attributes)
    at_sections = (at_names + len(names) + 7) // 8 * 8

    def section(name: int, kind: int, flags: int, offset: int, size: int, align: int) -> bytes:
        return struct.pack("<IIQQQQIIQQ", name, kind, flags, 0, offset, size, 0, 0, align, 0)

    header = (
        b"\x7fELF\x02\x01\x01"
        + bytes(9)
        + struct.pack("<HHIQQQIHHHHHH", 1, 243, 1, 0, 0, at_sections, 5, 64, 0, 0, 64, 4, 3)
    )
    body = header + text + attributes + names
    body = body.ljust(at_sections, b"\0") + bytes(64)
    body += section(1, 1, 6, at_text, len(text), 4)
    body += section(7, 0x70000003, 0, at_attributes, len(attributes), 1)
    return body + section(25, 3, 0, at_names, len(names), 1)


def simplify(mnemonic: str, operands: str) -> str:
    """objdump's spelling -> ours, or "illegal" where a user program may not."""
    if (
        mnemonic.startswith((".2byte", ".4byte", ".short", ".word", ".insn"))
        or mnemonic in PRIVILEGED
        or "unknown" in operands
    ):
        return "illegal"
    if mnemonic.startswith("c."):
        return EXPANSIONS.get(mnemonic[2:], mnemonic[2:])
    if mnemonic.startswith("csrr"):
        _, csr, source = operands.split(",")[:3]
        number = USER_CSRS.get(csr, -1)
        writes = mnemonic in ("csrrw", "csrrwi") or source not in ("zero", "0")
        return "illegal" if number < 0 or (number >= 0xC00 and writes) else mnemonic
    if mnemonic in ("fence.tso", "pause"):
        return "fence"
    return re.sub(r"\.(aq|rl|aqrl)$", "", mnemonic)


def second_opinion(words: list[int], directory: Path) -> list[str]:
    """What objdump says of each encoding (16 bits where the low two bits are not 11)."""
    text = b"".join(struct.pack("<I", w) if w & 3 == 3 else struct.pack("<H", w & 0xFFFF) for w in words)
    path = directory / "sweep.o"
    path.write_bytes(object_file(text))
    listing = subprocess.run(
        [*objdump(), "-d", "-z", "-M", "no-aliases", str(path)],
        capture_output=True,
        text=True,
        check=True,
        env=environment(),
    ).stdout
    found: dict[int, str] = {}
    for line in listing.splitlines():
        m = re.match(r"\s*([0-9a-f]+):\t[0-9a-f ]+\t(\S+)(?:\t(.*))?$", line)
        if m:
            found[int(m.group(1), 16)] = simplify(m.group(2), (m.group(3) or "").split(" #")[0].split(" <")[0])
    out, at = [], 0
    for w in words:
        out.append(found.get(at, "missing"))
        at += 4 if w & 3 == 3 else 2
    return out
