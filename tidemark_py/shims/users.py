"""grp and pwd of the guests: Pyodide has no grp, and its pwd knows one user that no guest has.

Follows grp(3), pwd(3), group(5), passwd(5): the guests' /etc/group and /etc/passwd, read at each call.
"""

from __future__ import annotations

import operator
import sys
from contextlib import suppress
from types import ModuleType
from typing import Any, NamedTuple

from .machine import machine

__all__ = ["patch"]

GROUP, PASSWD = "/etc/group", "/etc/passwd"


class struct_group(NamedTuple):
    """grp.struct_group"""

    gr_name: str
    gr_passwd: str
    gr_gid: int
    gr_mem: list[str]


class struct_passwd(NamedTuple):
    """pwd.struct_passwd"""

    pw_name: str
    pw_passwd: str
    pw_uid: int
    pw_gid: int
    pw_gecos: str
    pw_dir: str
    pw_shell: str


def _rows(path: str, fields: int) -> list[list[str]]:
    text = ""
    with suppress(OSError):  # a guest without them has no users
        text = machine().attachment.calls.read_file(path).decode(errors="surrogateescape")
    rows = [line.split(":") for line in text.splitlines()]
    return [row for row in rows if len(row) == fields and row[2].isdigit()]


def _groups() -> list[struct_group]:
    return [struct_group(r[0], r[1], int(r[2]), r[3].split(",") if r[3] else []) for r in _rows(GROUP, 4)]


def _users() -> list[struct_passwd]:
    rows = [r for r in _rows(PASSWD, 7) if r[3].isdigit()]
    return [struct_passwd(r[0], r[1], int(r[2]), int(r[3]), r[4], r[5], r[6]) for r in rows]


def _named(rows: list[Any], what: str, name: Any) -> Any:
    if not isinstance(name, str):
        raise TypeError(f"{what}() argument must be str, not {type(name).__name__}")
    for row in rows:
        if row[0] == name:
            return row
    raise KeyError(f"{what}(): name not found: {name!r}")


def _numbered(rows: list[Any], what: str, number: Any) -> Any:
    wanted = operator.index(number)
    for row in rows:
        if row[2] == wanted:
            return row
    raise KeyError(f"{what}(): id not found: {wanted}")


def patch() -> None:
    """Once: the modules grp and pwd, also for whom subprocess asks."""
    grp, pwd = ModuleType("grp", __doc__), ModuleType("pwd", __doc__)
    grp.__dict__.update(
        struct_group=struct_group,
        getgrall=_groups,
        getgrnam=lambda name: _named(_groups(), "getgrnam", name),
        getgrgid=lambda id: _numbered(_groups(), "getgrgid", id),
    )
    pwd.__dict__.update(
        struct_passwd=struct_passwd,
        getpwall=_users,
        getpwnam=lambda name: _named(_users(), "getpwnam", name),
        getpwuid=lambda uid: _numbered(_users(), "getpwuid", uid),
    )
    for name, module in (("grp", grp), ("pwd", pwd)):
        sys.modules[name] = module
        for user in ("subprocess", "shutil", "pathlib", "posixpath", "tarfile"):
            loaded = sys.modules.get(user)
            if loaded is not None and hasattr(loaded, name):
                setattr(loaded, name, module)
