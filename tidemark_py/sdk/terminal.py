"""What a program in a page's element finds around it: environment, time zone, and the commands upload and download.

Called by sdk/elements.py. Nothing here runs anything.
"""

from __future__ import annotations

import struct

__all__ = ["COMMANDS", "OSC", "environment", "zone_file"]

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
OSC = 7717  # the escape sequence's number: ESC ] 7717 ; download ; HEX BEL, HEX being the path's bytes in hexadecimal
_SEND = r"""printf '\033]%d;%s;%%s\007' "$(printf %%s "$1" | od -An -v -tx1 | tr -d ' \n')" > /dev/tty"""
_DOWNLOAD = r"""#!/bin/sh
# download FILE...: hands files to the page around this terminal, which saves them where the browser keeps downloads.
[ $# -gt 0 ] || { echo "usage: download FILE..." >&2; exit 2; }
send() { {send}; }
code=0
for file; do
  if [ ! -f "$file" ]; then echo "download: $file: no such file" >&2; code=1; continue; fi
  case $file in /*) ;; *) file=$(pwd)/$file ;; esac
  send "$file" || { echo "download: this is no terminal of a page" >&2; exit 1; }
done
exit $code
"""
_UPLOAD = r"""#!/bin/sh
# upload [DIRECTORY]: asks the page around this terminal for files, which land in DIRECTORY (default: here).
send() { {send}; }
directory=${1:-.}
[ -d "$directory" ] || { echo "upload: $directory: no such directory" >&2; exit 1; }
send "$(cd "$directory" && pwd)" || { echo "upload: this is no terminal of a page" >&2; exit 1; }
"""


def _command(text: str, verb: str) -> str:
    return text.replace("{send}", _SEND % (OSC, verb))


# shell scripts that every terminal's tree has, unless the layer brings its own
COMMANDS = {
    "/usr/local/bin/download": _command(_DOWNLOAD, "download"),
    "/usr/local/bin/upload": _command(_UPLOAD, "upload"),
}


def environment(language: str, zone: str, locales: list[str], extra: dict[str, str]) -> dict[str, str]:
    """What a program in a browser's terminal finds in its environment.

    LANG is the browser's language when the layer has that locale; else C.UTF-8, which every Debian layer has, and
    LANGUAGE alone names the browser's. `locales`: names below /usr/lib/locale.
    """
    tag = language.replace("-", "_")
    wanted = {f"{tag}.utf8", f"{tag}.UTF-8"}
    env = {
        "PATH": PATH,
        "HOME": "/root",
        "USER": "root",
        "LOGNAME": "root",
        "SHELL": "/bin/sh",
        "TERM": "xterm-256color",
        "COLORTERM": "truecolor",
        "TZ": zone,
        "LANG": f"{tag}.UTF-8" if wanted & set(locales) else "C.UTF-8",
        "LANGUAGE": ":".join(dict.fromkeys([tag, tag.partition("_")[0]])),
        "PS1": r"\w \$ ",
    }
    return env | extra


def zone_file(offsets: list[tuple[int, int]]) -> bytes:
    """A TZif file (RFC 9636, version 2) for [since, seconds east] pairs; names are numeric ("+02")."""
    names: dict[int, str] = {}
    for _, offset in offsets:
        sign, (hours, rest) = "-" if offset < 0 else "+", divmod(abs(offset), 3600)
        names[offset] = f"{sign}{hours:02}" + (f"{rest // 60:02}" if rest else "")
    kinds = list(names)
    abbreviations = "".join(names[k] + "\0" for k in kinds).encode()
    where = {k: sum(len(names[x]) + 1 for x in kinds[: kinds.index(k)]) for k in kinds}
    changes = offsets[1:]

    def block(version: bytes, code: str) -> bytes:
        counts = struct.pack(">6I", 0, 0, 0, len(changes), len(kinds), len(abbreviations))
        times = struct.pack(f">{len(changes)}{code}", *(t for t, _ in changes))
        types = bytes(kinds.index(o) for _, o in changes)
        rows = b"".join(struct.pack(">iBB", k, 0, where[k]) for k in kinds)
        return b"TZif" + version + bytes(15) + counts + times + types + rows + abbreviations

    last = offsets[-1][1]
    hours, rest = divmod(abs(last), 3600)
    footer = f"\n<{names[last]}>{'' if last <= 0 else '-'}{hours}:{rest // 60:02}\n".encode()
    return block(b"2", "i") + block(b"2", "q") + footer
