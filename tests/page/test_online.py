"""Debian's git, apt, pip, npm, ssh in Chromium: servers on loopback behind a relay, or in a second machine."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, Self

import pytest

from tidemark_py.dev import layer_build
from tidemark_py.dev.apt import Archive

from .conftest import PREAMBLE, Page
from .outside import Outside, Service, files, git_backend, npm_registry, running_relay, tar_gz, wheel
from .test_packages import serve

pytestmark = [pytest.mark.page, pytest.mark.slow]
SECONDS = 1500  # a test's limit; they take 5 to 60 s on a quiet machine
APT = "apt,dpkg,tar,perl-base,diffutils,findutils,gzip,debconf,init-system-helpers,gpg,gpg-agent,"
BASE = "dash,coreutils,grep,sed,libc-bin,base-files,base-passwd"

ONLINE = """
from tidemark_py.net.wisp import WispBackend

async def machine(layer):
    rt = await new_runtime()
    await rt.fs.apply_layer(await tm.layers.fetch(layer))
    return rt

async def online(layer):
    rt = await machine(layer)
    for name in ("git.test", "mirror.test", "index.test", "registry.test"):
        rt.net.hosts[name] = "127.0.0.1"
        rt.net.policy.allow(name, ports=[{port}])
    await rt.net.use(WispBackend({relay!r}))
    return rt

async def sh(rt, script, **options):
    env = {{"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", "LC_ALL": "C.UTF-8", "TERM": "dumb"}}
    done = await rt.run(["sh", "-c", "exec 2>&1\\n" + script], env=env, timeout={seconds} - 60, **options)
    return [done.returncode, done.stdout.decode("utf-8", "replace")]

def denied(rt):
    return [[e.what, e.host, e.port] for e in rt.net.policy.log if not e.allowed and e.what != "socket"]
"""


@pytest.fixture(scope="module")
def relay() -> Iterator[str]:
    """A wisp relay's address."""
    with running_relay() as url:
        yield url


@pytest.fixture
def outside() -> Iterator[Outside]:
    """Servers, none yet."""
    made = Outside()
    yield made
    made.shutdown()
    made.server_close()


def layer(packages: str) -> str:
    """The served name of a slim layer."""
    return serve(layer_build.layer_file(f"deb:{packages}", layer_build.Options(slim=True)))


def run(page: Page, relay: str, outside: Outside, code: str) -> Any:
    """The code's last value, with ONLINE's helpers. It runs by itself: WebDriver waits two minutes at most."""
    whole = PREAMBLE + ONLINE.format(relay=relay, port=outside.server_port, seconds=SECONDS) + code
    start = f"builtins.work = asyncio.ensure_future(eval_code_async({whole!r}, {{}}))"
    page.run(f"from pyodide.code import eval_code_async\n{start}\n0")
    while not page.run("(await asyncio.wait({builtins.work}, timeout=5))[0] and True", 100):
        pass
    return page.run("builtins.work.result()")


class Guest:
    """A machine with these packages that reaches `outside` through the relay; it lives until the block ends."""

    def __init__(self, page: Page, relay: str, outside: Outside, packages: str) -> None:
        self.do = partial(run, page, relay, outside)
        self.layer = layer(packages)

    def __enter__(self) -> Self:
        self.do(f"builtins.guest = await online({self.layer!r}); 0")
        return self

    def __exit__(self, *_: object) -> None:
        self.do("builtins.guest.close(); 0")

    def sh(self, script: str) -> tuple[int, str]:
        """Exit code and all output."""
        code, out = self.do(f"await sh(builtins.guest, {script!r})")
        return code, out

    def write(self, path: str, text: str) -> None:
        """A file."""
        self.do(f"await builtins.guest.fs.write_file({path!r}, {text!r}.encode()); 0")

    def read(self, path: str) -> str:
        """A file."""
        return str(self.do(f"(await builtins.guest.fs.read_file({path!r})).decode()"))

    def denied(self) -> list[list[Any]]:
        """What the policy refused."""
        return list(self.do("denied(builtins.guest)"))


