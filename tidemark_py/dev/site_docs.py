"""The site's pages that are made from what they describe.

API from docstrings, system calls from the ABI tables, what works from the table in site/scale.toml, attributes of the
elements from their files' heads. Called by site_pages.py.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import re
import tomllib
from collections import Counter
from collections.abc import Iterator
from html import escape
from typing import Any

from .. import errors
from ..abi.gen import messages
from . import abigen
from .toolchain import ROOT, BuildError

ABI = ROOT / "tidemark_py" / "abi"
SCALE = ROOT / "site" / "scale.toml"
KERNEL_STATE = "tidemark_py.state.kernel_runtime"
# what people import, in the order they meet it: heading, where it is, names (classes with their public methods)
API = (
    ("Processes and files", "tidemark_py.runtime", ("Runtime", "Process", "RuntimeFS", "CompletedProcess", "FileStat")),
    ("Streams", "tidemark_py.channel.streams", ("StreamReader", "StreamWriter")),
    ("subprocess for this Python", "tidemark_py.shims", ("install",)),
    ("", "tidemark_py.shims.remote", ("attach",)),
    ("Layers", "tidemark_py.layers", ("fetch", "Layer")),
    ("Network", "tidemark_py.net.outside", ("RuntimeNet",)),
    ("Frames", "tidemark_py.frames.board", ("RuntimeFrames",)),
    ("State and events", KERNEL_STATE, ("KernelRuntimeState", "ProcessState", "ThreadState", "FdState")),
    ("", "tidemark_py.state.events", ("RuntimeEvent",)),
    ("Errors", "tidemark_py.errors", tuple(errors.__all__)),
    ("For pytest", "tidemark_py.pytest_plugin", ()),
)  # fmt: skip
LEVELS = {"full": "as on Linux", "partial": "in part", "none": "ENOSYS"}
BOX = '<label><input type="checkbox" name="level" value="{}" checked> {}</label>'
ELEMENT_FILES = {"tidemark-terminal": "terminal.js", "tidemark-run": "run.js"}
HEAD_PARTS = ("Attributes", "Events", "Properties", "Methods", "Keys", "Parts for styling", "Parts")


# ---- text ----


def prose(text: str) -> str:
    """A docstring as HTML: paragraphs, indented blocks as code, `code`."""
    out = []
    for block in re.split(r"\n\s*\n", inspect.cleandoc(text)):
        if all(line.startswith("    ") for line in block.splitlines()):
            out.append(f"<pre>{escape(inspect.cleandoc(block))}</pre>")
        else:
            out.append(f"<p>{inline(' '.join(block.split()))}</p>")
    return "\n".join(out)


def inline(text: str) -> str:
    """`code` in a line of text."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text, quote=False))


