"""Random rv64gc programs as static ELF files, for the differential test of the cpu (cpu_fuzz.py).

A program is a driver and many blocks. For each block the driver loads all registers from an image, runs the block and
stores all registers behind the image; every few blocks it writes images, the scratch memory and the trap log to stdout.
sp (aligned), s0 (maybe misaligned) and s1 (aligned) always point into the scratch memory, gp and tp belong to the driver,
frm holds a legal mode, so that nothing traps by chance. A few blocks trap on purpose (illegal instructions, ebreak,
accesses to where nothing is, read-only stores, misaligned atomics): a handler logs signal, code, address and pc and
steps over. Branches go forward over whole groups of instructions, or back in loops counted by t6.
"""

from __future__ import annotations

import random
import struct
from collections.abc import Callable

TEXT, DATA, ISLAND = 0x1000000, 0x4000000, 0x8000000
IMAGE_BYTES = 1152  # x[32], f[32], fcsr, entry, pad to 544; then the same stored
OUT = 544
SCRATCH_BYTES = 16384
BLOCKS = TEXT + 0x1000  # the blocks' code; the driver's is before it and not counted
LOG_BYTES = 4096  # a u64 of bytes used, then records of four u64: signal, code, address, pc
STACK_BYTES = 32768  # the alternate signal stack
GP, TP, SP, S0, S1, T6 = 3, 4, 2, 8, 9, 31
RESERVED = {SP, GP, TP, S0, S1}
X_FREE = [r for r in range(32) if r not in RESERVED]

INTERESTING = [0, 1, 2, 3, 7, 8, 31, 32, 63, 64, 255, 4095, 2**31 - 1, 2**31, 2**32 - 1, 2**32, 2**63 - 1, 2**63, 2**64 - 1,
               2**64 - 2**31, 0x5555555555555555, 0xAAAAAAAAAAAAAAAA, 0x8000000000000001, 0xFFFFFFFF80000000]
F64S = [0, 1, 0x000FFFFFFFFFFFFF, 0x0010000000000000, 0x0010000000000001, 0x3FE0000000000000, 0x3FF0000000000000,
        0x3FF8000000000000, 0x4000000000000000, 0x41DFFFFFFFC00000, 0x41E0000000000000, 0x41EFFFFFFFE00000,
        0x43E0000000000000, 0x43EFFFFFFFFFFFFF, 0x43F0000000000000, 0x47EFFFFFE0000000, 0x47EFFFFFF0000000,
        0x380FFFFFE0000000, 0x3810000000000000, 0x36A0000000000000, 0x7FEFFFFFFFFFFFFF, 0x7FF0000000000000]
F64_NANS = [0x7FF8000000000000, 0x7FF0000000000001, 0xFFF8000000000000, 0x7FFFFFFFFFFFFFFF, 0xFFF4000000000000]
F32S = [0, 1, 0x7FFFFF, 0x800000, 0x800001, 0x3F000000, 0x3F800000, 0x3FC00000, 0x40000000, 0x4EFFFFFF, 0x4F000000,
        0x4F7FFFFF, 0x4F800000, 0x5EFFFFFF, 0x5F000000, 0x5F7FFFFF, 0x7F7FFFFF, 0x7F800000]
F32_NANS = [0x7FC00000, 0x7F800001, 0xFFC00000, 0x7FFFFFFF, 0xFFA00000]
BOX = 0xFFFFFFFF00000000


def f64(rng: random.Random) -> int:
    """A binary64 worth trying: special values, NaNs, near neighbours in exponent, anything."""
    sign, kind = rng.getrandbits(1) << 63, rng.random()
    if kind < 0.12:
        return rng.choice(F64_NANS)
    if kind < 0.3:
        return sign | rng.choice(F64S)
    if kind < 0.55:
        return sign | (rng.randrange(1019, 1028) << 52) | rng.getrandbits(52) & ~((1 << rng.randrange(53)) - 1)
    if kind < 0.7:
        return sign | (rng.randrange(1020, 1090) << 52) | rng.getrandbits(52)
    if kind < 0.8:
        return sign | (rng.randrange(0, 60) << 52) | rng.getrandbits(52)
    if kind < 0.85:
        return sign | rng.getrandbits(52) >> rng.randrange(52)
    return rng.getrandbits(64)


