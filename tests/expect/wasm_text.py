"""WebAssembly text of the one function that jit/build puts into a module (the last of its code section).

Strict: an opcode or section that the translator is not known to make is an error. Plain instructions share a line up to
the one that ends a statement; locals keep their numbers. Follows the binary format of the core specification 2.0.
"""

from __future__ import annotations

from collections.abc import Iterator

BLOCKS = {0x02: "block", 0x03: "loop", 0x04: "if"}
TYPES = {0x7F: "i32", 0x7E: "i64", 0x7D: "f32", 0x7C: "f64", 0x40: ""}
#: Opcodes from a number on, in order; "-" has none here.
ROWS: dict[int, tuple[str, str]] = {
    0x28: (
        "memory",
        "i32.load i64.load f32.load f64.load i32.load8_s i32.load8_u i32.load16_s i32.load16_u i64.load8_s i64.load8_u"
        " i64.load16_s i64.load16_u i64.load32_s i64.load32_u i32.store i64.store f32.store f64.store i32.store8"
        " i32.store16 i64.store8 i64.store16 i64.store32",
    ),
    0x45: (
        "plain",
        "i32.eqz i32.eq i32.ne i32.lt_s i32.lt_u i32.gt_s i32.gt_u i32.le_s i32.le_u i32.ge_s i32.ge_u i64.eqz i64.eq"
        " i64.ne i64.lt_s i64.lt_u i64.gt_s i64.gt_u i64.le_s i64.le_u i64.ge_s i64.ge_u f32.eq f32.ne f32.lt f32.gt"
        " f32.le f32.ge f64.eq f64.ne f64.lt f64.gt f64.le f64.ge i32.clz i32.ctz i32.popcnt i32.add i32.sub i32.mul"
        " i32.div_s i32.div_u i32.rem_s i32.rem_u i32.and i32.or i32.xor i32.shl i32.shr_s i32.shr_u i32.rotl i32.rotr"
        " i64.clz i64.ctz i64.popcnt i64.add i64.sub i64.mul i64.div_s i64.div_u i64.rem_s i64.rem_u i64.and i64.or"
        " i64.xor i64.shl i64.shr_s i64.shr_u i64.rotl i64.rotr f32.abs f32.neg f32.ceil f32.floor f32.trunc"
        " f32.nearest f32.sqrt f32.add f32.sub f32.mul f32.div f32.min f32.max f32.copysign f64.abs f64.neg f64.ceil"
        " f64.floor f64.trunc f64.nearest f64.sqrt f64.add f64.sub f64.mul f64.div f64.min f64.max f64.copysign"
        " i32.wrap_i64 i32.trunc_f32_s i32.trunc_f32_u i32.trunc_f64_s i32.trunc_f64_u i64.extend_i32_s"
        " i64.extend_i32_u i64.trunc_f32_s i64.trunc_f32_u i64.trunc_f64_s i64.trunc_f64_u f32.convert_i32_s"
        " f32.convert_i32_u f32.convert_i64_s f32.convert_i64_u f32.demote_f64 f64.convert_i32_s f64.convert_i32_u"
        " f64.convert_i64_s f64.convert_i64_u f64.promote_f32 i32.reinterpret_f32 i64.reinterpret_f64"
        " f32.reinterpret_i32 f64.reinterpret_i64 i32.extend8_s i32.extend16_s i64.extend8_s i64.extend16_s"
        " i64.extend32_s",
    ),
}
NAMES = {first + i: (kind, name) for first, (kind, row) in ROWS.items() for i, name in enumerate(row.split())}
SATURATING = {2: "i32.trunc_sat_f64_s", 3: "i32.trunc_sat_f64_u", 6: "i64.trunc_sat_f64_s", 7: "i64.trunc_sat_f64_u"}
STATEMENT = ("local.set", "br", "return", "unreachable", "drop", "atomic.fence")
FUNCTIONS = ("$chase", "$fma", "$high", "$self")
LOCALS = {0: "$block", 1: "$entry", 2: "$count", 3: "$depth", 4: "$pc", 5: "$float"}


