"""Operands worth trying and instruction encoders, for the random programs of cpu_fuzz_gen.py."""

from __future__ import annotations

import random
import struct

GP, TP, SP, S0, S1, T6 = 3, 4, 2, 8, 9, 31
RESERVED = {SP, GP, TP, S0, S1}
X_FREE = [r for r in range(32) if r not in RESERVED]

INTERESTING = [
    0,
    1,
    2,
    3,
    7,
    8,
    31,
    32,
    63,
    64,
    255,
    4095,
    2**31 - 1,
    2**31,
    2**32 - 1,
    2**32,
    2**63 - 1,
    2**63,
    2**64 - 1,
    2**64 - 2**31,
    0x5555555555555555,
    0xAAAAAAAAAAAAAAAA,
    0x8000000000000001,
    0xFFFFFFFF80000000,
]
F64S = [
    0,
    1,
    0x000FFFFFFFFFFFFF,
    0x0010000000000000,
    0x0010000000000001,
    0x3FE0000000000000,
    0x3FF0000000000000,
    0x3FF8000000000000,
    0x4000000000000000,
    0x41DFFFFFFFC00000,
    0x41E0000000000000,
    0x41EFFFFFFFE00000,
    0x43E0000000000000,
    0x43EFFFFFFFFFFFFF,
    0x43F0000000000000,
    0x47EFFFFFE0000000,
    0x47EFFFFFF0000000,
    0x380FFFFFE0000000,
    0x3810000000000000,
    0x36A0000000000000,
    0x7FEFFFFFFFFFFFFF,
    0x7FF0000000000000,
]
F64_NANS = [0x7FF8000000000000, 0x7FF0000000000001, 0xFFF8000000000000, 0x7FFFFFFFFFFFFFFF, 0xFFF4000000000000]
F32S = [
    0,
    1,
    0x7FFFFF,
    0x800000,
    0x800001,
    0x3F000000,
    0x3F800000,
    0x3FC00000,
    0x40000000,
    0x4EFFFFFF,
    0x4F000000,
    0x4F7FFFFF,
    0x4F800000,
    0x5EFFFFFF,
    0x5F000000,
    0x5F7FFFFF,
    0x7F7FFFFF,
    0x7F800000,
]
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
    return (
        (imm >> 12 & 1) << 31
        | (imm >> 5 & 63) << 25
        | rs2 << 20
        | rs1 << 15
        | f3 << 12
        | (imm >> 1 & 15) << 8
        | (imm >> 11 & 1) << 7
        | 0x63
    )


def j_type(rd: int, imm: int) -> int:
    return (
        (imm >> 20 & 1) << 31
        | (imm >> 1 & 0x3FF) << 21
        | (imm >> 11 & 1) << 20
        | (imm >> 12 & 0xFF) << 12
        | rd << 7
        | 0x6F
    )


def c_j(imm: int) -> int:
    return (
        0xA001
        | (imm >> 11 & 1) << 12
        | (imm >> 4 & 1) << 11
        | (imm >> 8 & 3) << 9
        | (imm >> 10 & 1) << 8
        | (imm >> 6 & 1) << 7
        | (imm >> 7 & 1) << 6
        | (imm >> 1 & 7) << 3
        | (imm >> 5 & 1) << 2
    )


def c_b(f3: int, r: int, imm: int) -> int:
    return (
        f3 << 13
        | 1
        | (imm >> 8 & 1) << 12
        | (imm >> 3 & 3) << 10
        | (r - 8) << 7
        | (imm >> 6 & 3) << 5
        | (imm >> 1 & 3) << 3
        | (imm >> 5 & 1) << 2
    )


def emit(word: int) -> bytes:
    """Bytes of one instruction, 16 or 32 bits by its low bits."""
    return struct.pack("<I", word) if word & 3 == 3 else struct.pack("<H", word)
