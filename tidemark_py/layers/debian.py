"""What Debian's maintainer scripts would have done, as far as programs need it: no script runs when a layer is built.

Owns: the skeleton of a root (merged /usr, /etc, /tmp ...), alternatives read from the packages' own postinst texts,
system users, busybox applet links, the CA bundle and dpkg's status file; and the form of a package's file. Called
by the tools and by the providers with a LayerWriter.
Follows base-files' and base-passwd's postinst, update-alternatives(1), hier(7).
Missing: triggers that need a program to run (ghc-pkg recache, fontconfig, locale-gen); C.UTF-8 needs none.
"""

from __future__ import annotations

import re
import shlex
import stat
from dataclasses import dataclass, field

from ..errors import LayerError
from . import archive
from .format import Entry
from .writer import LayerWriter

# name: (uid, gid, home, shell); base-passwd's fixed numbers, then adduser --system as the packages do it
USERS = {
    "root": (0, 0, "/root", ""),
    "daemon": (1, 1, "/usr/sbin", "/usr/sbin/nologin"),
    "bin": (2, 2, "/bin", "/usr/sbin/nologin"),
    "sys": (3, 3, "/dev", "/usr/sbin/nologin"),
    "sync": (4, 65534, "/bin", "/bin/sync"),
    "games": (5, 60, "/usr/games", "/usr/sbin/nologin"),
    "man": (6, 12, "/var/cache/man", "/usr/sbin/nologin"),
    "lp": (7, 7, "/var/spool/lpd", "/usr/sbin/nologin"),
    "mail": (8, 8, "/var/mail", "/usr/sbin/nologin"),
    "news": (9, 9, "/var/spool/news", "/usr/sbin/nologin"),
    "www-data": (33, 33, "/var/www", "/usr/sbin/nologin"),
    "backup": (34, 34, "/var/backups", "/usr/sbin/nologin"),
    "_apt": (42, 65534, "/nonexistent", "/usr/sbin/nologin"),
    "nobody": (65534, 65534, "/nonexistent", "/usr/sbin/nologin"),
    "user": (1000, 1000, "/home/user", ""),
}
PACKAGE_USERS = {
    "postgresql-common": ("postgres", 104, "/var/lib/postgresql", "/bin/bash"),
    "redis-server": ("redis", 105, "/var/lib/redis", "/usr/sbin/nologin"),
    "openssh-server": ("sshd", 106, "/run/sshd", "/usr/sbin/nologin"),
    "dbus": ("messagebus", 107, "/nonexistent", "/usr/sbin/nologin"),
}
GROUPS = {
    "root": 0, "daemon": 1, "bin": 2, "sys": 3, "adm": 4, "tty": 5, "disk": 6, "lp": 7, "mail": 8, "news": 9, "man": 12,
    "kmem": 15, "sudo": 27, "www-data": 33, "backup": 34, "src": 40, "shadow": 42, "utmp": 43, "video": 44, "staff": 50,
    "games": 60, "users": 100, "nogroup": 65534, "user": 1000,
}  # fmt: skip
DIRECTORIES = {
    "boot": 0o755, "dev": 0o755, "etc": 0o755, "home": 0o755, "media": 0o755, "mnt": 0o755, "opt": 0o755, "proc": 0o755,
    "root": 0o700, "run": 0o755, "run/lock": 0o1777, "srv": 0o755, "sys": 0o755, "tmp": 0o1777, "usr": 0o755,
    "usr/bin": 0o755, "usr/lib": 0o755, "usr/sbin": 0o755, "usr/share": 0o755, "usr/local": 0o755,
    "usr/local/bin": 0o755, "usr/local/lib": 0o755, "usr/local/sbin": 0o755, "usr/local/share": 0o755, "var": 0o755,
    "var/backups": 0o755, "var/cache": 0o755, "var/lib": 0o755, "var/lib/misc": 0o755, "var/local": 0o755,
    "var/log": 0o755, "var/mail": 0o755, "var/opt": 0o755, "var/spool": 0o755, "var/tmp": 0o1777,
}  # fmt: skip
MERGED = ("bin", "sbin", "lib")

