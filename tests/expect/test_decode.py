"""The decoder against GNU objdump: every 16-bit encoding, and a structured sweep of the 32-bit ones."""

from __future__ import annotations

import itertools
import random
import subprocess
from pathlib import Path

import pytest

from tests.expect import decode
from tests.kernel import cpu_fuzz

#: Where we and objdump part on purpose: (ours, objdump's), and why.
#: - fence and fence.i with non-zero reserved fields: "implementations shall ignore these fields";
#: - exact conversions to double with a rounding mode other than rne: legal, objdump knows only the canonical form;
#: - c.addi16sp with a zero immediate (0x6101) is reserved.
ACCEPTED = {(name, "illegal") for name in ("fence", "fence.i", "fcvt.d.s", "fcvt.d.w", "fcvt.d.wu")}
ACCEPTED_WORDS = {0x6101}


@pytest.fixture(scope="module")
def runner(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return cpu_fuzz.sanitized_runner(tmp_path_factory.mktemp("decode"))


def ours(runner: Path, words: list[int]) -> list[str]:
    done = subprocess.run(
        [str(runner), "--decode"], input="".join(f"{w:x}\n" for w in words), capture_output=True, text=True, check=True
    )
    return [line.split()[1] for line in done.stdout.splitlines()]


def differences(runner: Path, words: list[int], directory: Path) -> list[str]:
    theirs = decode.second_opinion(words, directory)
    bad = []
    for w, a, b in zip(words, ours(runner, words), theirs, strict=True):
        if a != b and (a, b) not in ACCEPTED and w not in ACCEPTED_WORDS:
            bad.append(f"{w:08x}: ours {a}, objdump {b}")
    return bad


def test_every_16_bit_encoding_decodes_as_objdump_says(runner: Path, tmp_path: Path) -> None:
    words = [w for w in range(1 << 16) if w & 3 != 3]
    bad = differences(runner, words, tmp_path)
    assert not bad, f"{len(bad)} differ: {bad[:20]}"


def sweep() -> list[int]:
    """All opcode, funct3, funct7 triples with several rs2, rd and rs1; all CSRs; random words."""
    words = []
    for major, f3, f7 in itertools.product(range(32), range(8), range(128)):
        for rs2 in (0, 1, 2, 3, 4, 5, 31):
            for rd, rs1 in ((1, 2), (0, 0), (31, 8)):
                words.append(f7 << 25 | rs2 << 20 | rs1 << 15 | f3 << 12 | rd << 7 | major << 2 | 3)
    for csr, f3, rs1, rd in itertools.product(range(4096), (1, 2, 3, 5, 6, 7), (0, 9), (0, 9)):
        words.append(csr << 20 | rs1 << 15 | f3 << 12 | rd << 7 | 0x73)
    words += [imm << 20 | 0x73 for imm in range(4096)]
    rng = random.Random(20261120)
    words += [rng.getrandbits(30) << 2 | 3 for _ in range(200_000)]
    return [w for w in words if w & 0x1C != 0x1C]  # longer than 32 bits: objdump takes more bytes


def test_a_structured_sweep_of_32_bit_encodings_decodes_as_objdump_says(runner: Path, tmp_path: Path) -> None:
    bad = differences(runner, sweep(), tmp_path)
    assert not bad, f"{len(bad)} differ: {bad[:20]}"
