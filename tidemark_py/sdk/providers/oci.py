"""OCI images: an image layout directory on any web server, or a registry.

Follows the OCI image specification (image-layout.md, manifest.md, layer.md) and distribution specification (pull;
anonymous tokens: bearer.py). An image for several machines: riscv64's. A layer whose descriptor has the annotation
io.tidemark.index (build.py layer --oci writes it) is applied lazily: only its index is fetched, file bodies come by
range when they are touched; not from a registry that wants tokens, for they end and bodies may be touched at any time.
Missing: encrypted layers, registries that want a password.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any

from ...errors import LayerError
from .bearer import Bearer
from .contract import Item, Progress, ProgressTo, Source

__all__ = ["INDEX_ANNOTATION", "Oci", "OciRegistry"]

INDEX_ANNOTATION = "io.tidemark.index"
INDEX_BYTES_ANNOTATION = "io.tidemark.index.bytes"
REF_NAME = "org.opencontainers.image.ref.name"
ARCHITECTURE = "riscv64"
INDEXES = ("application/vnd.oci.image.index.v1+json", "application/vnd.docker.distribution.manifest.list.v2+json")
MANIFESTS = ("application/vnd.oci.image.manifest.v1+json", "application/vnd.docker.distribution.manifest.v2+json")
LAYER = re.compile(r"application/vnd\.(oci\.image\.layer\.(nondistributable\.)?v1|docker\.image\.rootfs\.diff)\.tar")
MAX_JSON_BYTES = 8 << 20
Json = dict[str, Any]


class _Image:
    """Both kinds: where the first document and the blobs are is all they differ in."""

    def __init__(self, lazy: bool) -> None:
        self.lazy = lazy

    async def _first(self, source: Source) -> Json:
        raise NotImplementedError

    def _blob(self, source: Source, digest: str) -> str:
        raise NotImplementedError

    async def _document(self, source: Source, descriptor: Json) -> Json:
        raise NotImplementedError

    async def resolve(self, source: Source, progress: ProgressTo) -> list[Item]:
        """As Provider has it."""
        document = await self._first(source)
        for _ in range(3):  # an index may name another index
            if "manifests" not in document:
                break
            document = await self._document(source, self._choose(document))
        if not isinstance(document.get("layers"), list) or not isinstance(document.get("config"), dict):
            raise LayerError("the image's manifest has no layers")
        config = await self._document(source, document["config"])
        architecture = config.get("architecture", ARCHITECTURE)
        if architecture != ARCHITECTURE:
            raise LayerError(f"the image is for {architecture}, not for {ARCHITECTURE}")
        diffs = config.get("rootfs", {}).get("diff_ids", [])
        items = []
        for i, layer in enumerate(document["layers"]):
            progress(Progress("plan", str(layer.get("digest", "")), i, len(document["layers"])))
            items.append(self._item(source, layer, str(diffs[i]) if i < len(diffs) else ""))
        return items

    def _item(self, source: Source, layer: Json, diff: str) -> Item:
        digest, media = _digest(layer), str(layer.get("mediaType", ""))
        if not LAYER.match(media):
            raise LayerError(f"the image has a layer of a kind that is not known here: {media}")
        notes = layer.get("annotations") or {}
        if self.lazy and INDEX_ANNOTATION in notes:
            index = _digest({"digest": notes[INDEX_ANNOTATION]})
            count = int(notes.get(INDEX_BYTES_ANNOTATION, 0))
            url, blob = self._blob(source, index), self._blob(source, digest)
            return Item("index", f"sha256:{index[:12]}", url, index, count, blob=blob)
        url = self._blob(source, digest)
        plain = diff.removeprefix("sha256:") if diff.startswith("sha256:") else ""
        return Item("oci", f"sha256:{digest[:12]}", url, digest, int(layer.get("size", 0)), diff_sha256=plain)

    def _choose(self, index: Json) -> Json:
        """The entry for this machine."""
        rows = [m for m in index["manifests"] if isinstance(m, dict)]
        fitting = [m for m in rows if (m.get("platform") or {}).get("architecture", ARCHITECTURE) == ARCHITECTURE]
        if not fitting:
            there = sorted({str((m.get("platform") or {}).get("architecture")) for m in rows})
            raise LayerError(f"the image is not there for {ARCHITECTURE}, only for {', '.join(there) or 'nothing'}")
        return fitting[0]


class Oci(_Image):
    """An image layout directory at `url`; reference: its name in index.json, when there are several.

    lazy=False: whole layers even where there is an index.
    """

    def __init__(self, url: str, reference: str = "", *, lazy: bool = True) -> None:
        super().__init__(lazy)
        self.url = url.rstrip("/")
        self.reference = reference

    def describe(self) -> dict[str, Any]:
        """As Provider has it."""
        return {"provider": "oci", "url": self.url, "reference": self.reference}

    async def _first(self, source: Source) -> Json:
        layout = await _json(source, source.absolute(f"{self.url}/oci-layout"), "")
        if layout.get("imageLayoutVersion") != "1.0.0":
            raise LayerError(f"{self.url} is no OCI image layout of version 1.0.0")
        index = await _json(source, source.absolute(f"{self.url}/index.json"), "")
        rows = index.get("manifests")
        if not isinstance(rows, list) or not rows:
            raise LayerError(f"{self.url}/index.json names no image")
        if self.reference:
            named = [m for m in rows if (m.get("annotations") or {}).get(REF_NAME) == self.reference]
            if not named:
                raise LayerError(f"{self.url} has no image {self.reference!r}")
            return {"manifests": named}
        return {"manifests": rows}

    def _blob(self, source: Source, digest: str) -> str:
        return source.absolute(f"{self.url}/blobs/sha256/{digest}")

    async def _document(self, source: Source, descriptor: Json) -> Json:
        digest = _digest(descriptor)
        return await _json(source, self._blob(source, digest), digest)


class OciRegistry(_Image):
    """Image `name` (library/debian) of a registry at `base`; reference: a tag or sha256:..."""

    def __init__(self, base: str, name: str, reference: str = "latest", *, lazy: bool = True) -> None:
        super().__init__(lazy)
        self.base = base.rstrip("/")
        self.name = name
        self.reference = reference

    def describe(self) -> dict[str, Any]:
        """As Provider has it."""
        return {"provider": "oci-registry", "base": self.base, "name": self.name, "reference": self.reference}

    async def resolve(self, source: Source, progress: ProgressTo) -> list[Item]:
        """As Provider has it."""
        bearer = Bearer(source)
        items = await super().resolve(bearer, progress)
        if self.lazy and bearer.used and any(item.kind == "index" for item in items):
            self.lazy = False
            items = await super().resolve(bearer, progress)
        return items

    async def _first(self, source: Source) -> Json:
        digest = self.reference.removeprefix("sha256:") if self.reference.startswith("sha256:") else ""
        return await self._manifest(source, self.reference, digest)

    async def _manifest(self, source: Source, reference: str, digest: str) -> Json:
        url = f"{self.base}/v2/{self.name}/manifests/{reference}"
        return await _json(source, url, digest, {"Accept": ", ".join([*MANIFESTS, *INDEXES])})

    def _blob(self, source: Source, digest: str) -> str:
        return f"{self.base}/v2/{self.name}/blobs/sha256:{digest}"

    async def _document(self, source: Source, descriptor: Json) -> Json:
        digest = _digest(descriptor)
        if descriptor.get("mediaType") in (*MANIFESTS, *INDEXES):
            return await self._manifest(source, f"sha256:{digest}", digest)
        return await _json(source, self._blob(source, digest), digest)


def _digest(descriptor: Json) -> str:
    text = str(descriptor.get("digest", ""))
    if not re.fullmatch(r"sha256:[0-9a-f]{64}", text):
        raise LayerError(f"the image names a blob by {text or 'nothing'}: only sha256 is known here")
    return text.removeprefix("sha256:")


async def _json(source: Source, url: str, digest: str, headers: Mapping[str, str] | None = None) -> Json:
    try:
        response = await source.get(url, headers=headers)
    except OSError as e:
        raise LayerError(f"{url}: {e.strerror or e}") from None
    return _checked_json(response.data, response.status, url, digest)


def _checked_json(data: bytes, status: int, url: str, digest: str) -> Json:
    if status != 200:
        raise LayerError(f"{url}: the server says {status}")
    if len(data) > MAX_JSON_BYTES:
        raise LayerError(f"{url}: {len(data)} bytes are too many for a document")
    if digest and hashlib.sha256(data).hexdigest() != digest:
        raise LayerError(f"{url} has other bytes than its name says: sha256 differs")
    try:
        value = json.loads(data)
    except ValueError as e:
        raise LayerError(f"{url} is no JSON ({e})") from None
    if not isinstance(value, dict):
        raise LayerError(f"{url} is no JSON object")
    return value
