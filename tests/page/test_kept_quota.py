"""A kept directory when the browser has no more room: ENOSPC, what was kept stays, and it goes on when there is."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tidemark_py.dev import layer_build, oci_build
from tidemark_py.layers import Layer

from .store_page import StorePage

pytestmark = [pytest.mark.page, pytest.mark.slow]
START = """
rt = await new_runtime()
await install(rt.fs, Oci("/image"))
async def sh(script):
    done = await rt.run(["sh", "-c", script], timeout=200)
    return [done.returncode, done.stdout.decode(), done.stderr.decode()]
"""


def test_the_quota_is_enospc_and_nothing_kept_is_lost(tmp_path: Path) -> None:
    oci_build.write_image(Layer.load(layer_build.layer_file("deb:busybox-static")), tmp_path / "image")
    with StorePage(tmp_path, {"/image": tmp_path / "image"}) as store:
        life = store.life()
        life.page.call("Storage.overrideQuotaForOrigin", origin=store.server.origin, quotaSize=120e6)
        life.python(START + 'await rt.fs.keep("/root", "full")')
        fill = "cd /root; echo kept > first; sync; dd if=/dev/urandom of=big bs=1M count=200; ls -l big; df -k /root"
        _, out, problems = json.loads(life.python(f"json.dumps(await sh({fill!r}))"))
        print(out, problems)
        assert "No space left on device" in problems, problems
        again = "cd /root; sync; rm big; echo more > second; sync; cat first second"
        assert json.loads(life.python(f"json.dumps(await sh({again!r}))"))[1] == "kept\nmore\n"
        life.crash()
        life = store.life()
        life.python(START + 'await rt.fs.keep("/root", "full")')
        assert json.loads(life.python("""json.dumps(await sh("cd /root; cat first second; ls"))"""))[1].startswith(
            "kept\nmore\n"
        )
        life.crash()
