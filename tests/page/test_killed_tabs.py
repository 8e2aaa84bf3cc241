"""Tabs that are killed at any moment while sqlite, git and redis write to a kept directory lose nothing acknowledged.

$TIDEMARK_KILLS says how many (default 3; 100 is what was promised). Each life looks at what the one before left, then
writes on until its tab is killed; "ack NAME n" is printed when the program that wrote n was told that it is safe.
"""

from __future__ import annotations

import json
import os
import queue
import random
import time
from pathlib import Path

import pytest

from tidemark_py.dev import layer_build, oci_build
from tidemark_py.layers import Layer

from .store_page import Life, StorePage

pytestmark = [pytest.mark.page, pytest.mark.slow]
KILLS = int(os.environ.get("TIDEMARK_KILLS", "3"))
SEED = int(os.environ.get("TIDEMARK_SEED", "8"))
SPEC = "deb:bash,coreutils,sed,grep,sqlite3,git,redis-server,redis-tools,libc-bin"

START = """
rt = await new_runtime()
await install(rt.fs, Oci("/image"))
new = await rt.fs.keep("/root", "killed")
env = {"HOME": "/root", "PATH": "/usr/bin:/bin:/usr/sbin", "GIT_CONFIG_NOSYSTEM": "1"}
"""
# what the tree has: the highest number of each that stands with all below it, or why it does not
LOOK = r"""
cd /root
mkdir -p redis
[ -d repo ] || { git init -q repo && cd repo && git config user.name n && git config user.email e@x &&
  git config core.fsync all && git config gc.auto 0 && cd .. && sync; }
rm -f repo/.git/index.lock repo/.git/HEAD.lock repo/.git/refs/heads/*.lock
sqlite3 db 'create table if not exists t(n integer primary key, body text)'
query='select coalesce(max(n),0), count(*) from t'
echo "sqlite $(sqlite3 db 'pragma integrity_check' "$query")" | tr '\n|' '  '; echo
cd repo
git fsck --strict >/tmp/fsck 2>&1 && echo "git ok $(git rev-list --count HEAD 2>/dev/null || echo 0)" ||
  { echo "git bad"; cat /tmp/fsck; }
cd ..
redis-server --port 6379 --dir /root/redis --appendonly yes --appendfsync always --save '' --daemonize yes >/dev/null
i=0
until redis-cli ping >/tmp/ping 2>&1 && grep -q PONG /tmp/ping; do
  i=$((i+1)); [ $i -gt 600 ] && break; sleep 0.1
done
echo "redis $(redis-cli get last) $(redis-cli dbsize)"
"""
WRITE = r"""
cd /root
n=@sqlite@
( while :; do
  n=$((n+1))
  sqlite3 db "pragma journal_mode=@mode@; insert into t values($n, hex(randomblob(700)))" >/tmp/mode &&
    echo "ack sqlite $n"
done ) &
n=@git@
( cd repo; while :; do n=$((n+1)); echo "line $n" >> f; git add f && git commit -qm "$n" && echo "ack git $n"; done ) &
n=@redis@
while :; do n=$((n+1)); redis-cli <<END >/tmp/said
multi
set k$n $n
set last $n
exec
END
grep -c OK /tmp/said >/tmp/count && [ "$(cat /tmp/count)" -ge 3 ] && echo "ack redis $n"; done
"""


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    where: Path = tmp_path_factory.mktemp("image")
    oci_build.write_image(Layer.load(layer_build.layer_file(SPEC)), where)
    return where


def look(life: Life) -> dict[str, int]:
    """The last number of each; raises AssertionError when something is not whole."""
    out = life.python(
        START
        + f"""
look = await rt.run(["bash", "-c", {LOOK!r}], env=env, timeout=280)
json.dumps([look.stdout.decode(), look.stderr.decode()])
"""
    )
    text, problems = json.loads(out)
    rows = {line.split()[0]: line.split()[1:] for line in text.splitlines() if line}
    said = text + problems
    assert rows.get("sqlite", [])[:1] == ["ok"] and rows["git"][0] == "ok" and len(rows.get("redis", [])) >= 1, said
    last, count = int(rows["sqlite"][1]), int(rows["sqlite"][2])
    assert last == count, said
    redis = [int(n) for n in rows["redis"]]
    last_redis, keys = (0, redis[0]) if len(redis) == 1 else redis
    assert keys == (last_redis + 1 if last_redis else 0), said
    return {"sqlite": last, "git": int(rows["git"][1]), "redis": last_redis}


def write_until_killed(life: Life, have: dict[str, int], mode: str, chance: random.Random) -> dict[str, int]:
    """What was acknowledged before the end."""
    script = WRITE.replace("@mode@", mode)
    for name, n in have.items():
        script = script.replace(f"@{name}@", str(n))
    life.python(f"""
        p = await rt.spawn(["bash", "-c", {script!r}], env=env, stdout=PIPE)
        async def tell():
            while line := await p.stdout.readline():
                js.console.log(line.decode().strip())
        telling = asyncio.ensure_future(tell())
        None
    """)
    acknowledged = dict(have)
    until: float | None = None
    while until is None or time.monotonic() < until:
        try:
            words = life.line(60 if until is None else max(0.01, until - time.monotonic())).split()
        except queue.Empty:
            assert until is not None, "nothing was written for a minute"
            break
        if words[:1] == ["ack"]:
            acknowledged[words[1]] = int(words[2])
            if until is None:
                until = time.monotonic() + chance.uniform(0.0, 4.0)
    life.crash()
    return acknowledged


def test_a_killed_tab_loses_nothing_that_was_acknowledged(image: Path, tmp_path: Path) -> None:
    chance = random.Random(SEED)
    acknowledged = {"sqlite": 0, "git": 0, "redis": 0}
    began = time.monotonic()
    with StorePage(tmp_path, {"/image": image}) as store:
        for kill in range(KILLS + 1):
            life = store.life()
            have = look(life)
            for name, n in acknowledged.items():
                assert have[name] >= n, f"after {kill} kills {name} has {have[name]}, {n} was acknowledged"
            print(f"{kill} kills, {time.monotonic() - began:.0f} s: {have}, acknowledged {acknowledged}", flush=True)
            if kill < KILLS:
                acknowledged = write_until_killed(life, have, chance.choice(["delete", "wal"]), chance)
    assert KILLS == 0 or any(acknowledged.values())
