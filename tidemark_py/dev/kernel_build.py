"""`build.py kernel`: the one C source tree to kernel.wasm and to the native test program.

Owns build/obj (objects by content hash), build/kernel.wasm, build/native/*. An object's key is the hash of its flags,
its source and every header it reaches, so that nothing stale is ever linked and nothing is compiled twice. The wasm
build: zig cc per file, wasm-ld, then binaryen merges kernel/mm/guest.wat (two memories, which LLVM does not know) and
optimises.
"""

from __future__ import annotations

import hashlib
import re
import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from . import tools_setup
from .toolchain import (
    ASSETS,
    BUILD,
    KERNEL,
    ROOT,
    BuildError,
    binaryen,
    exclusive,
    first_tool,
    jobs,
    run,
    say,
    step,
    zig,
    zig_env,
)

WARNINGS = ("-Wall", "-Wextra")
LANGUAGE = ("-std=gnu17", "-fno-strict-aliasing", "-g")
WASM_CPU = (
    "generic+atomics+bulk_memory+mutable_globals+sign_ext+simd128"
    "+nontrapping_fptoint+multivalue+tail_call+reference_types"
)
WASM_COMPILE = ("-target", "wasm32-freestanding", f"-mcpu={WASM_CPU}", "-O2", "-ffreestanding", "-fno-sanitize=all")
# The import's maximum is only an upper bound (zig takes 32 bits): the runtime chooses what this tab can give.
KERNEL_MEMORY_MAX = 65535 * 65536
WASM_LINK = (
    "-Wl,--no-entry",
    "-Wl,--import-memory",
    "-Wl,--export-memory",
    "-Wl,--shared-memory",
    f"-Wl,--max-memory={KERNEL_MEMORY_MAX}",
    "-Wl,--export-table",
    "-Wl,--growable-table",
    "-Wl,--gc-sections",
    *(
        f"-Wl,--export={n}"
        for n in ("__wasm_init_tls", "__tls_base", "__tls_size", "__tls_align", "__stack_pointer", "__heap_base")
    ),
)
FEATURES = tuple(
    f"--enable-{f}"
    for f in (
        "multimemory",
        "threads",
        "bulk-memory",
        "mutable-globals",
        "sign-ext",
        "simd",
        "nontrapping-float-to-int",
        "reference-types",
        "multivalue",
        "tail-call",
    )
)
# Inlining big functions into their one caller would put the decoder into the interpreter's loop: a quarter slower.
WASM_OPT = ("-O3", "-g", "--strip-dwarf", "--strip-producers", "--one-caller-inline-max-function-size=20")
NATIVE_TARGET = ("-target", "x86_64-linux-gnu")
NATIVE_COMPILE = ("-fno-omit-frame-pointer", "-pthread", "-fno-builtin")
SANITIZE = {
    "none": (),
    "address": ("-fsanitize=address,undefined", "-fno-sanitize-recover=undefined"),
    "thread": ("-fsanitize=thread",),
}
SUFFIX = {"none": "", "address": "-asan", "thread": "-tsan"}
UNDEFINED = re.compile(r"undefined (?:symbol: |reference to [`'])(\w+)")
INCLUDE = re.compile(rb'^[ \t]*#[ \t]*include[ \t]+"([^"]+)"', re.M)


@dataclass(frozen=True)
class Compiler:
    """A C compiler with the flags of one build."""

    command: tuple[str, ...]
    flags: tuple[str, ...]
    name: str

    def link(self, objects: list[Path], out: Path, flags: tuple[str, ...]) -> None:
        """Link to `out`; the linker's own text is the error."""
        out.parent.mkdir(parents=True, exist_ok=True)
        try:
            temporary = out.with_name(f"{out.name}.tmp")
            run([*self.command, *self.flags, *flags, *objects, "-o", temporary], f"linking {out.name}", env=zig_env())
            temporary.replace(out)
        except BuildError as error:
            missing = sorted(set(UNDEFINED.findall(str(error))))
            if not missing:
                raise
            raise BuildError(f"linking {out.name}: nothing defines {', '.join(missing)}") from None


@cache
def _read(path: Path) -> bytes:
    return path.read_bytes()


def reach(source: Path, seen: dict[Path, bytes] | None = None) -> dict[Path, bytes]:
    """The file and every project header it includes, directly or not."""
    found: dict[Path, bytes] = {} if seen is None else seen
    if source in found or not source.exists():
        return found
    found[source] = _read(source)
    for name in INCLUDE.findall(found[source]):
        reach((source.parent / name.decode()).resolve(), found)
    return found