def f32(rng: random.Random) -> int:
    """A binary32 worth trying, NaN-boxed nearly always."""
    sign, kind = rng.getrandbits(1) << 31, rng.random()
    if kind < 0.12:
        v = rng.choice(F32_NANS)
    elif kind < 0.3:
        v = sign | rng.choice(F32S)
    elif kind < 0.55:
        v = sign | (rng.randrange(123, 132) << 23) | rng.getrandbits(23) & ~((1 << rng.randrange(24)) - 1)
    elif kind < 0.7:
        v = sign | (rng.randrange(120, 195) << 23) | rng.getrandbits(23)
    elif kind < 0.85:
        v = sign | (rng.randrange(0, 30) << 23) | rng.getrandbits(23)
    else:
        v = rng.getrandbits(32)
    return v | (BOX if rng.random() < 0.97 else 0)


def x64(rng: random.Random) -> int:
    """An integer worth trying."""
    kind = rng.random()
    if kind < 0.3:
        return rng.choice(INTERESTING)
    if kind < 0.5:
        return rng.getrandbits(64) >> rng.randrange(64)
    if kind < 0.6:
        return (-(rng.getrandbits(32) >> rng.randrange(32))) & (2**64 - 1)
    return rng.getrandbits(64)


# ---- encoders ----
def r_type(op: int, f3: int, f7: int, rd: int, rs1: int, rs2: int) -> int:
    return f7 << 25 | rs2 << 20 | rs1 << 15 | f3 << 12 | rd << 7 | op


def i_type(op: int, f3: int, rd: int, rs1: int, imm: int) -> int:
    return (imm & 0xFFF) << 20 | rs1 << 15 | f3 << 12 | rd << 7 | op


def s_type(op: int, f3: int, rs1: int, rs2: int, imm: int) -> int:
    return (imm >> 5 & 0x7F) << 25 | rs2 << 20 | rs1 << 15 | f3 << 12 | (imm & 31) << 7 | op


def b_type(f3: int, rs1: int, rs2: int, imm: int) -> int:
    return ((imm >> 12 & 1) << 31 | (imm >> 5 & 63) << 25 | rs2 << 20 | rs1 << 15 | f3 << 12 | (imm >> 1 & 15) << 8
            | (imm >> 11 & 1) << 7 | 0x63)


def j_type(rd: int, imm: int) -> int:
    return ((imm >> 20 & 1) << 31 | (imm >> 1 & 0x3FF) << 21 | (imm >> 11 & 1) << 20 | (imm >> 12 & 0xFF) << 12 | rd << 7
            | 0x6F)


def c_j(imm: int) -> int:
    return (0xA001 | (imm >> 11 & 1) << 12 | (imm >> 4 & 1) << 11 | (imm >> 8 & 3) << 9 | (imm >> 10 & 1) << 8
            | (imm >> 6 & 1) << 7 | (imm >> 7 & 1) << 6 | (imm >> 1 & 7) << 3 | (imm >> 5 & 1) << 2)


def c_b(f3: int, r: int, imm: int) -> int:
    return (f3 << 13 | 1 | (imm >> 8 & 1) << 12 | (imm >> 3 & 3) << 10 | (r - 8) << 7 | (imm >> 6 & 3) << 5
            | (imm >> 1 & 3) << 3 | (imm >> 5 & 1) << 2)


def emit(word: int) -> bytes:
    """Bytes of one instruction, 16 or 32 bits by its low bits."""
    return struct.pack("<I", word) if word & 3 == 3 else struct.pack("<H", word)


Maker = Callable[[random.Random, "Block"], list[int]]