PROFILE = """# /etc/profile: for login shells
if [ "$(id -u)" -eq 0 ]; then
  PATH="/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
else
  PATH="/usr/local/bin:/usr/bin:/bin:/usr/local/games:/usr/games"
fi
export PATH
for i in /etc/profile.d/*.sh; do
  if [ -r "$i" ]; then . "$i"; fi
done
unset i
"""
NSSWITCH = """passwd: files
group: files
shadow: files
hosts: files dns
networks: files
protocols: files
services: files
"""
HOSTS = "127.0.0.1\tlocalhost\n127.0.1.1\ttidemark\n::1\tlocalhost ip6-localhost ip6-loopback\n"
OS_RELEASE = (
    'PRETTY_NAME="Debian GNU/Linux 13 (trixie)"\nNAME="Debian GNU/Linux"\nVERSION_ID="13"\nVERSION="13 (trixie)"\n'
)
OS_RELEASE += "VERSION_CODENAME=trixie\nID=debian\n"

# postinst texts that build their alternatives in shell loops: link, target
LOOPED = {
    "php8.4-cli": [("usr/bin/php", "php8.4")],
    "vim-tiny": [(f"usr/bin/{n}", "vim.tiny") for n in ("vi", "view", "ex", "editor", "rview")],
    "vim": [(f"usr/bin/{n}", "vim.basic") for n in ("vim", "vi", "view", "ex", "editor", "vimdiff", "rvim", "rview")],
}


@dataclass
class Unpacked:
    """One package on its way into a layer."""

    name: str
    version: str
    architecture: str
    control: str
    postinst: str = ""
    licences: list[str] = field(default_factory=list)


def skeleton(w: LayerWriter) -> None:
    """The directories and links every Debian root has; before anything is unpacked."""
    for path, mode in DIRECTORIES.items():
        w.directory(path, mode)
    for name in MERGED:
        w.symlink(name, f"usr/{name}")
    w.symlink("var/run", "/run")
    w.symlink("var/lock", "/run/lock")


def _members(deb: bytes) -> dict[str, bytes]:
    """What is in an ar(5) archive, as deb(5) has it."""
    if deb[:8] != b"!<arch>\n":
        raise LayerError("it is no Debian package: it does not begin as one")
    found, at = {}, 8
    while at + 60 <= len(deb):
        head = deb[at : at + 60]
        try:
            size = int(head[48:58])
        except ValueError:
            raise LayerError("it is no sound Debian package") from None
        if head[58:] != b"`\n" or at + 60 + size > len(deb):
            raise LayerError("it is no sound Debian package: it is cut off")
        found[head[:16].decode("ascii", "replace").strip().rstrip("/")] = deb[at + 60 : at + 60 + size]
        at += 60 + size + size % 2
    return found


def add_deb(w: LayerWriter, deb: bytes) -> Unpacked:
    """A package's files into the writer; what finish() wants to know of it. Raises LayerError."""
    members = _members(deb)
    parts = {kind: next((n for n in members if n.startswith(f"{kind}.tar")), "") for kind in ("control", "data")}
    if not all(parts.values()):
        raise LayerError("it is no sound Debian package: a part is missing")
    control = LayerWriter()
    archive.add_tar(control, archive.unpacked(members[parts["control"]], parts["control"]))

    def text(name: str) -> str:
        entry = control.find(name)
        return control.read(entry).decode("utf-8", "replace") if entry is not None else ""

    archive.add_tar(w, archive.unpacked(members[parts["data"]], parts["data"]))
    fields = dict(re.findall(r"^(Package|Version|Architecture): *(\S+)", text("control"), re.M))
    if len(fields) != 3:
        raise LayerError("it is no sound Debian package: its control file has no name, version or architecture")
    names = (fields["Package"], fields["Version"], fields["Architecture"])
    return Unpacked(*names, text("control"), text("postinst"))


def finish(w: LayerWriter, packages: list[Unpacked]) -> None:
    """Everything that postinst scripts would have left; after all packages are unpacked."""
    names = {p.name for p in packages}
    for directory, mode in DIRECTORIES.items():  # a package's own idea of /tmp does not count
        w.directory(directory, mode)
    _alternatives(w, packages)
    if w.has("usr/bin/busybox"):
        _applets(w)
    if not w.has("usr/bin/sh") and w.find("usr/bin/bash"):
        w.symlink("usr/bin/sh", "bash")
    _etc(w, names)
    _certificates(w)
    _dpkg_status(w, packages)


