"""Installed in the page, from other origins: an image of an OCI registry, Debian packages of a mirror; and bad ones.

The registry wants an anonymous token, keeps its blobs on a second server behind a redirect, and has an image for two
machines whose layers are zstd and gzip with whiteouts. Follows the OCI distribution and image specifications, RFC 8878
(a frame of raw blocks), the Debian repository format, the Fetch standard (CORS).
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import lzma
import subprocess
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import debian
import pytest

from tests.unit.test_providers import tar
from tidemark_py.dev import layer_build
from tidemark_py.dev.apt import Archive
from tidemark_py.layers import Layer

from .conftest import SERVED, Page
from .outside import Outside, Request, Service

pytestmark = [pytest.mark.page, pytest.mark.slow]
CORS = {"Access_Control_Allow_Origin": "*", "Access_Control_Allow_Headers": "*, Authorization"}
CORS |= {"Access_Control_Expose_Headers": "*, WWW-Authenticate"}
MEDIA = "application/vnd.oci.image"
EACH = "find bin/ etc opt usr var -type f 2>/dev/null | sort | xargs sha256sum"
TREE = f"cd /; {EACH} | wc -l; ({EACH}; ls -lR bin/ etc usr var) 2>&1 | sha256sum"
PROVIDERS = """
from tidemark_py.sdk.providers import Debian, Lock, MemoryCache, OciRegistry, WebSource, install

async def sh(rt, script):
    done = await rt.run(["busybox", "sh", "-c", script], env={"PATH": "/usr/bin:/bin"}, timeout=240)
    return done.stdout.decode() + done.stderr.decode()

async def refused(provider=None, **more):
    rt = await new_runtime()
    before = await rt.fs.readdir("/")
    try:
        await install(rt.fs, provider, cache=MemoryCache(), **more)
        return "not refused"
    except tm.LayerError as e:
        return str(e) if before == await rt.fs.readdir("/") else "half applied"
    finally:
        rt.close()
"""


@pytest.fixture
def outsides() -> Iterator[list[Outside]]:
    """Two servers: two origins."""
    made = [Outside(), Outside()]
    yield made
    for each in made:
        each.shutdown()
        each.server_close()


def zstd(data: bytes) -> bytes:
    """A frame of raw blocks."""
    frame = b"\x28\xb5\x2f\xfd\xa0" + len(data).to_bytes(4, "little")
    for at in range(0, len(data), 1 << 17):
        block = data[at : at + (1 << 17)]
        frame += (len(block) << 3 | (at + len(block) == len(data))).to_bytes(3, "little") + block
    return frame


def busybox() -> bytes:
    """The program."""
    layer = Layer.load(layer_build.layer_file("deb:busybox-static"))
    return next(layer.body(e) for e in layer.entries() if e.path == "usr/bin/busybox")


class Registry:
    """blobs: by digest. manifest(): its answers by tag."""

    def __init__(self, outsides: list[Outside]) -> None:
        self.front, self.back = outsides
        self.blobs: dict[str, bytes] = {}
        self.tags: dict[str, str] = {}
        self.tokens = 0
        self.with_tokens = True
        self.front.services |= {"/v2/": self.answer, "/token": self.token}
        self.back.services["/blobs/"] = self.blob

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.front.server_port}"

    def put(self, data: bytes, media: str = "", **more: Any) -> dict[str, Any]:
        """A descriptor."""
        digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
        self.blobs[digest] = data
        return {"mediaType": f"{MEDIA}.{media}", "digest": digest, "size": len(data), **more}

    def image(self, tag: str, architecture: str, layers: list[tuple[bytes, str]]) -> None:
        """One for `architecture` and a useless one; layers: (tar, how it is packed)."""
        pack = {"gzip": lambda d: gzip.compress(d, mtime=0), "zstd": zstd}
        diffs = [f"sha256:{hashlib.sha256(data).hexdigest()}" for data, _ in layers]
        config = {"architecture": architecture, "os": "linux", "rootfs": {"type": "layers", "diff_ids": diffs}}
        manifest = {
            "schemaVersion": 2,
            "mediaType": f"{MEDIA}.manifest.v1+json",
            "config": self.put(json.dumps(config).encode(), "config.v1+json"),
            "layers": [self.put(pack[how](data), f"layer.v1.tar+{how}") for data, how in layers],
        }
        row = self.put(json.dumps(manifest).encode(), "manifest.v1+json", platform={"architecture": architecture})
        other = {**row, "digest": "sha256:" + "0" * 64, "platform": {"architecture": "s390x", "os": "linux"}}
        index = {"schemaVersion": 2, "mediaType": f"{MEDIA}.index.v1+json", "manifests": [other, row]}
        self.tags[tag] = self.put(json.dumps(index).encode(), "index.v1+json")["digest"]

    def token(self, r: Request) -> None:
        """To everybody, for what they named."""
        if "scope=repository%3Atide%2Fbox%3Apull" not in r.path:
            return r.answer(403, b"{}", **CORS)
        self.tokens += 1
        return r.answer(200, json.dumps({"token": f"number-{self.tokens}"}).encode(), **CORS)

    def answer(self, r: Request) -> None:
        """Manifests; where blobs are."""
        if r.command == "OPTIONS":
            return r.answer(204, b"", **CORS)
        if self.with_tokens and not r.headers.get("Authorization", "").startswith("Bearer number-"):
            how = f'Bearer realm="{self.base}/token",service="tide",scope="repository:tide/box:pull"'
            return r.answer(401, b"{}", WWW_Authenticate=how, **CORS)
        kind, name = r.path.removeprefix("/v2/tide/box/").split("/")
        if kind == "blobs":
            there = f"http://127.0.0.1:{self.back.server_port}/blobs/{name}"
            return r.answer(307, b"", Location=there, **CORS)
        data = self.blobs.get(self.tags.get(name, name))
        if data is None:
            return r.answer(404, b"{}", **CORS)
        return r.answer(200, data, Content_Type=json.loads(data)["mediaType"], **CORS)

    def blob(self, r: Request) -> None:
        """From the second server."""
        if r.command == "OPTIONS":
            return r.answer(204, b"", **CORS)
        return r.answer(200, self.blobs[r.path.rpartition("/")[2]], **CORS)


def test_an_image_of_a_registry_is_installed_and_its_lockfile_makes_the_same_tree(
    page: Page, outsides: list[Outside]
) -> None:
    registry = Registry(outsides)
    lower = tar([("bin", "usr/bin"), ("opt", None), ("opt/old", b"old"), ("opt/d", None), ("opt/d/x", b"x")])
    program = io.BytesIO(tar([("usr/bin/busybox", busybox()), ("usr/bin/sh", "busybox")]))
    upper = tar([("opt/.wh.old", b""), ("opt/d/.wh..wh..opq", b""), ("opt/d/new", b"new"), ("etc/upper", b"upper")])
    registry.image("latest", "riscv64", [(lower, "gzip"), (executable(program.read()), "zstd"), (upper, "gzip")])
    registry.image("other", "amd64", [(lower, "gzip")])
    provider = f"OciRegistry({registry.base!r}, 'tide/box')"
    out, tree, lock, steps, same = page.run(
        PROVIDERS
        + f"""
