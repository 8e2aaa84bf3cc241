"""Debian packages through the machine's own apt, in private directories.

Owns .cache/apt: one directory per suite, architecture and mirror, with apt's lists, archives and an empty dpkg status.
Nothing of the machine's own package state is read or changed, except that the mirror's address and apt's network
settings (proxy, certificates) come from its configuration. Follows apt.conf(5), sources.list(5), apt-get(8).

Trust: apt itself checks Release signatures. When the machine's archive keyring does not know the suite's key, a newer
keyring package is fetched from the machine's own release, signed by keys it has. Only if that fails too is the mirror
used unverified, and then a notice says so.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from .toolchain import CACHE as CACHE_ROOT
from .toolchain import BuildError, say

CACHE = CACHE_ROOT / "apt"
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
LISTS_MAX_AGE_S = 14 * 86400
NAME = re.compile(r"[a-z0-9][a-z0-9+.-]*\Z")

Progress = Callable[[str], None]


class AptError(BuildError):
    """apt could not do what was asked; the text says what and what to try."""


@dataclass(frozen=True)
class Package:
    """One resolved package."""

    name: str
    version: str
    architecture: str
    origin: str

    @property
    def key(self) -> str:
        """name=version:architecture, unique in an archive."""
        return f"{self.name}={self.version}:{self.architecture}"


def machine_mirror() -> str:
    """Address of the Debian mirror that this machine's apt uses.

    Raises AptError when it names none.
    """
    etc = Path("/etc/apt")
    found: list[str] = []
    for path in sorted(etc.glob("sources.list.d/*.sources")):
        for stanza in path.read_text().split("\n\n"):
            uris = re.search(r"^URIs:(.*)$", stanza, re.M)
            if uris and not re.search(r"^Enabled:\s*no", stanza, re.M | re.I):
                found += uris.group(1).split()
    for path in [etc / "sources.list", *sorted(etc.glob("sources.list.d/*.list"))]:
        if path.is_file():
            found += re.findall(r"^deb\s+(?:\[[^\]]*\]\s+)?(\S+)", path.read_text(), re.M)
    for uri in found:
        if uri.rstrip("/").endswith("/debian"):
            return uri.rstrip("/")
    raise AptError("this machine's apt names no Debian mirror: pass --mirror URL")


class Archive:
    """One suite of a mirror for one architecture: resolve and download packages."""

    def __init__(self, architecture: str, suite: str = "trixie", mirror: str = "", progress: Progress = say) -> None:
        if not shutil.which("apt-get"):
            raise AptError("apt-get is not here: Debian packages need a Debian machine (or give dir:PATH or tar:FILE)")
        self.architecture = architecture
        self.suite = suite
        self.mirror = (mirror or machine_mirror()).rstrip("/")
        self.progress = progress
        tag = hashlib.sha256(self.mirror.encode()).hexdigest()[:8]
        self.dir = CACHE / f"{suite}-{architecture}-{tag}"
        self._ready = False

    # ---- private directories ----

    def _configure(self, keyring: Path | None) -> None:
        d = self.dir
        for sub in ("etc/preferences.d", "lists/partial", "archives/partial"):
            (d / sub).mkdir(parents=True, exist_ok=True)
        (d / "status").touch()
        signed = f"signed-by={keyring}" if keyring else "trusted=yes"
        components = "main"
        (d / "etc" / "sources.list").write_text(
            f"deb [arch={self.architecture} {signed}] {self.mirror} {self.suite} {components}\n"
        )
        lines = {
            "APT::Architecture": self.architecture,
            "APT::Install-Recommends": "false",
            "APT::Sandbox::User": "",
            "APT::Keep-Downloaded-Packages": "true",
            "Acquire::Languages": "none",
            "Acquire::Retries": "3",
            "Dir::Etc::sourcelist": f"{d}/etc/sources.list",
            "Dir::Etc::sourceparts": "/dev/null",
            "Dir::Etc::preferences": "/dev/null",
            "Dir::Etc::preferencesparts": f"{d}/etc/preferences.d",
            "Dir::State": str(d),
            "Dir::State::lists": f"{d}/lists",
            "Dir::State::status": f"{d}/status",
            "Dir::Cache": str(d),
            "Dir::Cache::archives": f"{d}/archives",
            "Dir::Cache::pkgcache": f"{d}/pkgcache.bin",
            "Dir::Cache::srcpkgcache": f"{d}/srcpkgcache.bin",
            "Dir::Log": str(d),
        }
        text = f'#clear APT::Architectures;\nAPT::Architectures {{ "{self.architecture}"; }};\n'
        text += "".join(f'{k} "{v}";\n' for k, v in lines.items())
        (d / "etc" / "apt.conf").write_text(text)

    def _apt(self, *args: str) -> subprocess.CompletedProcess[str]:
        # -c is read after the machine's own parts: proxies stay, directories are ours
        env = {**os.environ, "LC_ALL": "C", "DEBIAN_FRONTEND": "noninteractive"}
        command = ["apt-get", "-c", f"{self.dir}/etc/apt.conf", "-q", *args]
        return subprocess.run(command, env=env, text=True, capture_output=True, check=False)

    def _update(self) -> str:
        """Refresh the lists; "" or what went wrong."""
        r = self._apt("-o", "APT::Update::Error-Mode=any", "update")
        return "" if r.returncode == 0 else r.stderr.strip() or r.stdout.strip()

    def _release(self) -> Path | None:
        found = [*self.dir.glob("lists/*Release")]
        return max(found, key=lambda p: p.stat().st_mtime) if found else None

    def ready(self, refresh: bool = False) -> None:
        """Have usable package lists. Raises AptError."""
        if self._ready and not refresh:
            return
        stamp = self.dir / "updated"
        fresh = stamp.exists() and time.time() - stamp.stat().st_mtime < LISTS_MAX_AGE_S
        if fresh and not refresh and self._release():
            self._ready = True
            return
        self.progress(f"apt: package lists of {self.suite} {self.architecture}")
        keyring = self.dir / "keyring.gpg"
        self._configure(keyring if keyring.exists() else KEYRING if KEYRING.exists() else None)
        problem = self._update()
        if problem and ("NO_PUBKEY" in problem or "not signed" in problem or "Missing key" in problem):
            self._configure(self._newer_keyring())
            problem = self._update()
        if problem:
            if not self._release():
                raise AptError(f"apt could not read {self.mirror} {self.suite}:\n{problem}")
            self.progress(f"apt: going on with the lists of last time ({problem.splitlines()[-1]})")
        else:
            stamp.touch()
        self._ready = True

    def _newer_keyring(self) -> Path | None:
        """A keyring that knows the suite, signed by this machine's own release; None = go on unverified, said aloud."""
        work = self.dir / "keyring"
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir(parents=True)
        r = subprocess.run(
            ["apt-get", "-q", "download", "debian-archive-keyring"],
            cwd=work,
            capture_output=True,
            text=True,
            check=False,
        )
        debs = [*work.glob("*.deb")]
        if r.returncode == 0 and debs:
            subprocess.run(["dpkg-deb", "-x", str(debs[0]), str(work / "x")], check=True)
            for name in ("debian-archive-keyring.gpg", "debian-archive-keyring.pgp"):
                if (work / "x/usr/share/keyrings" / name).exists():
                    target = self.dir / "keyring.gpg"
                    shutil.copyfile(work / "x/usr/share/keyrings" / name, target)
                    self.progress("apt: archive keyring taken from this machine's own release")
                    return target
        self.progress(
            f"apt: NOTICE: no key for {self.suite} on this machine and none to be had from its own release; "
            f"packages from {self.mirror} are used UNVERIFIED. Installing debian-archive-keyring helps."
        )
        return None

    # ---- packages ----

    def resolve(self, names: Iterable[str]) -> list[Package]:
        """The dependency closure (no Recommends) in unpack order. Raises AptError."""
        wanted = list(dict.fromkeys(names))
        for name in wanted:
            if not NAME.match(name):
                raise AptError(f"not a package name: {name!r}")
        self.ready()
        r = self._apt("-s", "-y", "--no-install-recommends", "install", *wanted)
        if r.returncode:
            lines = [x for x in (r.stdout + r.stderr).splitlines() if x.startswith(("E:", " "))]
            raise AptError(f"apt finds no way to install {' '.join(wanted)}:\n" + "\n".join(lines))
        found = re.findall(r"^Inst (\S+) \((\S+) (.*?) ?\[(\w+)\]\)", r.stdout, re.M)
        return [Package(n.partition(":")[0], v, a, o) for n, v, o, a in found]

    def download(self, packages: list[Package]) -> dict[Package, Path]:
        """Fetch what is missing; the .deb of each package, checked by apt. Raises AptError."""
        self.ready()
        paths = {p: self._path(p) for p in packages}
        missing = [p for p, path in paths.items() if not path.exists()]
        if missing:
            self.progress(f"apt: downloading {len(missing)} packages")
            for i in range(0, len(missing), 200):
                names = [f"{p.name}={p.version}" for p in missing[i : i + 200]]
                r = subprocess.run(
                    ["apt-get", "-c", f"{self.dir}/etc/apt.conf", "-q", "download", *names],
                    cwd=self.dir / "archives",
                    capture_output=True,
                    text=True,
                    check=False,
                    env={**os.environ, "LC_ALL": "C"},
                )
                if r.returncode:
                    raise AptError(f"apt could not download:\n{r.stderr.strip()}")
            for p in missing:
                if not paths[p].exists():
                    raise AptError(f"apt downloaded no {p.key}")
        return paths

    def _path(self, p: Package) -> Path:
        archives = self.dir / "archives"
        plain = archives / f"{p.name}_{p.version.replace(':', '%3a')}_{p.architecture}.deb"
        if not plain.exists():  # apt's own quoting differs between versions
            for path in archives.glob(f"{p.name}_*.deb"):
                if unquote(path.name) == unquote(plain.name):
                    return path
        return plain
