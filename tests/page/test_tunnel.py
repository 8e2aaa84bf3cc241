"""curl, git and python's urllib in a guest through a wisp tunnel to servers on loopback, with certificates checked."""

from __future__ import annotations

import http.server
import ssl
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from tidemark_py.dev import layer_build

from .conftest import Page
from .outside import running_relay
from .test_packages import serve

pytestmark = [pytest.mark.page, pytest.mark.slow]
SPEC = "deb:curl,openssl,ca-certificates,git,dash,coreutils"
BODY = bytes(range(256)) * 4096


@pytest.fixture(scope="module")
def relay() -> Iterator[str]:
    """A wisp server that may reach loopback: its WebSocket's address."""
    with running_relay() as url:
        yield url


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the servers serve."""
    folder = tmp_path_factory.mktemp("served")
    (folder / "hello.txt").write_text("hello over the tunnel\n")
    (folder / "big.bin").write_bytes(BODY)
    return folder


def start(files: Path, tls: ssl.SSLContext | None = None) -> http.server.ThreadingHTTPServer:
    """A server in a thread."""
    handler = partial(http.server.SimpleHTTPRequestHandler, directory=str(files))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


CERTIFICATE = """
cd /tmp && openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout key.pem -out cert.pem \
  -days 2 -subj /CN=server.test -addext subjectAltName=DNS:server.test 2>/tmp/said || cat /tmp/said
"""


def test_curl_over_http_and_https(page: Page, relay: str, files: Path, tmp_path: Path) -> None:
    """Names go to the relay, certificates are checked in the guest, what the policy does not allow stays inside."""
    layer = serve(layer_build.layer_file(SPEC, layer_build.Options(slim=True)))
    plain = start(files)
    made = page.run(
        f"""
rt = builtins.tunnel = await new_runtime()
await rt.fs.apply_layer(await tm.layers.fetch({layer!r}))
done = await rt.run(["sh", "-c", {CERTIFICATE!r}], timeout=120)
[done.returncode, (await rt.fs.read_file("/tmp/cert.pem")).decode(), (await rt.fs.read_file("/tmp/key.pem")).decode()]
""",
        180,
    )
    assert made[0] == 0
    (tmp_path / "both.pem").write_text(made[1] + made[2])
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(tmp_path / "both.pem")
    secure = start(files, tls)
    got = page.run(
        f"""
from tidemark_py.net.wisp import WispBackend
rt = builtins.tunnel
rt.net.hosts["server.test"] = "127.0.0.1"
await rt.net.use(WispBackend({relay!r}))
rt.net.policy.allow("server.test", ports=[{plain.server_port}, {secure.server_port}])
async def curl(*args):
    done = await rt.run(["curl", "-sS", "--max-time", "30", *args], timeout=60)
    return [done.returncode, done.stdout, done.stderr.decode()]
http, https = "http://server.test:{plain.server_port}", "https://server.test:{secure.server_port}"
t = time.perf_counter()
big = await curl(http + "/big.bin")
print("MB/s", len(big[1]) / 1e6 / (time.perf_counter() - t))
[await curl(http + "/hello.txt"), big[1] == bytes(range(256)) * 4096,
 await curl(https + "/hello.txt"), await curl("--cacert", "/tmp/cert.pem", https + "/hello.txt"),
 await curl("http://other.test:80/"), await curl("http://server.test:1/"),
 [[e.what, e.host, e.port] for e in rt.net.policy.log if not e.allowed]]
""",
        180,
    )
    hello = b"hello over the tunnel\n"
    assert (got[0][0], bytes(got[0][1])) == (0, hello), got
    assert got[1]
    assert got[2][0] == 60 and "certificate" in got[2][2], got[2]
    assert (got[3][0], bytes(got[3][1])) == (0, hello), got[3]
    assert got[4][0] == 6, got[4]
    assert got[5][0] == 7, got[5]
    assert ["resolve", "other.test", 0] in got[6] and ["connect", "server.test", 1] in got[6]
    plain.shutdown()
    secure.shutdown()