class Reader:
    """Bytes with a position."""

    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    def byte(self) -> int:
        """The next one."""
        self.at += 1
        return self.data[self.at - 1]

    def unsigned(self) -> int:
        """LEB128."""
        value = shift = 0
        while True:
            b = self.byte()
            value |= (b & 127) << shift
            shift += 7
            if b < 128:
                return value

    def signed(self) -> int:
        """LEB128, sign-extended."""
        value = shift = 0
        while True:
            b = self.byte()
            value |= (b & 127) << shift
            shift += 7
            if b < 128:
                return value - (1 << shift) if b & 64 else value


def region(module: bytes) -> Reader:
    """The body of a module's last function. Raises ValueError."""
    r = Reader(module)
    if module[:8] != b"\0asm\1\0\0\0":
        raise ValueError("not a module")
    r.at = 8
    while r.at < len(module):
        section, size = r.byte(), r.unsigned()
        if section != 10:
            r.at += size
            continue
        body = Reader(b"")
        for _ in range(r.unsigned()):
            size = r.unsigned()
            body = Reader(module[r.at : r.at + size])
            r.at += size
        if r.at != len(module):
            raise ValueError("something follows the code")
        return body
    raise ValueError("no code")


def local(number: int) -> str:
    """Its name, where it has one."""
    return LOCALS.get(number, str(number))


def instruction(r: Reader, op: int) -> str:
    """Text of one that is no block."""
    if op in (0x20, 0x21, 0x22):
        return f"local.{('get', 'set', 'tee')[op - 0x20]} {local(r.unsigned())}"
    if op in (0x0C, 0x0D):
        return f"{('br', 'br_if')[op - 0x0C]} {r.unsigned()}"
    if op == 0x0E:
        return "br_table " + " ".join(str(r.unsigned()) for _ in range(r.unsigned() + 1))
    if op == 0x10:
        return f"call {FUNCTIONS[r.unsigned()]}"
    if op in (0x11, 0x13):
        signature, table = r.unsigned(), r.unsigned()
        if (signature, table) != (0, 0):
            raise ValueError(f"call_indirect by type {signature} in table {table}")
        return "call_indirect" if op == 0x11 else "return_call_indirect"
    if op in (0x41, 0x42):
        return f"i{32 if op == 0x41 else 64}.const {r.signed():#x}"
    if op == 0x44:
        r.at += 8
        return "f64.const 0x" + r.data[r.at - 8 : r.at][::-1].hex()
    if op == 0xFC:
        return SATURATING[r.unsigned()]
    if op == 0xFE:
        if r.unsigned() != 3 or r.byte():
            raise ValueError("an atomic other than the fence")
        return "atomic.fence"
    if op in (0x00, 0x0F, 0x1A):
        return {0x00: "unreachable", 0x0F: "return", 0x1A: "drop"}[op]
    kind, name = NAMES[op]
    if kind == "plain":
        return name
    align, offset = r.unsigned(), r.unsigned()
    return name + (f" offset={offset:#x}" if offset else "") + (f" align={1 << align}" if align else "")


def lines(module: bytes) -> Iterator[str]:
    """The function's text, a statement a line."""
    r = region(module)
    locals_ = [f"{r.unsigned()} {TYPES[r.byte()]}" for _ in range(r.unsigned())]
    yield "(locals " + ", ".join(locals_) + ")"
    depth, statement = 1, ""
    while depth:
        op = r.byte()
        if op in BLOCKS or op in (0x05, 0x0B):
            if statement:
                yield "  " * depth + statement
                statement = ""
            if op in BLOCKS:
                yield "  " * depth + f"{BLOCKS[op]} {TYPES[r.byte()]}".rstrip()
                depth += 1
            elif op == 0x05:
                yield "  " * (depth - 1) + "else"
            else:
                depth -= 1
                yield "  " * depth + "end"
            continue
        text = instruction(r, op)
        statement = f"{statement} {text}".lstrip()
        if text.startswith(STATEMENT) or ".store" in text:
            yield "  " * depth + statement
            statement = ""
    if r.at != len(r.data):
        raise ValueError("bytes behind the function's end")


def text(module: bytes) -> str:
    """All of it. Raises ValueError, KeyError or IndexError for what the translator does not make."""
    return "\n".join(lines(module)) + "\n"