class Block:
    """Registers a group may write, and the generators of groups."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.in_loop = False

    def rd(self) -> int:
        while True:
            r = self.rng.choice(X_FREE)
            if not (self.in_loop and r == T6):
                return r

    def rd_c(self) -> int:
        return self.rng.choice([10, 11, 12, 13, 14, 15])

    def rs(self) -> int:
        return self.rng.randrange(32)

    def f(self) -> int:
        return self.rng.randrange(32)

    def rm(self) -> int:
        return self.rng.choice([0, 1, 2, 3, 4, 7, 7, 7])


def makers() -> dict[str, Maker]:
    """One maker of a group of instructions per instruction form."""
    m: dict[str, Maker] = {}

    def alu(name: str, op: int, f3: int, f7: int) -> None:
        m[name] = lambda g, b: [r_type(op, f3, f7, b.rd(), b.rs(), b.rs())]

    for f3, names in enumerate(["add", "sll", "slt", "sltu", "xor", "srl", "or", "and"]):
        alu(names, 0x33, f3, 0)
    alu("sub", 0x33, 0, 0x20)
    alu("sra", 0x33, 5, 0x20)
    for f3, names in enumerate(["mul", "mulh", "mulhsu", "mulhu", "div", "divu", "rem", "remu"]):
        alu(names, 0x33, f3, 1)
    for name, f3, f7 in [("addw", 0, 0), ("subw", 0, 0x20), ("sllw", 1, 0), ("srlw", 5, 0), ("sraw", 5, 0x20),
                         ("mulw", 0, 1), ("divw", 4, 1), ("divuw", 5, 1), ("remw", 6, 1), ("remuw", 7, 1)]:
        alu(name, 0x3B, f3, f7)

    def imm(name: str, op: int, f3: int) -> None:
        m[name] = lambda g, b: [i_type(op, f3, b.rd(), b.rs(), g.choice([0, 1, -1, 2047, -2048, g.randrange(-2048, 2048)]))]

    for name, f3 in [("addi", 0), ("slti", 2), ("sltiu", 3), ("xori", 4), ("ori", 6), ("andi", 7)]:
        imm(name, 0x13, f3)
    imm("addiw", 0x1B, 0)
    for name, op, f3, high, bits in [("slli", 0x13, 1, 0, 64), ("srli", 0x13, 5, 0, 64), ("srai", 0x13, 5, 0x400, 64),
                                     ("slliw", 0x1B, 1, 0, 32), ("srliw", 0x1B, 5, 0, 32), ("sraiw", 0x1B, 5, 0x400, 32)]:
        m[name] = (lambda op, f3, high, bits: lambda g, b: [i_type(op, f3, b.rd(), b.rs(), high | g.randrange(bits))])(
            op, f3, high, bits)
    m["lui"] = lambda g, b: [g.getrandbits(20) << 12 | b.rd() << 7 | 0x37]
    m["auipc"] = lambda g, b: [g.getrandbits(20) << 12 | b.rd() << 7 | 0x17]

    # pairs compilers emit, where an interpreter may fuse
    def li32(g: random.Random, b: Block) -> list[int]:
        rd = b.rd()
        return [g.getrandbits(20) << 12 | rd << 7 | 0x37, i_type(g.choice([0x13, 0x1B]), 0, rd, rd, g.getrandbits(12))]

    def pc_pair(g: random.Random, b: Block) -> list[int]:
        rd = b.rd()
        return [g.getrandbits(20) << 12 | rd << 7 | 0x17, i_type(0x13, 0, rd, rd, g.getrandbits(12))]

    def shifts(g: random.Random, b: Block) -> list[int]:
        rd, rs, n = b.rd(), b.rs(), g.choice([16, 32, 48, 56, g.randrange(64)])
        k = g.choice([n, n, g.randrange(64)])
        return [i_type(0x13, 1, rd, rs, n), i_type(0x13, 5, rd, rd, k | g.choice([0, 0x400]))]

    def shift_add(g: random.Random, b: Block) -> list[int]:
        rd = b.rd()
        return [i_type(0x13, 1, rd, b.rs(), g.randrange(5)), r_type(0x33, 0, 0, b.rd(), rd, b.rs())]

    m["li32"], m["pc_pair"], m["shifts"], m["shift_add"] = li32, pc_pair, shifts, shift_add

    def base_offset(g: random.Random, size: int) -> tuple[int, int]:
        off = g.randrange(-2048, 2040)
        if g.random() < 0.35:
            off &= -size
        return g.choice([SP, S0, S0, S1]), off

    def load(name: str, op: int, f3: int, size: int, floating: bool = False) -> None:
        def make(g: random.Random, b: Block) -> list[int]:
            base, off = base_offset(g, size)
            return [i_type(op, f3, b.f() if floating else b.rd(), base, off)]
        m[name] = make

    def store(name: str, op: int, f3: int, size: int) -> None:
        def make(g: random.Random, b: Block) -> list[int]:
            base, off = base_offset(g, size)
            return [s_type(op, f3, base, b.rs(), off)]
        m[name] = make

    for name, f3, size in [("lb", 0, 1), ("lh", 1, 2), ("lw", 2, 4), ("ld", 3, 8), ("lbu", 4, 1), ("lhu", 5, 2), ("lwu", 6, 4)]:
        load(name, 0x03, f3, size)
    load("flw", 0x07, 2, 4, True)
    load("fld", 0x07, 3, 8, True)
    for name, f3, size in [("sb", 0, 1), ("sh", 1, 2), ("sw", 2, 4), ("sd", 3, 8)]:
        store(name, 0x23, f3, size)
    store("fsw", 0x27, 2, 4)
    store("fsd", 0x27, 3, 8)
    m["point"] = lambda g, b: [i_type(0x13, 0, S1, SP, g.randrange(-256, 255) * 8)]

    def amo(name: str, f5: int, f3: int) -> None:
        m[name] = lambda g, b: [r_type(0x2F, f3, f5 << 2 | g.randrange(4), b.rd(), S1, b.rs())]

    for name, f5 in [("amoswap", 1), ("amoadd", 0), ("amoxor", 4), ("amoand", 12), ("amoor", 8), ("amomin", 16), ("amomax", 20),
                     ("amominu", 24), ("amomaxu", 28), ("sc", 3)]:  # sc alone: fails
        amo(name + ".w", f5, 2)
        amo(name + ".d", f5, 3)

    # An sc always follows its lr: after an lr of the other width, an sc under qemu may store and yet report failure.
    def lrsc(g: random.Random, b: Block) -> list[int]:
        f3, between = g.choice([2, 3]), g.choice([[], [i_type(0x13, 0, b.rd(), b.rs(), 5)], [s_type(0x23, 2, S1, b.rs(), 0)]])
        return [r_type(0x2F, f3, 2 << 2, b.rd(), S1, 0), *between, r_type(0x2F, f3, 3 << 2, b.rd(), S1, b.rs())]

    m["lrsc.1"] = m["lrsc.2"] = m["lrsc.3"] = lrsc
    m["fence"] = lambda g, b: [g.choice([0x0FF0000F, 0x8330000F, 0x0100000F, 0x0330000F])]
    m["fence.i"] = lambda g, b: [0x0000100F]
    m["ecall"] = lambda g, b: [i_type(0x13, 0, 17, 0, 2000), 0x73]  # no such call: ENOSYS

    def csr(name: str, f3: int) -> None:
        def make(g: random.Random, b: Block) -> list[int]:
            number, rd = g.choice([1, 1, 2, 3]), b.rd()
            if number == 1:
                return [i_type(0x73, f3, rd, b.rs(), 1)]
            value, rs = g.randrange(5) << (5 if number == 3 else 0) | (g.randrange(32) if number == 3 else 0), b.rd()
            if rs == 0:
                value = 0
            if f3 & 3 == 3:  # clearing bits of a legal mode leaves a legal one
                return [i_type(0x73, f3, rd, b.rs(), number)]
            if f3 >= 4:  # immediates: five bits
                value = value & 31 if number == 3 else value
                return [i_type(0x73, 5, 0, 0, number), i_type(0x73, f3, rd, value, number)]
            return [i_type(0x73, 5, 0, 0, number), i_type(0x13, 0, rs, 0, value), i_type(0x73, f3, rd, rs, number)]
        m[name] = make

    for name, f3 in [("csrrw", 1), ("csrrs", 2), ("csrrc", 3), ("csrrwi", 5), ("csrrsi", 6), ("csrrci", 7)]:
        csr(name, f3)
    m["set_rm.1"] = m["set_rm.2"] = lambda g, b: [i_type(0x73, 5, b.rd(), g.randrange(5), 2)]

    for w, suffix in [(0, ".s"), (1, ".d")]:
        def fop(name: str, f5: int, rs2: int | None = None, rm: int | None = None, to_x: bool = False, from_x: bool = False,
                w: int = w, suffix: str = suffix) -> None:
            m[name + suffix] = lambda g, b: [r_type(0x53, b.rm() if rm is None else rm, f5 << 2 | w, b.rd() if to_x else b.f(),
                                                    b.rs() if from_x else b.f(), b.f() if rs2 is None else rs2)]

        for name, f5 in [("fadd", 0), ("fsub", 1), ("fmul", 2), ("fdiv", 3)]:
            fop(name, f5)
        fop("fsqrt", 0x0B, 0)
        for rm, name in enumerate(["fsgnj", "fsgnjn", "fsgnjx"]):
            fop(name, 4, None, rm)
        for rm, name in enumerate(["fmin", "fmax"]):
            fop(name, 5, None, rm)
        for rm, name in enumerate(["fle", "flt", "feq"]):
            fop(name, 0x14, None, rm, to_x=True)
        for rs2, kind in enumerate(["w", "wu", "l", "lu"]):
            fop(f"fcvt.{kind}", 0x18, rs2, None, to_x=True)
            fop(f"fcvt.from.{kind}", 0x1A, rs2, None, from_x=True)
        fop("fcvt.width", 8, 1 - w)
        fop("fmv.x", 0x1C, 0, 0, to_x=True)
        fop("fclass", 0x1C, 0, 1, to_x=True)
        fop("fmv.from.x", 0x1E, 0, 0, from_x=True)
        for k, name in enumerate(["fmadd", "fmsub", "fnmsub", "fnmadd"]):
            m[name + suffix] = (lambda k, w: lambda g, b: [
                b.f() << 27 | w << 25 | b.f() << 20 | b.f() << 15 | b.rm() << 12 | b.f() << 7 | 0x43 | k << 2])(k, w)
    m.update(compressed())
    return m


def compressed() -> dict[str, Maker]:
    """Makers of compressed instructions that do not jump."""
    m: dict[str, Maker] = {}

    def nonzero6(g: random.Random) -> int:
        return g.choice([i for i in range(-32, 32) if i])

    def ci(f3: int, q: int, rd: int, imm: int) -> int:
        return f3 << 13 | (imm >> 5 & 1) << 12 | rd << 7 | (imm & 31) << 2 | q

    def lw(g: random.Random) -> int:
        return g.getrandbits(3) << 10 | g.getrandbits(2) << 5  # offset bits: any is legal

    m["c.addi"] = lambda g, b: [ci(0, 1, b.rd(), nonzero6(g))]
    m["c.addiw"] = lambda g, b: [ci(1, 1, b.rd() or 5, g.randrange(-32, 32))]
    m["c.li"] = lambda g, b: [ci(2, 1, b.rd(), g.randrange(-32, 32))]
    m["c.lui"] = lambda g, b: [ci(3, 1, b.rd() or 5, nonzero6(g))]
    m["c.slli"] = lambda g, b: [ci(0, 2, b.rd() or 5, g.randrange(1, 64))]
    for k, name in enumerate(["c.srli", "c.srai", "c.andi"]):
        m[name] = (lambda k: lambda g, b: [ci(4, 1, k << 3 | (b.rd_c() - 8), g.randrange(1, 64))])(k)
    for k, name in enumerate(["c.sub", "c.xor", "c.or", "c.and", "c.subw", "c.addw"]):
        m[name] = (lambda k: lambda g, b: [0x8C01 | (k >> 2) << 12 | (b.rd_c() - 8) << 7 | (k & 3) << 5 | g.randrange(8) << 2])(k)
    m["c.mv"] = lambda g, b: [0x8002 | b.rd() << 7 | g.randrange(1, 32) << 2]
    m["c.add"] = lambda g, b: [0x9002 | b.rd() << 7 | g.randrange(1, 32) << 2]
    m["c.addi4spn"] = lambda g, b: [(g.randrange(1, 256) << 5) | (b.rd_c() - 8) << 2]
    m["c.nop"] = lambda g, b: [1]
    for f3, name in [(1, "c.fld"), (2, "c.lw"), (3, "c.ld"), (5, "c.fsd"), (6, "c.sw"), (7, "c.sd")]:
        m[name] = (lambda f3: lambda g, b: [
            f3 << 13 | lw(g) | g.randrange(2) << 7 | (b.rd_c() - 8 if f3 < 5 and f3 != 1 else g.randrange(8)) << 2])(f3)
    for f3, name in [(1, "c.fldsp"), (2, "c.lwsp"), (3, "c.ldsp")]:
        m[name] = (lambda f3: lambda g, b: [
            f3 << 13 | g.getrandbits(1) << 12 | (b.f() if f3 == 1 else b.rd() or 5) << 7 | g.getrandbits(5) << 2 | 2])(f3)
    for f3, name in [(5, "c.fsdsp"), (6, "c.swsp"), (7, "c.sdsp")]:
        m[name] = (lambda f3: lambda g, b: [f3 << 13 | g.getrandbits(6) << 7 | b.rs() << 2 | 2])(f3)
    return m


MAKERS = makers()
NAMES = list(MAKERS)
WEIGHTS = [3.6 if n in ("ld", "lw", "lh", "lhu", "lwu", "sd", "sw", "sh", "flw", "fld", "fsw", "fsd")
           else 1.6 if n.startswith("c.") else 1.2 for n in NAMES]


def jump_group(rng: random.Random, b: Block, skipped: bytes) -> bytes:
    """A jump of some kind over `skipped`."""
    n, kind = len(skipped), rng.random()
    if kind < 0.5:
        return emit(b_type(rng.choice([0, 1, 4, 5, 6, 7]), b.rs(), rng.choice([b.rs(), b.rs(), 0]), 4 + n)) + skipped
    if kind < 0.7 and n < 250:
        return emit(c_b(rng.choice([6, 7]), rng.randrange(8, 16), 2 + n)) + skipped
    if kind < 0.78:
        return emit(j_type(b.rd(), 4 + n)) + skipped
    if kind < 0.84:
        return emit(c_j(2 + n)) + skipped
    r = b.rd() or 5
    if kind < 0.92:  # auipc r; jalr rd, off(r), to an odd address now and then: bit 0 is dropped
        return emit(r << 7 | 0x17) + emit(i_type(0x67, 0, b.rd(), r, 8 + n + rng.randrange(2))) + skipped
    op = rng.choice([0x8002, 0x9002])  # c.jr, c.jalr (links ra)
    return emit(r << 7 | 0x17) + emit(i_type(0x13, 0, r, r, 10 + n)) + emit(op | r << 7) + skipped


def trap_group(rng: random.Random, b: Block) -> list[int]:
    """One instruction that raises a signal, with what sets it up."""
    r, kind = b.rd() or 5, rng.choice([0, 1, 1, 1, 1, 2, 3, 4, 5])  # as many ebreak as of any instruction
    if kind == 0:
        return [rng.choice([0, 0x0000, 0xFFFFFFFF, 0x00000073 | 1 << 21, 0x8000, 0x9C41, r_type(0x33, 1, 0x20, 5, 6, 7),
                            r_type(0x53, 5, 0, 1, 2, 3), r_type(0x53, 0, 2, 1, 2, 3), i_type(0x67, 1, 1, 1, 0), i_type(0x73, 1, 0, 1, 0xC00),
                            i_type(0x73, 2, 5, 0, 0x300), r_type(0x2F, 2, 8, 1, S1, 3), r_type(0x33, 4, 0x05, 5, 6, 7)])]
    if kind == 1:
        return [rng.choice([0x00100073, 0x9002])]
    if kind == 2:  # nothing mapped there, or too high up
        high = rng.choice([0, 0x30, 0x7FFFF, 0x40000])
        setup = [high << 12 | r << 7 | 0x37]
        return [*setup, rng.choice([i_type(0x03, rng.choice([0, 1, 2, 3, 4, 5, 6]), b.rd(), r, 8 * rng.randrange(100)),
                                    s_type(0x23, rng.randrange(4), r, b.rs(), 8 * rng.randrange(100)),
                                    i_type(0x07, 3, b.f(), r, 16), s_type(0x27, 2, r, b.f(), 20),
                                    r_type(0x2F, 3, 0, b.rd(), r, b.rs()), r_type(0x2F, 2, 2 << 2, b.rd(), r, 0)])]
    if kind == 3:  # text is read-only
        return [TEXT | r << 7 | 0x37, rng.choice([s_type(0x23, rng.randrange(4), r, b.rs(), 64 + rng.randrange(8)),
                                                  r_type(0x2F, 2, 4, b.rd(), r, b.rs())])]
    if kind == 4:  # misaligned atomics
        k = rng.choice([1, 2, 3, 5, 6, 7])
        f3 = rng.choice([2, 3]) if k % 4 else 3
        return [i_type(0x13, 0, r, S1, k), r_type(0x2F, f3, rng.choice([0, 1, 4, 8, 12, 16, 20, 24, 28]) << 2, b.rd(), r, b.rs())]
    # over the end of the one page at ISLAND, the highest one
    access = rng.choice([i_type(0x03, 3, b.rd(), r, 0), s_type(0x23, 3, r, b.rs(), 0), i_type(0x07, 3, b.f(), r, 0)])
    return [ISLAND | r << 7 | 0x37, i_type(0x13, 0, r, r, 2047), i_type(0x13, 0, r, r, 2040 + rng.randrange(2, 8)), access]


def straight(rng: random.Random, b: Block, groups: int) -> bytes:
    out = b""
    for name in rng.choices(NAMES, WEIGHTS, k=groups):
        out += b"".join(emit(w) for w in MAKERS[name](rng, b))
    return out


def block_code(rng: random.Random, trapping: bool) -> tuple[bytes, int]:
    """Code of one block, ending in a return to the driver; and about how many instructions it executes."""
    b, out, executed = Block(rng), b"", 0
    if trapping:
        for _ in range(rng.randrange(1, 4)):
            out += straight(rng, b, 2) + b"".join(emit(w) for w in trap_group(rng, b))
            executed += 3
    for _ in range(rng.randrange(8, 14)):
        kind = rng.random()
        if kind < 0.62:
            out += jump_group(rng, b, straight(rng, b, rng.randrange(0, 3)))
            executed += 2
        elif kind < 0.74:
            turns = rng.randrange(2, 5)
            out += emit(i_type(0x13, 0, T6, 0, turns))
            b.in_loop = True
            body = straight(rng, b, rng.randrange(1, 4))
            body += emit(i_type(0x13, 0, T6, T6, -1))
            out += body + emit(b_type(1, T6, 0, -len(body)))
            b.in_loop = False
            executed += 5 * turns
        else:
            out += straight(rng, b, 4)
            executed += 4
    return out + emit(i_type(0x67, 0, 0, TP, 0)), executed


def handler() -> list[int]:
    """The signal handler: log signal, code, address and pc; step over the instruction."""
    log = DATA + SCRATCH_BYTES
    return [log & 0xFFFFF000 | 5 << 7 | 0x37, i_type(0x03, 3, 6, 5, 0), r_type(0x33, 0, 0, 7, 5, 6), s_type(0x23, 3, 7, 10, 8),
            i_type(0x03, 2, 28, 11, 8), s_type(0x23, 3, 7, 28, 16), i_type(0x03, 3, 28, 11, 16), s_type(0x23, 3, 7, 28, 24),
            i_type(0x03, 3, 28, 12, 176), s_type(0x23, 3, 7, 28, 32), i_type(0x13, 0, 6, 6, 32), s_type(0x23, 3, 5, 6, 0),
            i_type(0x03, 5, 29, 28, 0), i_type(0x13, 7, 29, 29, 3), i_type(0x13, 0, 30, 0, 3), i_type(0x13, 0, 28, 28, 2),
            b_type(1, 29, 30, 8), i_type(0x13, 0, 28, 28, 2), s_type(0x23, 3, 12, 28, 176), i_type(0x13, 0, 17, 0, 139), 0x73]


def driver(images: int, count: int) -> bytes:
    """Install the handler; loop over the images: load, call, store; write where an image says so, with scratch and log."""
    stack = DATA + SCRATCH_BYTES + LOG_BYTES
    trap = handler()
    code: list[int] = [j_type(0, 4 * (len(trap) + 1)), *trap]

    def li(rd: int, value: int) -> None:
        high = (value + 0x800) >> 12 & 0xFFFFF
        code.extend([high << 12 | rd << 7 | 0x37, i_type(0x1B, 0, rd, rd, value & 0xFFF)])

    # a stack_t and a sigaction, both built on the alternate stack's memory: {sp, flags, size}, {handler, flags, mask}
    li(5, stack)
    li(6, STACK_BYTES)
    code.extend([s_type(0x23, 3, 5, 5, 0), s_type(0x23, 3, 5, 0, 8), s_type(0x23, 3, 5, 6, 16), r_type(0x33, 0, 0, 10, 0, 5),
                 i_type(0x13, 0, 11, 0, 0), i_type(0x13, 0, 17, 0, 132), 0x73])
    li(6, TEXT + 4)
    li(7, 0x08000004)
    code.extend([s_type(0x23, 3, 5, 6, 0), s_type(0x23, 3, 5, 7, 8), s_type(0x23, 3, 5, 0, 16)])
    for signo in (4, 5, 7, 11):
        code.extend([i_type(0x13, 0, 10, 0, signo), r_type(0x33, 0, 0, 11, 0, 5), i_type(0x13, 0, 12, 0, 0),
                     i_type(0x13, 0, 13, 0, 8), i_type(0x13, 0, 17, 0, 134), 0x73])
    li(GP, images)
    loop = len(code)
    code.append(i_type(0x03, 3, 5, GP, 512))  # fcsr
    code.append(i_type(0x73, 1, 0, 5, 3))
    code.extend(i_type(0x07, 3, r, GP, 256 + 8 * r) for r in range(32))
    code.extend(i_type(0x03, 3, r, GP, 8 * r) for r in range(1, 32) if r not in (GP, TP))
    code.append(i_type(0x03, 3, TP, GP, 520))
    code.append(i_type(0x67, 0, TP, TP, 0))
    code.extend(s_type(0x23, 3, GP, r, OUT + 8 * r) for r in range(32))
    code.extend(s_type(0x27, 3, GP, r, OUT + 256 + 8 * r) for r in range(32))
    code.append(i_type(0x73, 2, 5, 0, 3))
    code.append(s_type(0x23, 3, GP, 5, OUT + 512))
    code.append(i_type(0x03, 3, 6, GP, 528))  # bytes of images to write after this one, or 0
    skip = len(code)
    code.append(0)  # beqz t1, over the writes
    code.extend([r_type(0x33, 0, 0, 12, 0, 6), i_type(0x13, 0, 11, GP, IMAGE_BYTES), r_type(0x33, 0, 0x20, 11, 11, 12),
                 i_type(0x13, 0, 10, 0, 1), i_type(0x13, 0, 17, 0, 64), 0x73])
    li(11, DATA)
    li(12, SCRATCH_BYTES + LOG_BYTES)
    code.extend([i_type(0x13, 0, 10, 0, 1), i_type(0x13, 0, 17, 0, 64), 0x73])
    li(5, DATA + SCRATCH_BYTES)
    code.append(s_type(0x23, 3, 5, 0, 0))
    code[skip] = b_type(0, 6, 0, 4 * (len(code) - skip))
    code.append(i_type(0x13, 0, GP, GP, IMAGE_BYTES))
    li(5, images + count * IMAGE_BYTES)
    code.append(b_type(0, GP, 5, 8))
    code.append(j_type(0, 4 * (loop - len(code))))
    code.extend([i_type(0x13, 0, 10, 0, 0), i_type(0x13, 0, 17, 0, 93), 0x73])
    return b"".join(emit(w) for w in code)


EVERY = 16  # blocks between writes


class Program:
    """An ELF that executes about so many random instructions, and what it takes to say where outputs differ."""

    def __init__(self, seed: int, instructions: int) -> None:
        rng = random.Random(seed)
        self.blocks: list[bytes] = []
        self.trapping = 0
        done = 0
        while done < instructions:
            trapping = rng.random() < 0.07
            self.trapping += trapping
            code, executed = block_code(rng, trapping)
            self.blocks.append(code)
            done += executed
        count = len(self.blocks)
        images = DATA + SCRATCH_BYTES + LOG_BYTES + STACK_BYTES
        text, entries = bytearray(driver(images, count).ljust(BLOCKS - TEXT, b"\0")), []
        for code in self.blocks:
            if rng.random() < 0.3:
                text += emit(1)  # vary the alignment
            entries.append(TEXT + len(text))
            text += code
        data = bytearray()
        for i in range(SCRATCH_BYTES // 8):
            data += struct.pack("<Q", rng.choice([x64, f64, f32])(rng) if i % 3 else rng.getrandbits(64))
        data += bytes(LOG_BYTES + STACK_BYTES)
        middle = DATA + SCRATCH_BYTES // 2
        for i in range(count):
            xs = [x64(rng) for _ in range(32)]
            xs[0] = 0
            xs[SP] = middle + rng.randrange(-256, 256) * 8
            xs[S0] = middle + rng.randrange(-2048, 2048)
            xs[S1] = middle + rng.randrange(-256, 256) * 8
            fs = [rng.choice([f64, f32])(rng) for _ in range(32)]
            write = IMAGE_BYTES * (i % EVERY + 1) if i % EVERY == EVERY - 1 or i == count - 1 else 0
            fcsr = rng.randrange(5) << 5 | rng.getrandbits(5) & rng.getrandbits(5)
            data += struct.pack("<67Q", *xs, *fs, fcsr, entries[i], write).ljust(IMAGE_BYTES, b"\0")
        self.elf = elf(bytes(text), bytes(data))

    def locate(self, offset: int) -> tuple[int, int, str]:
        """Of a byte of the output: the block it belongs to, where that block's image begins, and what stands there."""
        at = first = 0
        while True:
            n = min(EVERY, len(self.blocks) - first)
            if offset < at + n * IMAGE_BYTES:
                k, word = (offset - at) // IMAGE_BYTES, ((offset - at) % IMAGE_BYTES - OUT) // 8
                what = f"x{word}" if word < 32 else f"f{word - 32}" if word < 64 else "fcsr"
                return first + k, at + k * IMAGE_BYTES, what
            at += n * IMAGE_BYTES
            if offset < at + SCRATCH_BYTES + LOG_BYTES:
                where = "scratch" if offset < at + SCRATCH_BYTES else "trap log"
                return first, at - n * IMAGE_BYTES, f"{where} of blocks {first}..{first + n - 1} at {offset - at:#x}"
            at += SCRATCH_BYTES + LOG_BYTES
            first += n


def elf(text: bytes, data: bytes) -> bytes:
    """A static executable: text (read, execute) at TEXT, data and a page at ISLAND (read, write)."""
    head = 4096
    data_offset = (head + len(text) + 4095) // 4096 * 4096
    ident = b"\x7fELF\x02\x01\x01" + bytes(9)
    header = ident + struct.pack("<HHIQQQIHHHHHH", 2, 243, 1, TEXT, 64, 0, 5, 64, 56, 3, 0, 0, 0)
    for flags, offset, at, size in [(5, head, TEXT, len(text)), (6, data_offset, DATA, len(data)), (6, 0, ISLAND, 4096)]:
        header += struct.pack("<IIQQQQQQ", 1, flags, offset, at, at, size, size, 4096)
    return (header.ljust(head, b"\0") + text).ljust(data_offset, b"\0") + data
