"""Kept directories (rt.fs.keep): over a new runtime, in two tabs at once, after a killed tab, at the quota."""

from __future__ import annotations

import pytest

from .conftest import Page

pytestmark = pytest.mark.page


def test_what_is_kept_is_there_again_and_only_one_may_write_it(page: Page) -> None:
    assert page.run(
        """
        rt = await busybox(await new_runtime())
        out = [await rt.fs.keep("/root", "one")]
        show = "stat -c '%i %a %h %s' d d/f"
        script = "cd /root; mkdir d; echo text >d/f; ln d/f g; ln -s f d/l; chmod 750 d; sync; " + show
        done = await rt.run(["sh", "-c", script], timeout=30)
        assert not done.stderr, done.stderr
        other = await busybox(await new_runtime())
        try:
            await other.fs.keep("/root", "one")
        except OSError as e:
            out.append("another tab" in str(e))
        out.append(await other.fs.keep("/root", "one", read_only=True))
        seen = await other.run(["sh", "-c", "cd /root; cat d/l g; echo more > g"], timeout=30)
        out += [seen.stdout.decode(), b"Read-only" in seen.stderr]
        await other.fs.unmount("/root")
        await rt.fs.write_file("/root/late", b"not synced by anybody")
        await rt.fs.unmount("/root")
        rt.close()
        out.append(await other.fs.keep("/root", "one"))
        again = await other.run(["sh", "-c", "cd /root; " + show + "; cat d/l g late"], timeout=30)
        out += [again.stdout.startswith(done.stdout), again.stdout[len(done.stdout):].decode()]
        other.close()
        out
    """
    ) == [True, True, False, "text\ntext\n", True, False, True, "text\ntext\nnot synced by anybody"]


def test_a_new_one_starts_with_what_the_directory_had_and_a_forgotten_one_is_new(page: Page) -> None:
    assert page.run(
        """
        rt = await busybox(await new_runtime())
        await rt.fs.write_files({"/home/dir/file": b"from the layer"})
        out = [await rt.fs.keep("/home", "two"), (await rt.fs.read_file("/home/dir/file")).decode()]
        try:
            await rt.fs.forget_kept("two")
        except OSError as e:
            out.append("another" in str(e))
        await rt.fs.unmount("/home")
        await rt.fs.forget_kept("two")
        out.append(await rt.fs.keep("/home", "two"))
        rt.close()
        out
    """
    ) == [True, "from the layer", True, True]