rt = await new_runtime()
steps = []
done = await install(rt.fs, {provider}, cache=MemoryCache(), progress=lambda p: steps.append(p.step))
out = await sh(rt, "cd /opt; busybox find . | sort; cat d/new /etc/upper")
tree = await sh(rt, {TREE!r})
rt.close()
two = await new_runtime()
again = await install(two.fs, lock=Lock.loads(done.lock.dumps()), cache=MemoryCache())
same = [await sh(two, {TREE!r}) == tree, again.lock == done.lock, again.fetched == done.fetched > 100000]
two.close()
[out, tree, done.lock.dumps(), sorted(set(steps)), same]
""",
        280,
    )
    assert out == ".\n./d\n./d/new\nnewupper" and int(tree.split()[0]) == 4  # bin/ shows busybox again
    assert steps == ["apply", "fetch", "plan", "resolve", "verify"] and same == [True, True, True]
    assert len(json.loads(lock)["items"]) == 3 and registry.tokens == 3  # resolving; fetching; the lockfile's fetching

    # what is wrong is named, and nothing is applied
    big = max(registry.blobs, key=lambda d: len(registry.blobs[d]))
    good = registry.blobs[big]
    registry.blobs[big] = good[:5000] + b"!" + good[5001:]
    said = page.run(PROVIDERS + f"[await refused({provider}), await refused(lock=Lock.loads({lock!r}))]", 280)
    assert all("other bytes than expected" in each for each in said), said
    registry.blobs[big] = good[:5000]
    (said,) = page.run(PROVIDERS + f"[await refused({provider})]", 280)
    assert "5000 bytes" in said
    registry.blobs[big] = good
    said = page.run(
        PROVIDERS
        + f"""
[await refused(OciRegistry({registry.base!r}, 'tide/box', tag)) for tag in ("other", "none")] + [
    await refused(OciRegistry({registry.base!r}, 'tide/secret'))]