def _compile(compiler: Compiler, source: Path, out: Path) -> str | None:
    temporary = out.with_suffix(".tmp.o")
    try:
        run(
            [*compiler.command, *compiler.flags, "-c", source, "-o", temporary],
            str(source.relative_to(ROOT)),
            env=zig_env(),
        )
    except BuildError as error:
        return str(error)
    temporary.replace(out)
    return None


def objects(compiler: Compiler, sources: list[Path]) -> list[Path]:
    """Objects of the sources, compiled where the cache has none. Raises BuildError with every failing file."""
    _read.cache_clear()
    folder = BUILD / "obj" / compiler.name
    folder.mkdir(parents=True, exist_ok=True)
    results: list[Path] = []
    todo: list[tuple[Path, Path]] = []
    for source in sources:
        digest = hashlib.sha256(repr((compiler.command, compiler.flags)).encode())
        for path, text in sorted(reach(source.resolve()).items()):
            digest.update(str(path.relative_to(ROOT)).encode() + b"\0" + text)
        out = folder / f"{source.stem}-{digest.hexdigest()[:20]}.o"
        results.append(out)
        if not out.exists():
            todo.append((source, out))
    if todo:
        with (
            step(f"compiling {len(todo)} of {len(sources)} files ({compiler.name})"),
            ThreadPoolExecutor(jobs()) as pool,
        ):
            errors = [e for e in pool.map(lambda p: _compile(compiler, *p), todo) if e]
        if errors:
            raise BuildError("\n".join(errors))
        for old in set(folder.glob("*.o")) - set(results):
            if any(old.name.startswith(f"{source.stem}-") for source, _ in todo):
                old.unlink()
    return results


def kernel_sources() -> list[Path]:
    """Every C file of the kernel: both builds take all; what suits one only is under #ifdef __wasm__."""
    return sorted(KERNEL.rglob("*.c"))


def native_sources() -> list[Path]:
    """The kernel and the host in C that makes a Linux program of it."""
    return [*kernel_sources(), *sorted((ROOT / "tests" / "kernel").glob("native_*.c"))]


def wasm_compiler(strict: bool = False) -> Compiler:
    """zig cc for wasm32 with threads."""
    extra = ("-Werror",) if strict else ()
    return Compiler(
        (str(zig()), "cc"), (*WASM_COMPILE, *LANGUAGE, *WARNINGS, *extra), "wasm-strict" if strict else "wasm"
    )


def native_compiler(sanitize: str, strict: bool = False) -> Compiler:
    """zig cc; for the address sanitizer gcc or clang, since zig brings no runtime for it."""
    # tests spend longer on building the sanitized kernels than on running them; what -Werror sees stays as it was
    level = "-O1" if sanitize != "none" and not strict else "-O2"
    flags = (level, *NATIVE_COMPILE, *LANGUAGE, *WARNINGS, *SANITIZE[sanitize], *(("-Werror",) if strict else ()))
    name = f"native{SUFFIX[sanitize]}{'-strict' if strict else ''}"
    if sanitize == "address":
        if first_tool("gcc", "clang") is None:
            tools_setup.require(tools_setup.SANITIZERS)
        return Compiler((first_tool("gcc", "clang") or "gcc",), flags, name)
    return Compiler(
        (str(zig()), "cc", *NATIVE_TARGET), (*flags, *(("-fno-sanitize=all",) if sanitize == "none" else ())), name
    )


def variant_accessors(guest: str) -> str:
    """mm/guest.wat for a WebAssembly module's own memory: unshared, of any size, guest address 0 at its start.

    There is no hidden head: what would touch it traps. The size counts the head all the same, as the kernel's bounds
    do. Raises BuildError when the text is not what this knows.
    """
    head = "0x130000"
    guest = re.sub(r"^\s*;;.*\n", "", guest, flags=re.M)
    no_head = r'(\(func \(export "(?:perm|head)\w*"\)(?:\s+\((?:param|result)[^()]*\))*)'
    steps = (
        (r"\(memory \$guest 19 65536 shared\)", "(memory $guest 0)", 1),
        (rf" offset={head}", "", 22),
        (rf"\(i32\.add \(local\.get (\$\w+)\) \(i32\.const {head}\)\)", r"(local.get \1)", 5),
        (r"\(memory\.size \$guest\)", "(i32.add (memory.size $guest) (i32.const 19))", 1),
        (no_head + r"(?:[^;]*?)(?=\n\s*\n|\n\s*\(func)", r"\1 (unreachable))", 9),
    )
    for pattern, replacement, least in steps:
        guest, count = re.subn(pattern, replacement, guest)
        if count < least:
            raise BuildError(f"mm/guest.wat: {pattern} is there {count} times, not {least}: adapt variant_accessors")
    if head in guest:
        raise BuildError(f"mm/guest.wat: {head} is left over: adapt variant_accessors")
    return guest


