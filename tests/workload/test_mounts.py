"""`run --mount HOSTDIR:GUESTDIR[:ro]` on both hosts: nothing below a read-only one can be changed, all else can."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.workload.conftest import HOSTS, ROOT

WRITES = [
    "echo x > f", "echo x >> f", "echo x > new", "mkdir made", "rmdir d", "rm -f f", "mv f g", "mv d e", "ln f h",
    "ln -s f s", "chmod 600 f", "chown 1:1 f", "touch f", "touch new", "truncate -s 0 f", "mkfifo p", "cp f g",
    "mv f /tmp/f", "dd if=/dev/zero of=f count=1 conv=notrunc", "sed -i s/b/x/ f",
]  # fmt: skip
SCRIPT = f"""cd /ro
for c in {" ".join(f"'{w}'" for w in WRITES)}; do
  if sh -c "$c" 2>/tmp/err; then echo "DONE $c"
  else grep -q 'Read-only file system' /tmp/err || {{ echo "$c:"; cat /tmp/err; }}; fi
done
cat f; ls; grep ' /ro ' /proc/mounts | cut -d' ' -f4 | cut -d, -f1
echo changed > /rw/f; rm /rw/gone; mkdir /rw/sub; echo new > /rw/sub/n; echo inner > /ro/inner/i
mv /rw/f /rw/moved && echo elsewhere > /etc/x && cat /etc/x
"""


@pytest.mark.parametrize("host", HOSTS)
def test_a_read_only_mount_refuses_every_change_and_a_writable_one_keeps_them(host: str, tmp_path: Path) -> None:
    ro, rw, inner = (tmp_path / name for name in ("ro", "rw", "inner"))
    for directory in (ro, ro / "d", ro / "inner", rw, inner):
        directory.mkdir()
    (ro / "f").write_text("body\n")
    (rw / "f").write_text("old\n")
    (rw / "gone").write_text("gone\n")
    command = [sys.executable, str(ROOT / "build.py"), "run", "--host", host, "--layer", "deb:busybox-static",
               "--mount", f"{ro}:/ro:ro", "--mount", f"{rw}:/rw", "--mount", f"{inner}:/ro/inner",
               "--", "busybox", "sh", "-c", SCRIPT]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert (done.stdout, done.returncode) == ("body\nd\nf\ninner\nro\nelsewhere\n", 0), done.stderr
    assert sorted(str(p.relative_to(ro)) for p in ro.rglob("*")) == ["d", "f", "inner"]
    assert (ro / "f").read_text() == "body\n"
    assert sorted(str(p.relative_to(rw)) for p in rw.rglob("*")) == ["moved", "sub", "sub/n"]
    assert (rw / "moved").read_text() == "changed\n"
    assert (inner / "i").read_text() == "inner\n"
