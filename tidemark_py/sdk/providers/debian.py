"""Debian packages resolved here, in the browser, from any mirror that sends CORS headers.

Owns: Release -> Packages -> dependencies. The Release file's hashes hold for the index, the index's for the packages;
the Release file itself is believed as it comes, or, with release_sha256, only when it is the one that was meant (its
OpenPGP signature is not looked at: a lockfile is what makes an installation the same again). Stanzas, relations and
versions are python-debian's (`micropip.install("python-debian")`); a stanza is only parsed when its package is wanted.
Follows deb-version(7), deb-control(5), the Debian repository format. Missing: conflicts between packages are an error,
not a reason to choose others; no maintainer script runs (layers/debian.py does what programs need).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from typing import Any

from ...errors import LayerError
from ...layers import archive
from .contract import Item, Progress, ProgressTo, Source

__all__ = ["Debian"]

NAME = re.compile(rb"^Package: (\S+)$", re.M)
PROVIDES = re.compile(rb"^Provides: (.+)$", re.M)
INDEX_NAMES = ("Packages.xz", "Packages.gz", "Packages")
ARCHITECTURES = ("riscv64", "all")


class _Index:
    """The packages of one suite: stanzas as bytes, by name and by what they provide."""

    def __init__(self) -> None:
        self.stanzas: dict[str, list[bytes]] = {}
        self.provided: dict[str, list[bytes]] = {}

    def add(self, text: bytes) -> None:
        """A Packages file."""
        for stanza in text.split(b"\n\n"):
            if (name := NAME.search(stanza)) is None:
                continue
            self.stanzas.setdefault(name[1].decode(), []).append(stanza)
            if provides := PROVIDES.search(stanza):
                for each in provides[1].split(b","):
                    self.provided.setdefault(each.split(b"(")[0].strip().decode(), []).append(stanza)


class Debian:
    """`packages` and all they depend on, from `mirror` (https://host/debian)."""

    def __init__(
        self,
        mirror: str,
        packages: Sequence[str],
        *,
        suite: str = "trixie",
        components: Sequence[str] = ("main",),
        release_sha256: str = "",
    ) -> None:
        self.mirror = mirror.rstrip("/")
        self.packages = list(packages)
        self.suite = suite
        self.components = list(components)
        self.release_sha256 = release_sha256

    def describe(self) -> dict[str, Any]:
        """As Provider has it."""
        what = {"mirror": self.mirror, "suite": self.suite, "components": self.components, "packages": self.packages}
        return {"provider": "debian", **what}

    async def resolve(self, source: Source, progress: ProgressTo) -> list[Item]:
        """As Provider has it."""
        try:
            import debian.deb822  # noqa: F401
        except ImportError:
            raise LayerError(
                'Debian packages want the library python-debian: await micropip.install("python-debian")'
            ) from None
        index = _Index()
        release = await self._release(source, progress)
        for component in self.components:
            index.add(await self._packages(source, release, component, progress))
        chosen = _Chosen(index)
        for name in self.packages:
            chosen.want(name)
            progress(Progress("plan", name, len(chosen.packages), 0))
        chosen.check()
        items = []
        for package in chosen.in_order():
            url = source.absolute(f"{self.mirror}/{package['Filename']}")
            name, version = str(package["Package"]), str(package["Version"])
            items.append(Item("deb", name, url, str(package["SHA256"]), int(package["Size"]), version=version))
        return items

    async def _get(self, source: Source, path: str) -> bytes | None:
        url = source.absolute(f"{self.mirror}/{path}")
        try:
            response = await source.get(url)
        except OSError as e:
            raise LayerError(f"{url}: {e.strerror or e}") from None
        return response.data if response.status == 200 else None

    async def _release(self, source: Source, progress: ProgressTo) -> dict[str, tuple[str, int]]:
        """path below the suite -> (sha256, bytes)."""
        progress(Progress("resolve", "Release", 0, 0))
        text = await self._get(source, f"dists/{self.suite}/Release")
        if text is None:
            raise LayerError(f"{self.mirror} has no suite {self.suite}")
        digest = hashlib.sha256(text).hexdigest()
        if self.release_sha256 and digest != self.release_sha256:
            raise LayerError(f"{self.mirror}'s Release of {self.suite} is another than was asked for ({digest[:12]})")
        section = re.search(rb"^SHA256:\n((?: .*\n?)+)", text, re.M)
        rows = [line.split() for line in section[1].splitlines()] if section else []
        return {path.decode(): (sha.decode(), int(size)) for sha, size, path in (r for r in rows if len(r) == 3)}

    async def _packages(
        self, source: Source, release: dict[str, tuple[str, int]], component: str, progress: ProgressTo
    ) -> bytes:
        for name in INDEX_NAMES:
            path = f"{component}/binary-riscv64/{name}"
            if path not in release:
                continue
            progress(Progress("resolve", path, 0, release[path][1]))
            data = await self._get(source, f"dists/{self.suite}/{path}")
            if data is None:
                continue
            if hashlib.sha256(data).hexdigest() != release[path][0]:
                raise LayerError(
                    f"{self.mirror}: {path} is not what Release says: the mirror is being updated, or lies"
                )
            return archive.unpacked(data, path)
        raise LayerError(f"{self.mirror} has no packages of {component} for riscv64 in {self.suite}")


class _Chosen:
    """A set of packages that have what they depend on."""

    def __init__(self, index: _Index) -> None:
        from debian import deb822, debian_support

        self._deb822 = deb822
        self._version = debian_support.Version
        self._index = index
        self._parsed: dict[bytes, Any] = {}
        self.packages: dict[str, Any] = {}

    def _parse(self, stanza: bytes) -> Any:
        if stanza not in self._parsed:
            self._parsed[stanza] = self._deb822.Packages(stanza)
        return self._parsed[stanza]

    def _fits(self, version: str, relation: dict[str, Any]) -> bool:
        if not relation.get("version"):
            return True
        operator, wanted = relation["version"]
        a, b = self._version(version), self._version(wanted)
        return bool({"<<": a < b, "<=": a <= b, "=": a == b, ">=": a >= b, ">>": a > b}[operator])

    def _real(self, relation: dict[str, Any]) -> Iterator[Any]:
        """Packages of that name, newest first."""
        found = [self._parse(s) for s in self._index.stanzas.get(relation["name"], [])]
        found.sort(key=lambda p: self._version(p["Version"]), reverse=True)
        yield from (p for p in found if p["Architecture"] in ARCHITECTURES and self._fits(p["Version"], relation))

    def _providers(self, relation: dict[str, Any]) -> Iterator[Any]:
        for stanza in self._index.provided.get(relation["name"], []):
            package = self._parse(stanza)
            for row in package.relations.get("provides", []):
                provided = row[0]
                if provided["name"] != relation["name"]:
                    continue
                given = provided["version"][1] if provided.get("version") else ""
                if not relation.get("version") or (given and self._fits(given, relation)):
                    yield package

    def _satisfied(self, relation: dict[str, Any]) -> bool:
        have = self.packages.get(relation["name"])
        if have is not None and self._fits(have["Version"], relation):
            return True
        return any(p["Package"] in self.packages for p in self._providers(relation))

    def want(self, name: str) -> None:
        """It and all it depends on. Raises LayerError."""
        waiting = [([{"name": name}], "")]
        while waiting:
            alternatives, by = waiting.pop(0)
            if any(self._satisfied(r) for r in alternatives):
                continue
            candidates = [p for find in (self._real, self._providers) for r in alternatives for p in find(r)]
            free = [p for p in candidates if p["Package"] not in self.packages]
            if not free:
                text = " | ".join(_text(r) for r in alternatives)
                raise LayerError(f"no package for {text}" + (f", which {by} depends on" if by else ""))
            package = free[0]
            self.packages[package["Package"]] = package
            for kind in ("pre-depends", "depends"):
                waiting += [(row, package["Package"]) for row in package.relations.get(kind, [])]

    def check(self) -> None:
        """Raises LayerError when two of them do not go together."""
        for package in self.packages.values():
            for kind in ("conflicts", "breaks"):
                for row in package.relations.get(kind, []):
                    other = self.packages.get(row[0]["name"])
                    if other is None or other is package or not self._fits(other["Version"], row[0]):
                        continue
                    raise LayerError(
                        f"{package['Package']} and {other['Package']} {other['Version']} do not go together"
                    )

    def in_order(self) -> list[Any]:
        """By name, so that the same packages are the same list."""
        return [self.packages[name] for name in sorted(self.packages)]


def _text(relation: dict[str, Any]) -> str:
    version = relation.get("version")
    return f"{relation['name']} ({version[0]} {version[1]})" if version else str(relation["name"])