def slug(text: str) -> str:
    """A heading's anchor."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")


# ---- API ----


def api() -> tuple[str, str, str]:
    """(title, description, body)"""
    parts = ["<h1>Reference</h1>", '<p class="lead">Made from the docstrings of this build.</p>']
    headings = "".join(f'<li><a href="#{slug(h)}">{escape(h)}</a></li>' for h, _, _ in API if h)
    parts.append(f'<ul class="contents">{headings}</ul>')
    for heading, module_name, names in API:
        if heading:
            parts.append(f'<h2 id="{slug(heading)}">{escape(heading)}</h2>')
        if not names:  # its own imports need not be here
            path = ROOT / (module_name.replace(".", "/") + ".py")
            parts.append(prose(ast.get_docstring(ast.parse(path.read_text("utf-8"))) or ""))
            continue
        module = importlib.import_module(module_name)
        for name in names:
            parts.append(_documented(name, getattr(module, name)))
    return "Tidemark: reference", "The Python API of Tidemark, from its docstrings.", "\n".join(parts)


def _documented(name: str, thing: Any) -> str:
    text = inspect.getdoc(thing)
    if not text:
        raise BuildError(f"{name} is public and has no docstring")
    if not inspect.isclass(thing):
        return _entry(name, _signature(name, thing), text, "entry")
    rows = [_entry(name, f"class <b>{name}</b>", text if not text.startswith(f"{name}(") else "", "entry class")]
    fields = getattr(thing, "__dataclass_fields__", {})
    if fields:
        rows.append(f"<p class=fields>Fields: {', '.join(f'<code>{f}</code>' for f in fields)}</p>")
    for member, value in _members(thing):
        shown = f"<b>{member}</b>" if isinstance(value, property) else _signature(member, value)
        rows.append(_entry(f"{name}.{member}", shown, inspect.getdoc(value) or "", "entry member"))
    return "\n".join(rows)


def _members(thing: type) -> Iterator[tuple[str, Any]]:
    """Public methods and properties, in the order of the source, then those of its own parts (base classes of ours).

    Methods that only answer a message of another worker (messages.PageHandler) are nobody's to call.
    """
    seen = {name for name in vars(messages.PageHandler) if not name.startswith("_")}
    for part in thing.__mro__:
        for name, value in vars(part).items() if part.__module__.startswith("tidemark_py.") else ():
            plain = value.__func__ if isinstance(value, classmethod | staticmethod) else value
            called = inspect.isfunction(plain) or isinstance(plain, property)
            if not name.startswith("_") and called and plain.__doc__ and name not in seen:
                seen.add(name)
                yield name, plain


HIDDEN = re.compile(r"(self|cls)$|_")  # parameters that are not a reader's


def _signature(name: str, function: Any) -> str:
    signature = inspect.signature(function)
    parameters = [p.replace(annotation=p.empty) for p in signature.parameters.values() if not HIDDEN.match(p.name)]
    text = str(signature.replace(parameters=parameters, return_annotation=signature.empty))
    mark = "await " if inspect.iscoroutinefunction(function) else ""
    return f"{mark}<b>{name}</b>{escape(text)}"


def _entry(anchor: str, shown: str, text: str, kind: str) -> str:
    return f'<div class="{kind}" id="{anchor}"><code class="name">{shown}</code>{prose(text) if text else ""}</div>'


# ---- system calls ----


def syscalls() -> tuple[str, str, str]:
    """(title, description, body)"""
    rows = abigen.load(ABI).syscalls
    count = Counter(r["level"] for r in rows)
    parts = [
        "<h1>System calls</h1>",
        f'<p class="lead">{len(rows)} calls of riscv64 Linux: {count["full"]} are as on Linux, {count["partial"]} '
        f"in part, and {count['none']} answer <code>ENOSYS</code> (and are named in the diagnostics).</p>",
        '<form class="filter" role="search">',
        '<label>Show <input type="search" id="filter" placeholder="name or note"></label>',
        *(BOX.format(level, words) for level, words in LEVELS.items()),
        "</form>",
        '<div class="scroll" tabindex="0" role="region" aria-label="System calls">',
        '<table id="syscalls" class="stack"><thead><tr>'
        '<th class="n">No.</th><th>Call</th><th>Level</th><th>What is missing</th></tr></thead><tbody>',
    ]
    for r in sorted(rows, key=lambda r: r["nr"]):
        arguments = ", ".join(a["name"] for a in r["args"])
        parts.append(
            f'<tr data-level="{r["level"]}"><td class="n">{r["nr"]}</td><td><code>{r["name"]}</code>'
            f'<span class="soft">({escape(arguments)})</span></td>'
            f"<td>{_level(r['level'], LEVELS[r['level']])}</td>"
            f"<td>{inline(r.get('note', ''))}</td></tr>"
        )
    parts.append('</tbody></table></div><script type="module" src="filter.js"></script>')
    return "Tidemark: system calls", "Which Linux system calls Tidemark's kernel has, and how well.", "\n".join(parts)


def _level(kind: str, words: str) -> str:
    return f'<span class="level {kind}">{words}</span>'


# ---- what works ----

GRADES = {"works": "works", "partly": "partly", "slow": "slowly", "not": "not yet"}


def scale() -> tuple[str, str, str]:
    """(title, description, body)"""
    table = tomllib.loads(SCALE.read_text("utf-8"))
    grades = [f"<dt>{_level(g, GRADES[g])}</dt><dd>{inline(t)}</dd>" for g, t in table["grades"].items()]
    parts = [
        "<h1>What works, and how well</h1>",
        f'<p class="lead">{inline(table["lead"])}</p>',
        f'<dl class="grades">{"".join(grades)}</dl>',
    ]
    head = "<thead><tr><th>What</th><th>How well</th><th>Known by</th></tr></thead>"
    for group in table["group"]:
        parts.append(f'<h2 id="{slug(group["name"])}">{escape(group["name"])}</h2>')
        parts.append(f'<div class="scroll"><table class="scale stack">{head}<tbody>')
        for row in group["row"]:
            grade = _level(row["grade"], GRADES[row["grade"]])
            note = f'<br><span class="soft">{inline(row["note"])}</span>' if row.get("note") else ""
            parts.append(f"<tr><td>{inline(row['what'])}{note}</td><td>{grade}</td><td>{inline(row['by'])}</td></tr>")
        parts.append("</tbody></table></div>")
    return "Tidemark: what works", "Which programs are known to run in Tidemark, and how well.", "\n".join(parts)


# ---- inserts of hand-written pages ----


def inserted(body: str) -> str:
    """`{{element NAME}}` becomes the attributes, events and methods that the element's file head lists."""
    return re.sub(r"\{\{element ([\w-]+)\}\}", lambda m: _element(m[1]), body)


def _element(name: str) -> str:
    path = ROOT / "js_shim" / "element" / ELEMENT_FILES[name]
    head = path.read_text("utf-8").split("*/", 1)[0]
    text = "\n".join(re.sub(r"^ \* ?", "", line) for line in head.splitlines())
    names = "|".join(HEAD_PARTS)
    sections = re.split(rf"(?:^|(?<=[.)] ))({names}): ", " ".join(text.split("\n\n")[-1].split()), flags=re.M)
    found = dict(zip(sections[1::2], sections[2::2], strict=True))
    if "Attributes" not in found:
        raise BuildError(f"{path.name}: its head lists no attributes")
    rows = "".join(f"<dt>{part}</dt><dd>{_named(value)}</dd>" for part, value in found.items())
    return f'<dl class="element">{rows}</dl>'


def _named(text: str) -> str:
    """`name (what it means), name, …` with the names as code."""
    out, depth = [], 0
    for piece in re.split(r"([(),])", text):
        depth += (piece == "(") - (piece == ")")
        plain = piece.strip(" .")
        if depth == 0 and re.fullmatch(r'["\w][\w"-]*(?: and [\w-]+)?', plain):
            lead = piece[: len(piece) - len(piece.lstrip())]
            tail = "." if piece.rstrip().endswith(".") else ""
            out.append(f"{lead}<code>{escape(plain, quote=False)}</code>{tail}" + piece[len(piece.rstrip()) :])
        else:
            out.append(inline(piece))
    return "".join(out)