def _finish_wasm(raw: Path, guest: Path, out: Path) -> None:
    """Merge the accessors of one kind of memory into the linked kernel, and optimise."""
    merged = out.with_suffix(".merged.wasm")
    run([*binaryen("wasm-merge"), *FEATURES, "-g", raw, "kern", guest, "guest", "-o", merged], f"wasm-merge {out.name}")
    run([*binaryen("wasm-opt"), *FEATURES, *WASM_OPT, merged, "-o", out], f"wasm-opt {out.name}")


def add_build_id(wasm: Path) -> None:
    """Append the custom section build_id, the first 16 bytes of the file's SHA-256: a saved machine belongs to one."""
    body = wasm.read_bytes()
    name, value = b"build_id", hashlib.sha256(body).digest()[:16]
    content = bytes([len(name)]) + name + value
    wasm.write_bytes(body + bytes([0, len(content)]) + content)


def build_wasm() -> Path:
    """build/kernel.wasm and kernel-wasi.wasm, and their copies in the package's assets.

    Both are made of one link: the same functions at the same table entries, the same data at the same addresses.
    """
    with exclusive("kernel-wasm"):
        compiler = wasm_compiler()
        objs = objects(compiler, kernel_sources())
        out, raw, variant = BUILD / "kernel.wasm", BUILD / "kernel.link.wasm", BUILD / "kernel-wasi.wasm"
        guest, variant_guest = KERNEL / "mm" / "guest.wat", BUILD / "guest-wasi.wat"
        accessors = variant_accessors(guest.read_text(encoding="utf-8"))
        recipe = repr((WASM_LINK, FEATURES, WASM_OPT, [o.name for o in objs], accessors))
        digest = hashlib.sha256(recipe.encode() + guest.read_bytes())
        stamp = BUILD / "kernel.wasm.stamp"
        made = out.exists() and variant.exists() and stamp.exists()
        if not (made and stamp.read_text(encoding="utf-8") == digest.hexdigest()):
            with step("linking and optimising kernel.wasm and kernel-wasi.wasm"), ThreadPoolExecutor(2) as pool:
                compiler.link(objs, raw, WASM_LINK)
                variant_guest.write_text(accessors, encoding="utf-8")
                list(pool.map(_finish_wasm, (raw, raw), (guest, variant_guest), (out, variant)))
                for each in (out, variant):
                    add_build_id(each)
            say(f"build/kernel.wasm: {out.stat().st_size:,} bytes")
            stamp.write_text(digest.hexdigest(), encoding="utf-8")
        ASSETS.mkdir(parents=True, exist_ok=True)
        for made_file in (out, variant):
            packaged = ASSETS / made_file.name
            if not packaged.exists() or packaged.read_bytes() != made_file.read_bytes():
                shutil.copyfile(made_file, packaged)
        return out


def build_native(sanitize: str = "none") -> Path:
    """build/native/tidemark-native[-asan|-tsan]: the kernel as a Linux program."""
    with exclusive(f"kernel-native{SUFFIX[sanitize]}"):
        compiler = native_compiler(sanitize)
        objs = objects(compiler, native_sources())
        out = BUILD / "native" / f"tidemark-native{SUFFIX[sanitize]}"
        stamp = out.with_suffix(".stamp")
        text = repr((compiler.flags, [o.name for o in objs]))
        if not (out.exists() and stamp.exists() and stamp.read_text(encoding="utf-8") == text):
            with step(f"linking {out.name}"):
                compiler.link(objs, out, ("-pthread", "-lm"))
            stamp.write_text(text, encoding="utf-8")
        return out


def compile_strictly() -> None:
    """Every C file for both builds, clang and gcc, with warnings as errors. Raises BuildError."""
    for compiler, sources in (
        (wasm_compiler(strict=True), kernel_sources()),
        (native_compiler("address", True), native_sources()),
    ):
        with exclusive(compiler.name):
            objects(compiler, sources)
