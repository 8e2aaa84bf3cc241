"""One maker per instruction form of rv64gc: random operands within the rules of cpu_fuzz_gen.py."""

from __future__ import annotations

import random
from collections.abc import Callable

from tests.kernel.cpu_fuzz_values import S0, S1, SP, T6, X_FREE, i_type, r_type, s_type

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


def bind(make: Callable[..., list[int]], *args: int) -> Maker:
    """A maker with its last arguments fixed now (a loop's variable would change)."""
    return lambda g, b: make(g, b, *args)


def fused(_: random.Random, b: Block, base: int) -> list[int]:
    """fmadd and its kin."""
    return [base | b.f() << 27 | b.f() << 20 | b.f() << 15 | b.rm() << 12 | b.f() << 7]


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
    for name, f3, f7 in [
        ("addw", 0, 0),
        ("subw", 0, 0x20),
        ("sllw", 1, 0),
        ("srlw", 5, 0),
        ("sraw", 5, 0x20),
        ("mulw", 0, 1),
        ("divw", 4, 1),
        ("divuw", 5, 1),
        ("remw", 6, 1),
        ("remuw", 7, 1),
    ]:
        alu(name, 0x3B, f3, f7)

    def imm(name: str, op: int, f3: int) -> None:
        m[name] = lambda g, b: [
            i_type(op, f3, b.rd(), b.rs(), g.choice([0, 1, -1, 2047, -2048, g.randrange(-2048, 2048)]))
        ]

    for name, f3 in [("addi", 0), ("slti", 2), ("sltiu", 3), ("xori", 4), ("ori", 6), ("andi", 7)]:
        imm(name, 0x13, f3)
    imm("addiw", 0x1B, 0)

    def shift(name: str, op: int, f3: int, high: int, bits: int) -> None:
        m[name] = lambda g, b: [i_type(op, f3, b.rd(), b.rs(), high | g.randrange(bits))]

    for suffix, op, bits in [("", 0x13, 64), ("w", 0x1B, 32)]:
        shift("slli" + suffix, op, 1, 0, bits)
        shift("srli" + suffix, op, 5, 0, bits)
        shift("srai" + suffix, op, 5, 0x400, bits)
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
        rd, dest = b.rd(), b.rd()
        operands = g.choice([(rd, b.rs()), (b.rs(), rd), (rd, rd)])
        return [
            i_type(0x13, 1, rd, b.rs(), g.randrange(5)),
            r_type(0x33, 0, 0, g.choice([rd, rd, dest]), *operands),
        ]

    def pc_load(g: random.Random, b: Block) -> list[int]:
        rd = b.rd() or 5
        return [rd << 7 | 0x17, i_type(0x03, 3, rd, rd, -g.randrange(8, 900))]

    m["li32"], m["pc_pair"], m["shifts"], m["shift_add"] = li32, pc_pair, shifts, shift_add
    m["pc_load"] = pc_load

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

    for name, f3, size in [
        ("lb", 0, 1),
        ("lh", 1, 2),
        ("lw", 2, 4),
        ("ld", 3, 8),
        ("lbu", 4, 1),
        ("lhu", 5, 2),
        ("lwu", 6, 4),
    ]:
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

    for name, f5 in [
        ("amoswap", 1),
        ("amoadd", 0),
        ("amoxor", 4),
        ("amoand", 12),
        ("amoor", 8),
        ("amomin", 16),
        ("amomax", 20),
        ("amominu", 24),
        ("amomaxu", 28),
        ("sc", 3),
    ]:  # sc alone: fails
        amo(name + ".w", f5, 2)
        amo(name + ".d", f5, 3)

    # An sc always follows its lr: after an lr of the other width, an sc under qemu may store and yet report failure.
    def lrsc(g: random.Random, b: Block) -> list[int]:
        f3, between = (
            g.choice([2, 3]),
            g.choice([[], [i_type(0x13, 0, b.rd(), b.rs(), 5)], [s_type(0x23, 2, S1, b.rs(), 0)]]),
        )
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

        def fop(
            name: str,
            f5: int,
            rs2: int | None = None,
            rm: int | None = None,
            to_x: bool = False,
            from_x: bool = False,
            w: int = w,
            suffix: str = suffix,
        ) -> None:
            m[name + suffix] = lambda g, b: [
                r_type(
                    0x53,
                    b.rm() if rm is None else rm,
                    f5 << 2 | w,
                    b.rd() if to_x else b.f(),
                    b.rs() if from_x else b.f(),
                    b.f() if rs2 is None else rs2,
                )
            ]

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
            m[name + suffix] = bind(fused, w << 25 | 0x43 | k << 2)
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
        m[name] = bind(lambda g, b, k: [ci(4, 1, k << 3 | (b.rd_c() - 8), g.randrange(1, 64))], k)
    for k, name in enumerate(["c.sub", "c.xor", "c.or", "c.and", "c.subw", "c.addw"]):
        base = 0x8C01 | (k >> 2) << 12 | (k & 3) << 5
        m[name] = bind(lambda g, b, base: [base | (b.rd_c() - 8) << 7 | g.randrange(8) << 2], base)
    m["c.mv"] = lambda g, b: [0x8002 | b.rd() << 7 | g.randrange(1, 32) << 2]
    m["c.add"] = lambda g, b: [0x9002 | b.rd() << 7 | g.randrange(1, 32) << 2]
    m["c.addi4spn"] = lambda g, b: [(g.randrange(1, 256) << 5) | (b.rd_c() - 8) << 2]
    m["c.nop"] = lambda g, b: [1]

    def near(g: random.Random, b: Block, f3: int) -> list[int]:
        reg = b.rd_c() - 8 if f3 in (2, 3) else g.randrange(8)
        return [f3 << 13 | lw(g) | g.randrange(2) << 7 | reg << 2]

    def sp_load(g: random.Random, b: Block, f3: int) -> list[int]:
        reg = b.f() if f3 == 1 else b.rd() or 5
        return [f3 << 13 | g.getrandbits(1) << 12 | reg << 7 | g.getrandbits(5) << 2 | 2]

    def sp_store(g: random.Random, b: Block, f3: int) -> list[int]:
        return [f3 << 13 | g.getrandbits(6) << 7 | b.rs() << 2 | 2]

    for f3, name in [(1, "fld"), (2, "lw"), (3, "ld")]:
        m["c." + name] = bind(near, f3)
        m[f"c.{name}sp"] = bind(sp_load, f3)
    for f3, name in [(5, "fsd"), (6, "sw"), (7, "sd")]:
        m["c." + name] = bind(near, f3)
        m[f"c.{name}sp"] = bind(sp_store, f3)
    return m


MAKERS = makers()
NAMES = list(MAKERS)
WEIGHTS = [
    3.6
    if n in ("ld", "lw", "lh", "lhu", "lwu", "sd", "sw", "sh", "flw", "fld", "fsw", "fsd")
    else 1.6
    if n.startswith("c.")
    else 1.2
    for n in NAMES
]
