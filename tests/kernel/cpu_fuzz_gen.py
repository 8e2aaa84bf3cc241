"""Random rv64gc programs as static ELF files, for the differential test of the cpu (cpu_fuzz.py).

A program is a driver and many blocks. For each block the driver loads all registers from an image, runs the block and
stores all registers behind the image; every few blocks it writes images, scratch memory and trap log to stdout.
sp (aligned), s0 (maybe misaligned), s1 (aligned) always point into the scratch memory, gp and tp belong to the driver,
frm holds a legal mode, so that nothing traps by chance. A few blocks trap on purpose (illegal instructions, ebreak,
accesses to where nothing is, read-only stores, misaligned atomics): a handler logs signal, code, address and pc and
steps over. Branches go forward over whole groups of instructions, or back in loops counted by t6.
"""

from __future__ import annotations

import random
import struct

from tests.kernel.cpu_fuzz_insns import MAKERS, NAMES, WEIGHTS, Block
from tests.kernel.cpu_fuzz_values import (
    GP,
    S0,
    S1,
    SP,
    T6,
    TP,
    b_type,
    c_b,
    c_j,
    emit,
    f32,
    f64,
    i_type,
    j_type,
    r_type,
    s_type,
    x64,
)

TEXT, DATA, ISLAND = 0x1000000, 0x4000000, 0x8000000
IMAGE_BYTES = 1152  # x[32], f[32], fcsr, entry, pad to 544; then the same stored
OUT = 544
SCRATCH_BYTES = 16384
BLOCKS = TEXT + 0x1000  # the blocks' code; the driver's is before it and not counted
LOG_BYTES = 4096  # a u64 of bytes used, then records of four u64: signal, code, address, pc
STACK_BYTES = 32768  # the alternate signal stack


def jump_group(rng: random.Random, b: Block, skipped: bytes) -> bytes:
    """A jump of some kind over `skipped`."""
    n, kind = len(skipped), rng.random()
    if kind < 0.25:  # an add before it, as loops have
        r = b.rd() or 5
        add = emit(i_type(rng.choice([0x13, 0x1B]), 0, r, r, rng.choice([1, -1, 8, rng.randrange(-2048, 2048)])))
        registers = rng.choice([(r, b.rs()), (b.rs(), r), (r, 0), (r, r)])
        return add + emit(b_type(rng.choice([0, 1, 4, 5, 6, 7]), *registers, 4 + n)) + skipped
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
        return (
            emit(r << 7 | 0x17) + emit(i_type(0x67, 0, rng.choice([r, b.rd()]), r, 8 + n + rng.randrange(2))) + skipped
        )
    op = rng.choice([0x8002, 0x9002])  # c.jr, c.jalr (links ra)
    return emit(r << 7 | 0x17) + emit(i_type(0x13, 0, r, r, 10 + n)) + emit(op | r << 7) + skipped


