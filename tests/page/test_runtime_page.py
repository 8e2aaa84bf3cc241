"""The runtime in Chromium: boot, processes, streams, terminals, files, both topologies."""

from __future__ import annotations

import pytest

from .conftest import Page

pytestmark = pytest.mark.page


def test_split_and_together_boot_and_run_a_pipeline(page: Page) -> None:
    assert page.run("""
        out = {}
        for topology in ("split", "together"):
            t = time.perf_counter()
            async with await new_runtime(topology=topology) as rt:
                await busybox(rt)
                done = await rt.run(["sh", "-c", "printf hi | cat; exit 3"], timeout=20)
                out[topology] = [done.stdout.decode(), done.returncode]
                print(topology, time.perf_counter() - t)
        out
    """) == {"split": ["hi", 3], "together": ["hi", 3]}
