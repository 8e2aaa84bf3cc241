"""The WASI side of the ABI generator: kernel/gen/wasi.h, wasi.c and the shim's table, from abi/wasi.toml.

Called by abigen alone. Each function becomes one exported wrapper that enters the kernel, calls its handler again while
a signal interrupted it, and leaves; so no handler knows of locks, restarts or kills (kernel/wasi/entry.c).
"""

from __future__ import annotations

from typing import Any

from .abigen_c import MARK, c_int

Row = dict[str, Any]
C_TYPE = {"i32": "u32", "i64": "u64"}
RETURNS = {"errno": "  return wasi_errno(r);", "tid": "  return r > 0 ? (u32)r : 0 - wasi_errno(r);", "nothing": ""}


def functions(table: Row) -> list[Row]:
    """Rows with `types` (i32, i64 per parameter) and defaults filled in. Raises ValueError."""
    rows: list[Row] = []
    for row in table["function"]:
        pairs = [str(p).partition(":") for p in row["params"]]
        types = [kind or "i32" for _, _, kind in pairs]
        full = {
            "module": table["modules"][0],
            "lock": True,
            "returns": "errno",
            "capability": "",
            "import": row["name"],
            **row,
            "names": [name for name, _, _ in pairs],
            "types": types,
        }
        if set(types) - set(C_TYPE) or full["module"] not in table["modules"] or full["returns"] not in RETURNS:
            raise ValueError(f"wasi.toml {row['name']}: unknown type, module or result")
        rows.append(full)
    return rows


def _arguments(row: Row) -> str:
    pairs = [f"{C_TYPE[t]} {n}" for n, t in zip(row["names"], row["types"], strict=True)]
    return ", ".join(pairs) or "void"


def wasi_h(table: Row) -> str:
    """Constants and the handlers' prototypes."""
    out = [
        MARK.format("tidemark_py/abi/wasi.toml"),
        "#ifndef TIDEMARK_GEN_WASI_H",
        "#define TIDEMARK_GEN_WASI_H",
        '#include "../core/core.h"',
        "",
        "/* A handler's -(WASI_RESULT + n) is the errno n of witx. */",
        "#define WASI_RESULT 1000",
    ]
    out += [f"#define WASI_E{name} {value}" for name, value in table["errno"].items()]
    out += [f"#define WASI_{name} {c_int(value)}" for name, value in table["constants"].items()]
    out += ["", "/* kernel/wasi/entry.c: around every call. leave is true when the call is to be made again. */"]
    out += ["void wasi_enter(void);", "bool wasi_leave(i64 result);", "u32 wasi_errno(i64 result);", ""]
    out += [f"i64 wasi_do_{r['name']}({_arguments(r)});" for r in functions(table)]
    return "\n".join([*out, "", "#endif", ""])


def _wrapper(row: Row) -> str:
    name = row["name"]
    call = f"wasi_do_{name}({', '.join(row['names'])})"
    result = "void" if row["returns"] == "nothing" else "u32"
    head = f'WASM_EXPORT("wasi_{name}") {result} wasi_{name}({_arguments(row)})'
    if not row["lock"]:
        return f"{head};\n{head} {{ return wasi_errno({call}); }}"
    body = ["  i64 r;", "  do {", "    wasi_enter();", f"    r = {call};", "  } while (wasi_leave(r));"]
    body += [RETURNS[row["returns"]]] if result != "void" else []
    return "\n".join([f"{head};", f"{head} {{", *body, "}"])


def wasi_c(table: Row) -> str:
    """The exports and the errno map."""
    out = [MARK.format("tidemark_py/abi/wasi.toml"), '#include "wasi.h"', ""]
    out += [_wrapper(r) for r in functions(table)]
    out += ["", "u32 wasi_errno(i64 result) {", "  if (result >= 0) return 0;"]
    out += ["  if (result <= -WASI_RESULT) return (u32)(-result - WASI_RESULT);", "  switch (-result) {"]
    for name in table["errno"]:
        linux = table["linux"].get(name, f"E{name}")
        if linux:
            out.append(f"  case {linux}: return WASI_E{name};")
    out += ["  default: return WASI_EIO;", "  }", "}", ""]
    return "\n".join(out)


def wasi_js(table: Row) -> str:
    """WASI_IMPORTS: what the shim links, in the order of its table."""
    out = ["/** What a module may import; call: the kernel's export; i = i32, j = i64; result: one, or nothing. */"]
    out.append("export const WASI_IMPORTS = Object.freeze([")
    for r in functions(table):
        params = "".join("i" if t == "i32" else "j" for t in r["types"])
        result = "" if r["returns"] == "nothing" else "i"
        out.append(
            f'  {{ module: "{r["module"]}", name: "{r["import"]}", call: "wasi_{r["name"]}", params: "{params}", '
            f'result: "{result}", capability: "{r["capability"]}" }},'
        )
    return "\n".join([*out, "]);"])