def trap_group(rng: random.Random, b: Block) -> list[int]:
    """One instruction that raises a signal, with what sets it up."""
    r, kind = b.rd() or 5, rng.choice([0, 1, 1, 1, 1, 2, 3, 4, 5])  # as many ebreak as of any instruction
    if kind == 0:
        return [
            rng.choice(
                [
                    0,
                    0x0000,
                    0xFFFFFFFF,
                    0x00000073 | 1 << 21,
                    0x8000,
                    0x9C41,
                    r_type(0x33, 1, 0x20, 5, 6, 7),
                    r_type(0x53, 5, 0, 1, 2, 3),
                    r_type(0x53, 0, 2, 1, 2, 3),
                    i_type(0x67, 1, 1, 1, 0),
                    i_type(0x73, 1, 0, 1, 0xC00),
                    i_type(0x73, 2, 5, 0, 0x300),
                    r_type(0x2F, 2, 8, 1, S1, 3),
                    r_type(0x33, 4, 0x05, 5, 6, 7),
                ]
            )
        ]
    if kind == 1:
        return [rng.choice([0x00100073, 0x9002])]
    if kind == 2:  # nothing mapped there, or too high up
        high = rng.choice([0, 0x30, 0x7FFFF, 0x40000])
        setup = [high << 12 | r << 7 | 0x37]
        return [
            *setup,
            rng.choice(
                [
                    i_type(0x03, rng.choice([0, 1, 2, 3, 4, 5, 6]), b.rd(), r, 8 * rng.randrange(100)),
                    s_type(0x23, rng.randrange(4), r, b.rs(), 8 * rng.randrange(100)),
                    i_type(0x07, 3, b.f(), r, 16),
                    s_type(0x27, 2, r, b.f(), 20),
                    r_type(0x2F, 3, 0, b.rd(), r, b.rs()),
                    r_type(0x2F, 2, 2 << 2, b.rd(), r, 0),
                ]
            ),
        ]
    if kind == 3:  # text is read-only
        return [
            TEXT | r << 7 | 0x37,
            rng.choice(
                [
                    s_type(0x23, rng.randrange(4), r, b.rs(), 64 + rng.randrange(8)),
                    r_type(0x2F, 2, 4, b.rd(), r, b.rs()),
                ]
            ),
        ]
    if kind == 4:  # misaligned atomics
        k = rng.choice([1, 2, 3, 5, 6, 7])
        f3 = rng.choice([2, 3]) if k % 4 else 3
        return [
            i_type(0x13, 0, r, S1, k),
            r_type(0x2F, f3, rng.choice([0, 1, 4, 8, 12, 16, 20, 24, 28]) << 2, b.rd(), r, b.rs()),
        ]
    # over the end of the one page at ISLAND, the highest one
    access = rng.choice([i_type(0x03, 3, b.rd(), r, 0), s_type(0x23, 3, r, b.rs(), 0), i_type(0x07, 3, b.f(), r, 0)])
    return [
        ISLAND | r << 7 | 0x37,
        i_type(0x13, 0, r, r, 2047),
        i_type(0x13, 0, r, r, 2040 + rng.randrange(2, 8)),
        access,
    ]


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
    return [
        log & 0xFFFFF000 | 5 << 7 | 0x37,
        i_type(0x03, 3, 6, 5, 0),
        r_type(0x33, 0, 0, 7, 5, 6),
        s_type(0x23, 3, 7, 10, 8),
        i_type(0x03, 2, 28, 11, 8),
        s_type(0x23, 3, 7, 28, 16),
        i_type(0x03, 3, 28, 11, 16),
        s_type(0x23, 3, 7, 28, 24),
        i_type(0x03, 3, 28, 12, 176),
        s_type(0x23, 3, 7, 28, 32),
        i_type(0x13, 0, 6, 6, 32),
        s_type(0x23, 3, 5, 6, 0),
        i_type(0x03, 5, 29, 28, 0),
        i_type(0x13, 7, 29, 29, 3),
        i_type(0x13, 0, 30, 0, 3),
        i_type(0x13, 0, 28, 28, 2),
        b_type(1, 29, 30, 8),
        i_type(0x13, 0, 28, 28, 2),
        s_type(0x23, 3, 12, 28, 176),
        i_type(0x13, 0, 17, 0, 139),
        0x73,
    ]


def driver(images: int, count: int) -> bytes:
    """Install the handler; loop over the images: load, call, store; write, with scratch and log, where one says so."""
    stack = DATA + SCRATCH_BYTES + LOG_BYTES
    trap = handler()
    code: list[int] = [j_type(0, 4 * (len(trap) + 1)), *trap]

    def li(rd: int, value: int) -> None:
        high = (value + 0x800) >> 12 & 0xFFFFF
        code.extend([high << 12 | rd << 7 | 0x37, i_type(0x1B, 0, rd, rd, value & 0xFFF)])

    # a stack_t and a sigaction, both built on the alternate stack's memory: {sp, flags, size}, {handler, flags, mask}
    li(5, stack)
    li(6, STACK_BYTES)
    code.extend(
        [
            s_type(0x23, 3, 5, 5, 0),
            s_type(0x23, 3, 5, 0, 8),
            s_type(0x23, 3, 5, 6, 16),
            r_type(0x33, 0, 0, 10, 0, 5),
            i_type(0x13, 0, 11, 0, 0),
            i_type(0x13, 0, 17, 0, 132),
            0x73,
        ]
    )
    li(6, TEXT + 4)
    li(7, 0x08000004)
    code.extend([s_type(0x23, 3, 5, 6, 0), s_type(0x23, 3, 5, 7, 8), s_type(0x23, 3, 5, 0, 16)])
    for signo in (4, 5, 7, 11):
        code.extend(
            [
                i_type(0x13, 0, 10, 0, signo),
                r_type(0x33, 0, 0, 11, 0, 5),
                i_type(0x13, 0, 12, 0, 0),
                i_type(0x13, 0, 13, 0, 8),
                i_type(0x13, 0, 17, 0, 134),
                0x73,
            ]
        )
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
    code.extend(
        [
            r_type(0x33, 0, 0, 12, 0, 6),
            i_type(0x13, 0, 11, GP, IMAGE_BYTES),
            r_type(0x33, 0, 0x20, 11, 11, 12),
            i_type(0x13, 0, 10, 0, 1),
            i_type(0x13, 0, 17, 0, 64),
            0x73,
        ]
    )
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
    for flags, offset, at, size in [
        (5, head, TEXT, len(text)),
        (6, data_offset, DATA, len(data)),
        (6, 0, ISLAND, 4096),
    ]:
        header += struct.pack("<IIQQQQQQ", 1, flags, offset, at, at, size, size, 4096)
    return (header.ljust(head, b"\0") + text).ljust(data_offset, b"\0") + data