def test_git_clones_and_pushes_over_smart_http(page: Page, relay: str, outside: Outside, tmp_path: Path) -> None:
    """A repository of the host's: cloned, fetched from again, pushed to by who has the password and by nobody else."""
    outside.services["/git/"] = git_backend(tmp_path, "/git/", "somebody", "secret")

    def git(*args: str) -> str:
        command = ["git", "-c", "user.name=H", "-c", "user.email=h@host.test", *args]
        return subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, text=True).stdout

    git("init", "-q", "--bare", "-b", "main", "one.git")
    git("init", "-q", "-b", "main", "work")
    for n in range(60):
        (tmp_path / "work" / f"file{n}").write_text(f"line {n}\n" * (n * 40))
    git("-C", "work", "add", ".")
    git("-C", "work", "commit", "-q", "-m", "from the host")
    git("-C", "work", "push", "-q", "../one.git", "main")
    head = git("-C", "one.git", "rev-parse", "main").strip()
    base = f"git.test:{outside.server_port}/git"
    at, known = f"http://{base}/one.git", f"http://somebody:secret@{base}/one.git"
    with Guest(page, relay, outside, "git,ca-certificates," + BASE) as guest:
        code, out = guest.sh(f"""
cd /root && git config --global user.name Guest && git config --global user.email g@guest.test || exit 1
git clone -q {at} one || exit 2
cd one && git fsck --full || exit 3
echo "cloned $(git rev-parse HEAD) $(ls | wc -l)"
echo from the guest > guest && git add guest && git commit -q -m 'from the guest' || exit 4
head -c 3000000 /dev/urandom > big && git add big && git commit -q -m big || exit 5
GIT_TERMINAL_PROMPT=0 git push -q origin main && exit 6
git push -q {known} main || exit 7
git fetch -q origin && echo "pushed $(git rev-parse origin/main) $(sha256sum < big)"
git clone -q --depth 1 {at} two && ls two | wc -l
git ls-remote http://{base}/none.git; echo "none $?"
""")
        refused = guest.denied()
    assert code == 0, out
    pushed = git("-C", "one.git", "rev-parse", "main").strip()
    big = git("-C", "one.git", "log", "--format=%an %s", "-2", "main")
    assert big == "Guest big\nGuest from the guest\n"
    assert f"cloned {head} 60\n" in out and f"pushed {pushed} " in out and "none 128" in out, out
    assert "could not read Username" in out, out
    git("-C", "one.git", "fsck", "--full")
    assert not refused


SIGN = """
mkdir -p -m 700 /root/.gnupg /etc/apt/keyrings && cd /root || exit 1
gpg --batch --quiet --passphrase '' --quick-generate-key 'Mirror <mirror@mirror.test>' ed25519 sign 1d || exit 2
printf 'Origin: test\\nDate: %s\\nSHA256:\\n %s %s Packages\\n' "$(date -Ru)" \\
  "$(sha256sum Packages | cut -d' ' -f1)" "$(stat -c %s Packages)" > Release
gpg --batch --clearsign -o InRelease Release && gpg --batch --export --armor > /etc/apt/keyrings/mirror.asc
"""
INSTALL_HELLO = """
rm -rf /etc/apt/sources.list.d/*
echo 'deb [signed-by=/etc/apt/keyrings/mirror.asc] http://mirror.test:{port}/debian/ ./' > /etc/apt/sources.list
export DEBIAN_FRONTEND=noninteractive
apt-get -q update && apt-get -q install -y hello || exit 1
hello && dpkg -l hello | grep '^ii' && dpkg -L hello | grep bin/hello && apt-cache policy hello
"""


def test_apt_get_update_and_install_from_a_signed_mirror(
    page: Page, relay: str, outside: Outside, tmp_path: Path
) -> None:
    """Debian's own hello from a mirror signed by the guest's gpg; a mirror that lies and one not signed are refused."""
    archive = Archive("riscv64")
    hello = next(p for p in archive.resolve(["hello"]) if p.name == "hello")
    deb = archive.download([hello])[hello]
    body = deb.read_bytes()
    (tmp_path / "hello.deb").write_bytes(body)
    control = subprocess.run(["dpkg-deb", "-f", str(deb)], check=True, capture_output=True, text=True).stdout
    import hashlib

    digest = hashlib.sha256(body).hexdigest()
    index = f"{control.rstrip()}\nFilename: ./hello.deb\nSize: {len(body)}\nSHA256: {digest}\n\n"
    (tmp_path / "Packages").write_text(index)
    outside.services["/debian/"] = files(tmp_path, "/debian/")
    with Guest(page, relay, outside, APT + BASE) as guest:
        guest.write("/root/Packages", index)
        code, out = guest.sh(SIGN)
        assert code == 0, out
        (tmp_path / "InRelease").write_text(guest.read("/root/InRelease"))
        code, out = guest.sh(INSTALL_HELLO.format(port=outside.server_port))
        assert code == 0, out
        assert "Hello, world!\n" in out and f"ii  hello          {hello.version}" in out, out
        assert "/usr/bin/hello" in out, out
        assert not guest.denied()
        (tmp_path / "Packages").write_text(index.replace("Size: ", "Size: 1"))
        (tmp_path / "unsigned").mkdir()
        (tmp_path / "unsigned" / "Packages").write_text(index)
        code, out = guest.sh(f"""
rm -rf /var/lib/apt/lists/*
apt-get -q update -o APT::Update::Error-Mode=any; echo "lies $?"
echo 'deb http://mirror.test:{outside.server_port}/debian/unsigned/ ./' > /etc/apt/sources.list
apt-get -q update; echo "unsigned $?"
""")
    assert "lies 100" in out and "unexpected size" in out, out
    assert "unsigned 100" in out and "does not have a Release file" in out, out


