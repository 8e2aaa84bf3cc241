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


ROUNDS = 3  # each with a browser of its own, that has seen nothing
# names, kinds, modes, owners, sizes, times, links; not the places where a machine mounts something when it starts
TREE = "cd / && find bin etc home lib opt root sbin srv usr var -printf '%p %y %m %U %G %s %T@ %l\\n' 2>/dev/null"


def test_a_shell_of_a_300_mb_image_starts_with_a_twentieth_of_it(tmp_path: Path) -> None:
    layer = Layer.load(layer_build.layer_file(SPEC))
    sizes = oci_build.write_image(layer, tmp_path / "image")
    assert layer.blob_bytes > 300_000_000
    print(f"image: tar {sizes['tar']:,}, on the server {sizes['compressed']:,}, index {sizes['index']:,} bytes")
    totals: list[float] = []
    for _ in range(ROUNDS):
        with StorePage(tmp_path, {"/image": tmp_path / "image"}) as store:
            totals.append(cold(store, layer, last=len(totals) == ROUNDS - 1))
    print(f"prompt after the page's first byte: best {min(totals):.0f}, median {sorted(totals)[ROUNDS // 2]:.0f} ms")


def cold(store: StorePage, layer: Layer, last: bool) -> float:
    """ms until the prompt. last: its lockfile makes the same tree again."""
    life = store.life()
    times = life.python("""
        times = [js.performance.now()]
        rt = await new_runtime()
        times.append(js.performance.now())
        done = await install(rt.fs, Oci("/image"))
        times.append(js.performance.now())
        p = await rt.spawn(["bash", "--norc", "-i"], tty=True, env={"PS1": "ready> ", "PATH": "/usr/bin"})
        seen = b""
        while b"ready> " not in seen:
            seen += await asyncio.wait_for(p.stdout.read(4096), 120)
        times.append(js.performance.now())
        requests = sum(f.requests for f in rt.fs.fetches.values())
        json.dumps([times, done.entries, done.fetched, done.lock.dumps(), requests])
    """)
    (python, runtime, installed, prompt), entries, fetched, lock, requests = json.loads(times)
    sent = store.sent("/image")
    print(
        f"prompt at {prompt:.0f} ms: Python at {python:.0f}, runtime +{runtime - python:.0f}, {entries} files applied "
        f"+{installed - runtime:.0f}, bash +{prompt - installed:.0f}; {sent:,} bytes of the image were sent, "
        f"{fetched:,} of them documents and index, the rest by {requests} ranges; {store.sent('/') - sent:,} bytes of "
        "page, Python and package"
    )
    assert entries == layer.manifest["entries"] and sent < MOST_BYTES
    if last:
        again = life.python(f"""
            two = await new_runtime()
            done = await install(two.fs, lock=Lock.loads({lock!r}))
            said = []
            for script in ({TREE!r}, "cd /usr/bin && sha256sum [a-d]*"):
                runs = [await each.run(["bash", "-c", script], timeout=280) for each in (rt, two)]
                lines = [r.stdout.decode().splitlines() for r in runs]
                said += [len(lines[0]), sorted(set(lines[0]) ^ set(lines[1]))[:9]]
            rt.close(), two.close()
            json.dumps([*said, done.lock.dumps() == {lock!r}, done.fetched])
        """)
        files, other_files, programs, other_programs, same_lock, fetched = json.loads(again)
        assert (other_files, other_programs, same_lock) == ([], [], True)
        assert files > 17000 and programs > 20 and fetched == 0  # the index came from the browser's cache
    return float(prompt)
