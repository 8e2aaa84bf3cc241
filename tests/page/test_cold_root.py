"""A root of 300 MB in an OCI image directory on a plain static server: a prompt after a small part of it (slow)."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tidemark_py.dev import layer_build, oci_build
from tidemark_py.layers import Layer

from .store_page import StorePage

pytestmark = [pytest.mark.page, pytest.mark.slow]
SPEC = "deb:dash,bash,coreutils,grep,sed,findutils,libc-bin,golang-go"
MOST_BYTES = 15_000_000


def test_a_shell_of_a_300_mb_image_starts_with_a_twentieth_of_it(tmp_path: Path) -> None:
    layer = Layer.load(layer_build.layer_file(SPEC))
    sizes = oci_build.write_image(layer, tmp_path / "image")
    assert layer.blob_bytes > 300_000_000
    with StorePage(tmp_path, {"/image": tmp_path / "image"}) as store:
        life = store.life()
        times = life.python("""
            rt = await new_runtime()
            started = js.performance.now()
            done = await install(rt.fs, Oci("/image"))
            p = await rt.spawn(["bash", "--norc", "-i"], tty=True, env={"PS1": "ready> ", "PATH": "/usr/bin"})
            seen = b""
            while b"ready> " not in seen:
                seen += await asyncio.wait_for(p.stdout.read(4096), 120)
            json.dumps([started, js.performance.now(), done.entries, done.fetched, done.lock.dumps()])
        """)
        started, prompt, entries, fetched, lock = json.loads(times)
        sent = store.sent("/image")
        print(
            f"image: tar {sizes['tar']:,}, on the server {sizes['compressed']:,}, index {sizes['index']:,} bytes; "
            f"{entries} files. Prompt {prompt:.0f} ms after the page's first byte, {prompt - started:.0f} ms after the "
            f"runtime; {sent:,} bytes of the image were sent, {fetched:,} of them the index"
        )
        assert entries == layer.manifest["entries"] and sent < MOST_BYTES
        again = life.python(f"""
            two = await new_runtime()
            done = await install(two.fs, lock=Lock.loads({lock!r}))
            same = await two.run(["bash", "-c", "cd /usr/bin && sha256sum [a-d]*"], timeout=200)
            first = await rt.run(["bash", "-c", "cd /usr/bin && sha256sum [a-d]*"], timeout=200)
            rt.close(), two.close()
            equal = [done.lock.dumps() == {lock!r}, same.stdout == first.stdout, len(same.stdout) > 500]
            json.dumps([*equal, done.fetched])
        """)
        assert json.loads(again) == [True, True, True, 0]  # the index came from the browser's cache