SETUP = {
    "tideext-1.0/PKG-INFO": "Metadata-Version: 2.1\nName: tideext\nVersion: 1.0\n",
    "tideext-1.0/pyproject.toml": '[build-system]\nrequires = ["setuptools"]\nbuild-backend = "setuptools.build_meta"\n'
    '[project]\nname = "tideext"\nversion = "1.0"\ndependencies = ["tidepure"]\n',
    "tideext-1.0/setup.py": "from setuptools import Extension, setup\n"
    'setup(ext_modules=[Extension("tideext", ["tideext.c"])])\n',
    "tideext-1.0/tideext.c": """
#define PY_SSIZE_T_CLEAN
#include <Python.h>
static PyObject *answer(PyObject *self, PyObject *args) { return PyLong_FromLong(sizeof(void *) * 8); }
static PyMethodDef methods[] = {{"answer", answer, METH_NOARGS, "bits of a pointer"}, {0}};
static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "tideext", 0, -1, methods};
PyMODINIT_FUNC PyInit_tideext(void) { return PyModule_Create(&module); }
""",
}
PIP = """
export PIP_INDEX_URL=http://index.test:{port}/simple/ PIP_TRUSTED_HOST=index.test PIP_NO_CACHE_DIR=1
export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore PIP_PROGRESS_BAR=off PIP_BREAK_SYSTEM_PACKAGES=1
"""


def simple_index(folder: Path) -> Service:
    """Of a pure wheel and an sdist with a C extension, and of the setuptools that builds it (Debian's wheel)."""
    (folder / "tidepure").mkdir()
    made = wheel("tidepure", {"tidepure.py": "def said():\n    return 'from a wheel'\n"})
    (folder / "tidepure" / "tidepure-1.0-py3-none-any.whl").write_bytes(made)
    (folder / "tideext").mkdir()
    (folder / "tideext" / "tideext-1.0.tar.gz").write_bytes(tar_gz(SETUP))
    archive = Archive("riscv64")
    package = next(p for p in archive.resolve(["python3-setuptools-whl"]) if p.name == "python3-setuptools-whl")
    subprocess.run(["dpkg-deb", "-x", str(archive.download([package])[package]), str(folder / "deb")], check=True)
    (folder / "setuptools").mkdir()
    (found,) = (folder / "deb").rglob("setuptools-*.whl")
    found.rename(folder / "setuptools" / found.name)
    return files(folder, "/simple/")


def test_pip_installs_a_wheel(page: Page, relay: str, outside: Outside, tmp_path: Path) -> None:
    """From an index on loopback; what it has not is pip's own error."""
    outside.services["/simple/"] = simple_index(tmp_path)
    script = PIP.format(port=outside.server_port) + (
        "pip install tidepure || exit 1\npython3 -c 'import tidepure; print(tidepure.said())'\n"
        'pip list | grep tidepure\npip install nosuchpackage; echo "none $?"\n'
    )
    with Guest(page, relay, outside, "python3-pip,ca-certificates," + BASE) as guest:
        code, out = guest.sh(script)
        refused = guest.denied()
    assert code == 0, out
    assert "Successfully installed tidepure-1.0" in out and "\nfrom a wheel\n" in out and "none 1" in out, out
    assert not refused


def test_pip_builds_an_sdist_with_a_c_extension(page: Page, relay: str, outside: Outside, tmp_path: Path) -> None:
    """In a build environment of its own: setuptools from the index, gcc in the guest; then its dependency."""
    outside.services["/simple/"] = simple_index(tmp_path)
    script = PIP.format(port=outside.server_port) + (
        "pip install -v tideext || exit 1\n"
        "python3 -c 'import tideext, tidepure; print(\"bits\", tideext.answer(), tidepure.said())'\n"
    )
    with Guest(page, relay, outside, "python3-pip,python3-dev,gcc,libc6-dev,ca-certificates," + BASE) as guest:
        code, out = guest.sh(script)
    assert code == 0, out
    assert "Successfully built tideext" in out and "\nbits 64 from a wheel\n" in out, out