# ---- alternatives ----


@dataclass(frozen=True)
class Alternative:
    """One `update-alternatives --install` with its slaves: (link, name, path)."""

    link: str
    name: str
    path: str
    priority: int
    slaves: tuple[tuple[str, str, str], ...] = ()


def parse_alternatives(postinst: str) -> list[Alternative]:
    """The alternatives a postinst installs by plain words; those with shell variables are left out."""
    found: list[Alternative] = []
    for line in postinst.replace("\\\n", " ").splitlines():
        if "update-alternatives" not in line or line.lstrip().startswith("#"):
            continue
        try:
            words = shlex.split(line, comments=True)
        except ValueError:
            continue
        ends = [i for i, word in enumerate(words) if word in ("||", "&&", "|", "then", "fi") or word.endswith(";")]
        starts = [i for i, word in enumerate(words) if word.endswith("update-alternatives")]
        for start in starts:
            end = min([i for i in ends if i > start], default=len(words))
            if alternative := _alternative(words[start + 1 : end]):
                found.append(alternative)
    return found


def _alternative(words: list[str]) -> Alternative | None:
    if "--install" not in words:
        return None
    i = words.index("--install")
    if len(words) < i + 5 or not words[i + 4].lstrip("-").isdigit() or any("$" in x for x in words[i + 1 : i + 4]):
        return None
    slaves: list[tuple[str, str, str]] = []
    for j in [j for j, word in enumerate(words) if word == "--slave"]:
        slave = words[j + 1 : j + 4]
        if len(slave) == 3 and not any("$" in x for x in slave):
            slaves.append((slave[0], slave[1], slave[2]))
    return Alternative(words[i + 1], words[i + 2], words[i + 3], int(words[i + 4]), tuple(slaves))


def _alternatives(w: LayerWriter, packages: list[Unpacked]) -> None:
    best: dict[str, Alternative] = {}
    for p in packages:
        for a in parse_alternatives(p.postinst):
            if w.find(a.path) and (a.name not in best or a.priority > best[a.name].priority):
                best[a.name] = a
    for a in best.values():
        for link, name, path in ((a.link, a.name, a.path), *a.slaves):
            if w.find(path):
                _link(w, link, f"/etc/alternatives/{name}")
                w.symlink(f"etc/alternatives/{name}", path)
    for p in packages:
        for link, target in LOOPED.get(p.name, []):
            if w.has(f"usr/bin/{target}"):
                _link(w, link, target)
        if p.name.startswith("openjdk-"):
            _java(w)


def _link(w: LayerWriter, path: str, target: str) -> None:
    if not w.find(path):
        w.symlink(path, target)


def _java(w: LayerWriter) -> None:
    for path in [p for p in w.files if re.fullmatch(r"usr/lib/jvm/java-\d+-[^/]+/bin/[^/]+", p)]:
        _link(w, f"usr/bin/{path.rpartition('/')[2]}", f"/{path}")


# ---- busybox ----


def busybox_applets(binary: bytes) -> list[str]:
    """Applet names compiled into a busybox, from its table of NUL-separated sorted names."""
    at = binary.find(b"[\0[[\0")
    if at < 0:
        return []
    names: list[str] = []
    for raw in binary[at : at + 8192].split(b"\0"):
        name = raw.decode("ascii", "replace")
        if not re.fullmatch(r"[A-Za-z0-9_.\[+-]+", name) or (names and name <= names[-1]):
            break
        names.append(name)
    return names


def _applets(w: LayerWriter) -> None:
    entry = w.find("usr/bin/busybox")
    if not entry:
        return
    for name in busybox_applets(w.read(entry)):
        if name != "busybox" and not w.has(f"usr/bin/{name}") and not w.has(f"usr/sbin/{name}"):
            w.symlink(f"usr/bin/{name}", "busybox")


# ---- /etc ----


