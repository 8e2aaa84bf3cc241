"""Saved machines under a name of the browser, in a file's handle, and as another project's pytest has them."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from tidemark_py.dev import layer_build

from .conftest import Page
from .other_project import run_pytest

pytestmark = pytest.mark.page
HALF_WAY = """
rt = await busybox(await new_runtime())
script = "seq 1 100000 | sed s/^/n/ | cat"  # more than its pipes hold: it waits for its reader
p = await rt.spawn(["sh", "-c", script], stdout=PIPE)
first = await asyncio.wait_for(p.stdout.readexactly(200), 60)
"""
WHOLE = "".join(f"n{i}\n" for i in range(1, 100001))
TESTS = """
import pytest

pytestmark = [pytest.mark.tidemark_layers({layer!r}), pytest.mark.tidemark_saved({saved!r})]
FIRST, WHOLE = {first!r}, "".join(f"n{{i}}\\n" for i in range(1, 100001))

@pytest.mark.parametrize("time", [1, 2])
def test_a_pipeline_goes_on(tidemark_machine, time):
    rest = tidemark_machine.run('''
        import asyncio
        (p,) = machine.processes()
        (await asyncio.wait_for(p.stdout.read(), 60)).decode()
    ''')
    print("restored in", tidemark_machine.restore_seconds, "s")
    assert FIRST + rest == WHOLE
"""


def test_a_machine_is_saved_under_a_name_and_into_a_handle(page: Page) -> None:
    assert page.run(
        HALF_WAY
        + """
saved = await rt.save(to="half")
folder = await js.navigator.storage.getDirectory()
handle = await folder.getFileHandle("machine.tdm", create=True)
await rt.save(to=handle)
rt.close()
out = []
for each in ("half", handle):
    two = await tm.Runtime.restore(each, layers=[builtins.layer], snapshot=await snapshot_bytes())
    (q,) = two.processes()
    out.append((first + await asyncio.wait_for(q.stdout.read(), 60)).decode())
    two.close()
try:
    await tm.Runtime.restore("no-such-one")
except tm.TidemarkError as e:
    out.append("no-such-one" in str(e))
out
"""
    ) == [WHOLE, WHOLE, True]


@pytest.mark.slow
def test_another_projects_test_restores_it(page: Page, tmp_path: Path) -> None:
    first, saved = page.run(
        HALF_WAY
        + """
import base64
saved = await rt.save()
rt.close()
[first.decode(), base64.b64encode(saved).decode()]
"""
    )
    (tmp_path / "half.tdm").write_bytes(base64.b64decode(saved))
    layer = str(layer_build.layer_file("deb:busybox-static"))
    text = TESTS.format(layer=layer, saved=str(tmp_path / "half.tdm"), first=first)
    (tmp_path / "test_it.py").write_text(text)
    said = run_pytest(tmp_path, "-s", seconds=300)
    assert "2 passed" in said
    print(said, f"{(tmp_path / 'half.tdm').stat().st_size:,} bytes saved")