""",
        280,
    )
    assert "only for amd64, s390x" in said[0] and "404" in said[1], said
    registry.front.services["/token"] = lambda r: r.answer(403, b"{}", **CORS)
    (said,) = page.run(PROVIDERS + f"[await refused({provider})]", 280)
    assert "no token to everybody" in said


def executable(data: bytes) -> bytes:
    """The tar with everything executable."""
    import tarfile

    out = io.BytesIO()
    with tarfile.open(fileobj=io.BytesIO(data)) as old, tarfile.open(fileobj=out, mode="w") as new:
        for m in old:
            m.mode = 0o755
            new.addfile(m, old.extractfile(m) if m.isreg() else None)
    return out.getvalue()


def cors_files(folder: Path, prefix: str) -> Service:
    """The files of a folder, to pages of every origin."""

    def serve(r: Request) -> None:
        path = folder / r.path.removeprefix(prefix)
        if r.command == "OPTIONS":
            r.answer(204, b"", **CORS)
        elif ".." in path.parts or not path.is_file():
            r.answer(404, b"", **CORS)
        else:
            r.answer(200, path.read_bytes(), **CORS)

    return serve


def mirror(where: Path, names: list[str]) -> None:
    """Debian's own packages of these names with what they need, as a mirror of one suite."""
    archive = Archive("riscv64")
    packages = archive.resolve(names)
    stanzas = []
    (where / "pool").mkdir(parents=True)
    for deb in archive.download(packages).values():
        data = deb.read_bytes()
        (where / "pool" / deb.name).write_bytes(data)
        control = subprocess.run(["dpkg-deb", "-f", str(deb)], check=True, capture_output=True, text=True).stdout
        digest = hashlib.sha256(data).hexdigest()
        stanzas.append(f"{control.rstrip()}\nFilename: pool/{deb.name}\nSize: {len(data)}\nSHA256: {digest}\n")
    index = lzma.compress("\n".join(stanzas).encode())
    (where / "dists/trixie/main/binary-riscv64").mkdir(parents=True)
    (where / "dists/trixie/main/binary-riscv64/Packages.xz").write_bytes(index)
    row = f" {hashlib.sha256(index).hexdigest()} {len(index)} main/binary-riscv64/Packages.xz\n"
    (where / "dists/trixie/Release").write_text(f"Suite: stable\nSHA256:\n{row}")


def python_debian() -> bytes:
    """What micropip.install("python-debian") brings, from this machine."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as z:
        for path in Path(debian.__path__[0]).rglob("*.py"):
            z.write(path, f"debian/{path.relative_to(debian.__path__[0])}")
    return out.getvalue()


def test_debian_packages_are_resolved_in_the_page_from_a_mirror_on_another_origin(
    page: Page, outsides: list[Outside], tmp_path: Path
) -> None:
    mirror(tmp_path, ["hello", "busybox-static", "libc6"])
    (SERVED / "python-debian.zip").write_bytes(python_debian())
    outsides[0].services["/debian/"] = cors_files(tmp_path, "/debian/")
    at = f"http://127.0.0.1:{outsides[0].server_port}/debian"
    out, tree, names, same = page.run(
        PROVIDERS
        + f"""
import pyodide_js
pyodide_js.unpackArchive(await (await js.fetch("python-debian.zip")).arrayBuffer(), "zip")
rt = await new_runtime()
done = await install(rt.fs, Debian({at!r}, ["hello", "busybox-static"]), cache=MemoryCache())
out = await sh(rt, "hello; grep '^Package: ' /var/lib/dpkg/status | sort")
tree = await sh(rt, {TREE!r})
rt.close()
two = await new_runtime()
again = await install(two.fs, lock=Lock.loads(done.lock.dumps()), cache=MemoryCache())
same = [await sh(two, {TREE!r}) == tree, again.lock == done.lock]
two.close()
[out, tree, [i.name for i in done.lock.items], same]
""",
        280,
    )
    assert out.startswith("Hello, world!\nPackage: busybox-static\n") and "Package: hello\n" in out, out
    assert {"hello", "busybox-static", "libc6"} <= set(names) and same == [True, True] and int(tree.split()[0]) > 300

    # a mirror that lies, one that is slow, one without CORS: said in one sentence, nothing applied
    deb = next((tmp_path / "pool").glob("hello_*"))
    data = deb.read_bytes()
    deb.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    wanted = f"Debian({at!r}, ['hello'])"
    (said,) = page.run(PROVIDERS + f"[await refused({wanted})]", 280)
    assert "hello" in said and "other bytes than expected" in said
    packages = tmp_path / "dists/trixie/main/binary-riscv64/Packages.xz"
    index = packages.read_bytes()
    packages.write_bytes(lzma.compress(lzma.decompress(index) + b"\nPackage: more\n"))
    (said,) = page.run(PROVIDERS + f"[await refused({wanted})]", 280)
    assert "Packages" in said, said
    packages.write_bytes(index)
    deb.write_bytes(data)
    outsides[1].services["/debian/"] = lambda r: time.sleep(5)
    slow = f"http://127.0.0.1:{outsides[1].server_port}/debian"
    outsides[1].services["/closed/"] = lambda r: r.answer(200, b"Suite: stable\n")
    closed = f"http://127.0.0.1:{outsides[1].server_port}/closed"
    said = page.run(
        PROVIDERS
        + f"""
[await refused(Debian({slow!r}, ["hello"]), source=WebSource(seconds=0.5)),
 await refused(Debian({closed!r}, ["hello"])), await refused(Debian({at!r}, ["no-such-package"]))]
""",
        280,
    )
    assert "no whole answer within 0.5 s" in said[0] and "CORS" in said[1] and "no-such-package" in said[2], said