def _etc(w: LayerWriter, names: set[str]) -> None:
    shell = "/bin/bash" if w.find("usr/bin/bash") else "/bin/sh"
    users = dict(USERS)
    groups = dict(GROUPS)
    for package, (name, uid, home, login) in PACKAGE_USERS.items():
        if package in names:
            users[name] = (uid, uid, home, login)
            groups[name] = uid
            if w.find(home):
                w.directory(home, 0o750, uid, uid)
    defaults = {
        "etc/passwd": "".join(f"{n}:x:{u}:{g}:{n}:{h}:{s or shell}\n" for n, (u, g, h, s) in users.items()),
        "etc/group": "".join(f"{n}:x:{g}:\n" for n, g in groups.items()),
        "etc/hosts": HOSTS,
        "etc/hostname": "tidemark\n",
        "etc/nsswitch.conf": NSSWITCH,
        "etc/resolv.conf": "nameserver 127.0.0.53\n",
        "etc/profile": PROFILE,
        "etc/os-release": OS_RELEASE,
        "etc/debian_version": "13\n",
        "etc/timezone": "Etc/UTC\n",
        "etc/ld.so.conf": "include /etc/ld.so.conf.d/*.conf\n",
        "etc/shells": "".join(f"/bin/{s}\n" for s in ("sh", "dash", "bash", "zsh", "fish") if w.find(f"usr/bin/{s}")),
        "etc/motd": "",
        "etc/fstab": "",
    }
    for path, text in defaults.items():
        if not w.find(path):
            if w.has(path):
                w.remove(path)  # a link that leads nowhere
            w.file(path, text)
    shadow = "".join(f"{n}:*:20000:0:99999:7:::\n" for n in users)
    w.file("etc/shadow", shadow, 0o640, 0, GROUPS["shadow"])
    w.symlink("etc/mtab", "/proc/self/mounts")
    if w.has("usr/share/zoneinfo/Etc/UTC") and not w.has("etc/localtime"):
        w.symlink("etc/localtime", "/usr/share/zoneinfo/Etc/UTC")
    w.directory("home/user", 0o755, 1000, 1000)
    for home, uid in (("root", 0), ("home/user", 1000)):
        for name in (".bashrc", ".profile"):
            template = w.find(f"etc/skel/{name}")
            if template and not w.has(f"{home}/{name}"):
                w.file(f"{home}/{name}", w.read(template), 0o644, uid, uid)
    for program, directory in (("nginx", "var/lib/nginx"), ("redis-server", "var/lib/redis")):
        if program in names:
            w.directory(directory, 0o755)


def _certificates(w: LayerWriter) -> None:
    """/etc/ssl/certs/ca-certificates.crt, as update-ca-certificates(8) makes it."""
    found = sorted(p for p in w.files if p.startswith("usr/share/ca-certificates/") and p.endswith(".crt"))
    if found:
        w.file("etc/ssl/certs/ca-certificates.crt", b"".join(w.read(w.files[p]) for p in found))


def _dpkg_status(w: LayerWriter, packages: list[Unpacked]) -> None:
    """/var/lib/dpkg/status, so that dpkg -l and dpkg -s tell the truth about the layer."""
    stanzas = []
    for p in packages:
        head, _, rest = p.control.strip().partition("\n")
        stanzas.append(f"{head}\nStatus: install ok installed\n{rest}\n")
    w.file("var/lib/dpkg/status", "\n".join(stanzas))
    w.directory("var/lib/dpkg/info")
    w.directory("var/lib/dpkg/updates")


# ---- licences ----

SHORT = re.compile(r"^License:[ \t]*(\S[^\n]*)$", re.M)
COMMON = re.compile(r"/usr/share/common-licenses/([A-Za-z0-9.+-]*[A-Za-z0-9])")


def licences(w: LayerWriter, package: str) -> list[str]:
    """Licence names from the package's copyright file: DEP-5 short names, else the common licences it refers to."""
    entry: Entry | None = w.find(f"usr/share/doc/{package}/copyright")
    if entry is None or not (stat.S_ISREG(entry.mode) or entry.is_hard_link):
        return []
    text = w.read(entry).decode("utf-8", "replace")
    names = SHORT.findall(text) if "Format:" in text[:2000] else []
    return sorted({n.strip() for n in names}) or sorted(set(COMMON.findall(text))) or ["see copyright file"]