def test_npm_installs_a_package_and_its_dependency(page: Page, relay: str, outside: Outside) -> None:
    """From a registry on loopback, with a lockfile, integrity checked, its script run; a changed tarball is refused."""
    small = {"name": "tide-small", "version": "1.0.0", "main": "i.js", "dependencies": {"tide-base": "^1.0.0"}}
    small["bin"] = {"tide-small": "cli.js"}
    base = {"name": "tide-base", "version": "1.0.0", "scripts": {"postinstall": "node -p 2+3 > ran"}}
    packages = {
        "tide-small": tar_gz(
            {
                "package/package.json": json.dumps(small),
                "package/i.js": "module.exports = () => 'small on ' + require('tide-base');\n",
                "package/cli.js": "#!/usr/bin/env node\nconsole.log(require('./i.js')());\n",
            }
        ),
        "tide-base": tar_gz(
            {"package/package.json": json.dumps(base), "package/index.js": "module.exports = 'base';\n"}
        ),
    }
    outside.services["/npm/"] = npm_registry(packages, "/npm/")
    script = f"""
mkdir -p /root/app && cd /root/app && echo '{{"name": "app", "version": "1.0.0"}}' > package.json || exit 1
printf '%s=false\\n' audit fund update-notifier progress > ~/.npmrc
echo 'registry=http://registry.test:{outside.server_port}/npm/' >> ~/.npmrc
npm install tide-small && node -p 'require("tide-small")()' && node_modules/.bin/tide-small || exit 2
cat node_modules/tide-base/ran package-lock.json && rm -rf node_modules ~/.npm && npm ci || exit 3
node -p 'require("tide-small")()'; npm install tide-none; echo "none $?"
"""
    with Guest(page, relay, outside, "npm,nodejs,ca-certificates," + BASE) as guest:
        code, out = guest.sh(script)
        refused = guest.denied()
    assert code == 0, out
    assert (
        out.count("small on base\n") == 3 and "sha512-" in out and "\n5\n" in out and "none 1" in out and "E404" in out
    ), out
    assert not refused
    assert "GET /npm/tide-base/-/tide-base-1.0.0.tgz" in outside.asked


KEY = "mkdir -p -m 700 /root/.ssh; ssh-keygen -q -t ed25519 -N '' -f /root/.ssh/id; cat /root/.ssh/id.pub"
SSHD = """
mkdir -p /run/sshd /root/.ssh && chmod 700 /root /root/.ssh
ssh-keygen -q -t ed25519 -N '' -f /etc/ssh/host && cat > /root/.ssh/authorized_keys
sed -i 's|^root:[^:]*:|root:x:|; /^root/s|:[^:]*$|:/bin/bash|' /etc/passwd
echo 'Subsystem sftp internal-sftp' > /etc/ssh/conf
/usr/sbin/sshd -f /etc/ssh/conf -h /etc/ssh/host -p 22 -o ListenAddress=127.0.0.1 -o UsePAM=no -o StrictModes=no \\
  -E /tmp/log || exit 1
cat /etc/ssh/host.pub
"""
SSH = """
cd /root && seq 200000 > big && o="-o BatchMode=yes -o IdentityFile=/root/.ssh/id"
ssh $o server.test 'echo "on $(cat /etc/where)"; exit 3'; echo "code $?"
ssh $o server.test md5sum < big; md5sum < big
scp -q $o big server.test:/tmp/copied && ssh $o server.test 'md5sum < /tmp/copied' || exit 1
ssh $o -o UserKnownHostsFile=/dev/null server.test true; echo "unknown $?"
ssh -o BatchMode=yes -o PubkeyAuthentication=no server.test true; echo "keyless $?"
"""


def test_ssh_from_one_machine_to_another_in_the_same_page(page: Page, relay: str, outside: Outside) -> None:
    """The second machine's sshd is the first one's outside: a backend of six lines. Keys, host keys, scp."""
    code, out, refused = run(
        page,
        relay,
        outside,
        f"""
class Machine:
    def __init__(self, rt):
        self.rt = rt
    async def connect(self, host, port):
        return await self.rt.net.connect(port)

name = {layer("openssh-client,openssh-server,bash," + BASE)!r}
client, server = await machine(name), await machine(name)
await server.fs.write_file("/etc/where", b"the second machine")
code, key = await sh(client, {KEY!r})
heard = asyncio.Event()
server.net.on_listen(lambda port: heard.set())
started, host_key = await sh(server, {SSHD!r}, input=key.encode())
if started:
    raise AssertionError(host_key)
await heard.wait()
known = f"server.test {{host_key.strip().splitlines()[-1]}}\\n"
await client.fs.write_file("/root/.ssh/known_hosts", known.encode())
client.net.policy.allow("server.test", ports=[22], program="/usr/bin/ssh")
await client.net.use(Machine(server))
got = await sh(client, {SSH!r})
log = denied(client)
client.close()
server.close()
[got[0], key + host_key + got[1], log]
""",
    )
    assert code == 0, out
    assert "on the second machine\ncode 3\n" in out and "unknown 255" in out and "keyless 255" in out, out
    sums = [line.split()[0] for line in out.splitlines() if line.endswith("  -")]
    assert len(sums) == 3 and len(set(sums)) == 1, out
    assert not refused
