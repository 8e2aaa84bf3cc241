"""The network in Chromium: the page talks to a guest's server; guests reach out only as the policy says."""

from __future__ import annotations

import socket
import subprocess
import threading
import time

import pytest

from .conftest import Page
from .outside import Outside, Request, free_port, start_relay, stop_relay

pytestmark = pytest.mark.page

BACKEND = '''
class Echo:
    """A way out that never leaves: each host answers with its name, then with what it is told, in capitals."""

    def __init__(self):
        self.asked = []

    async def connect(self, host, port):
        self.asked.append((host, port))
        if host == "closed.example.org":
            import errno
            raise OSError(errno.ECONNREFUSED, "nobody there")
        return Connection(f"{host}:{port}\\n".encode())

class Connection:
    def __init__(self, first):
        self.queue = asyncio.Queue()
        self.queue.put_nowait(first)
    async def read(self):
        return await self.queue.get()
    async def write(self, data):
        self.queue.put_nowait(data.upper())
    async def write_eof(self):
        self.queue.put_nowait(b"")
    async def close(self):
        pass
'''


def test_page_talks_to_a_guests_server(page: Page) -> None:
    """Told when it listens; bytes both ways, half close; refused when nobody listens."""
    assert page.run("""
        rt = await shared_runtime()
        ports = []
        rt.net.on_listen(ports.append)
        server = await rt.spawn(["nc", "-l", "-p", "8123", "-e", "tr", "a-z", "A-Z"])
        while not ports:
            await asyncio.sleep(0.01)
        stream = await rt.net.connect(8123)
        await stream.write(b"hello " * 20000)
        await stream.write_eof()
        got = b""
        while data := await stream.read():
            got += data
        await stream.close()
        code = await server.wait()
        try:
            await rt.net.connect(8124)
            refused = ""
        except ConnectionRefusedError as e:
            refused = type(e).__name__
        [ports, got == b"HELLO " * 20000, code, refused]
    """) == [[8123], True, 0, "ConnectionRefusedError"]


def test_a_port_taken_twice_is_refused_to_the_second_and_the_first_serves_on(page: Page) -> None:
    """bind(2): EADDRINUSE, said by the program; nobody is told of a second listener."""
    assert page.run("""
        rt = await shared_runtime()
        ports = []
        rt.net.on_listen(ports.append)
        first = await rt.spawn(["nc", "-l", "-p", "8126", "-e", "cat"])
        while not ports:
            await asyncio.sleep(0.01)
        second = await rt.run(["nc", "-l", "-p", "8126"], timeout=50)
        stream = await rt.net.connect(8126)
        await stream.write(b"still there")
        await stream.write_eof()
        got = await stream.read()
        await stream.close()
        [second.returncode, second.stderr.decode(), got.decode(), await first.wait(), ports]
    """) == [1, "nc: bind: Address already in use\n", "still there", 0, [8126]]


def test_nothing_leaves_without_a_backend_and_the_log_says_so(page: Page) -> None:
    got = page.run("""
        rt = await shared_runtime()
        script = "nc 93.184.216.34 80 </dev/null; echo $?; nslookup www.example.org 8.8.8.8; echo $?"
        done = await rt.run(["sh", "-c", script])
        end = time.monotonic() + 10
        while len(rt.net.policy.log) < 2 and time.monotonic() < end:
            await asyncio.sleep(0.02)
        log = [[e.what, e.host, e.port, e.allowed] for e in rt.net.policy.log]
        [done.stdout.decode().split(), done.stderr.decode(), log]
    """)
    assert got[0][0] == "1"
    assert "unreachable" in got[1]
    assert ["connect", "93.184.216.34", 80, False] in got[2]
    assert ["datagram", "8.8.8.8", 53, False] in got[2]


WAYS_OUT = """
nc 192.0.2.1 80
telnet 192.0.2.1
wget -q -O - http://[2001:db8::1]:81/
env http_proxy=http://192.0.2.9:3128 wget -q -O - http://www.example.org/
nslookup www.example.org 192.0.2.53
tftp -g -r x 192.0.2.1
ping -c 1 -W 1 192.0.2.1
ping -6 -c 1 -W 1 2001:db8::1
udhcpc -n -q -t 1 -i lo
arping -c 1 -I lo 192.0.2.1
wget -q -O - http://www.example.org/
"""
NO_SOCKETS = [
    ("socket", "AF_INET SOCK_RAW 1", 0),
    ("socket", "AF_INET6 SOCK_RAW 58", 0),
    ("socket", "AF_INET SOCK_RAW 255", 0),
    ("socket", "AF_PACKET SOCK_DGRAM 0", 0),
]
REFUSED = [
    ("connect", "192.0.2.1", 80),
    ("connect", "192.0.2.1", 23),
    ("connect", "192.0.2.9", 3128),
    ("datagram", "192.0.2.53", 53),
    ("datagram", "192.0.2.1", 69),
    *NO_SOCKETS,
]


def test_ten_ways_out_are_refused_and_named(page: Page) -> None:
    """TCP, UDP, raw and packet sockets, a proxy, names: with no way out, and with one that nothing may use."""
    code = (
        BACKEND
        + f"""
rt = await busybox(await new_runtime())
found = []
echo = Echo()
for backend, wanted in ((None, {len(REFUSED) + 1}), (echo, {len(REFUSED) + 2})):
    await rt.net.use(backend)
    rt.net.policy.log.clear()
    script = "while read -r way; do $way </dev/null >/dev/null 2>&1 && echo $way; done"
    done = await rt.run(["sh", "-c", script], input={WAYS_OUT.lstrip().encode()!r}, timeout=50)
    end = time.monotonic() + 60
    while len({{(e.what, e.host, e.port) for e in rt.net.policy.log}}) < wanted and time.monotonic() < end:
        await asyncio.sleep(0.02)
    found.append([done.stdout.decode(), [[e.what, e.host, e.port, e.allowed, bool(e.why)] for e in rt.net.policy.log]])
rt.close()
[found, echo.asked]
"""
    )
    (without, denied), asked = page.run(code, 200)
    assert asked == []
    for succeeded, log in (without, denied):
        assert succeeded == ""
        assert not any(allowed or not why for *_, allowed, why in log), log
    assert {tuple(e[:3]) for e in without[1]} == {*REFUSED, ("connect", "IPv6 ...0000000000000001", 81)}
    outside = {("connect", "2001:db8::1", 81), ("resolve", "www.example.org", 0)}
    assert {tuple(e[:3]) for e in denied[1]} == {*REFUSED, *outside}


def test_the_policy_decides_and_names_reach_the_backend(page: Page) -> None:
    """Default deny, allowed by name and port, the backend's errno, everything in the log."""
    code = (
        BACKEND
        + """
rt = await busybox(await new_runtime())
echo = Echo()
await rt.net.use(echo)
rt.net.policy.allow("*.example.org", ports=[80])
rt.net.policy.allow("10.0.0.0/8", program="*/busybox")
script = '''
for to in "www.example.org 80" "www.example.org 81" "closed.example.org 80" "www.example.com 80" \\
    "10.1.2.3 9" "11.1.2.3 9"; do
  echo "== $to"; echo some text | nc $to 2>&1
done
'''
done = await rt.run(["sh", "-c", script], timeout=30)
log = [[e.what, e.host, e.port, e.allowed] for e in rt.net.policy.log]
await rt.net.use(None)
after = await rt.run(["sh", "-c", "nc 10.1.2.3 9 2>&1"])
rt.close()
[done.stdout.decode(), log, echo.asked, after.stdout.decode()]
"""
    )
    out, log, asked, after = page.run(code)
    parts = {p.split("\n", 1)[0]: p.split("\n", 1)[1] for p in out.split("== ")[1:]}
    assert parts["www.example.org 80"] == "www.example.org:80\nSOME TEXT\n"
    assert "not permitted" in parts["www.example.org 81"], parts
    assert "refused" in parts["closed.example.org 80"], parts
    assert "bad address" in parts["www.example.com 80"], parts
    assert parts["10.1.2.3 9"] == "10.1.2.3:9\nSOME TEXT\n"
    assert "not permitted" in parts["11.1.2.3 9"], parts
    assert [list(a) for a in asked] == [["www.example.org", 80], ["closed.example.org", 80], ["10.1.2.3", 9]]
    assert ["resolve", "www.example.com", 0, False] in log
    assert ["connect", "11.1.2.3", 9, False] in log
    assert "unreachable" in after


def test_plain_http_goes_by_fetch(page: Page) -> None:
    """The page's own server can be read; one without CORS headers is a 502 with one sentence, as is a redirect, which
    could lead past the policy; others are refused."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        threading.Thread(target=answer_once, args=[silent], daemon=True).start()
        out, body = page.run(f"""
            from tidemark_py.net.fetch import FetchBackend
            rt = await busybox(await new_runtime())
            own, foreign = int(js.location.port), {silent.getsockname()[1]}
            rt.net.hosts["web.test"] = "127.0.0.1"
            rt.net.policy.allow("web.test")
            await rt.net.use(FetchBackend(ports=[own, foreign], upgrade=False))
            script = f"wget -q -O /tmp/got http://web.test:{{own}}/pyodide-lock.json; echo $?; wc -c < /tmp/got; "
            script += f"wget -q -O - http://web.test:{{foreign}}/; wget -q -O - http://web.test:81/; "
            script += f""
            script += f"printf 'GET /moved HTTP/1.0\\r\\n\\r\\n' | nc web.test {{foreign}}; "
            script += f"printf 'GET / HTTP/1.1\\r\\n\\r\\n' | nc web.test {{foreign}}; "
            script += f"printf 'no http\\r\\n\\r\\n' | nc web.test {{own}}"
            done = await rt.run(["sh", "-c", script + " 2>&1"], timeout=40)
            wanted = (await (await js.fetch("pyodide-lock.json")).arrayBuffer()).to_bytes()
            same = await rt.fs.read_file("/tmp/got") == wanted
            rt.close()
            [done.stdout.decode() + done.stderr.decode(), same]
        """)
    assert body, out
    assert out.startswith("0\n")
    assert "502 Bad Gateway" in out and "CORS" in out, out
    assert "/moved is redirected" in out and "secret" not in out, out
    assert "unreachable" in out, out
    assert "400 Bad Request" in out, out


@pytest.mark.slow
def test_a_relay_that_dies_a_redirect_out_of_the_list_and_no_relay_at_all(page: Page) -> None:
    """Cut in the middle: an error, no shorter file; then one sentence a connection; with the relay back all is well."""
    outside, port = Outside(), free_port()
    relays = [start_relay(port)]
    over = threading.Event()

    def endless(r: Request) -> None:
        r.send_response(200)
        r.end_headers()
        r.wfile.write(b"first")
        over.wait(300)

    def back(r: Request) -> None:
        r.answer(200, b"well")

    outside.services["/cut"] = endless
    outside.services["/well"] = back
    outside.services["/away"] = lambda r: r.answer(302, b"", Location="http://elsewhere.test/")
    killer = threading.Thread(target=kill_when_asked, args=[outside, relays[0]], daemon=True)
    killer.start()
    try:
        setup = f"""
from tidemark_py.net.wisp import WispBackend
rt = builtins.relayed = await busybox(await new_runtime())
rt.net.hosts["server.test"] = "127.0.0.1"
rt.net.policy.allow("server.test")
await rt.net.use(WispBackend("ws://127.0.0.1:{port}/"))
"""
        wget = f"""
rt = builtins.relayed
async def wget(path):
    done = await rt.run(["wget", "-q", "-O", "-", f"http://server.test:{outside.server_port}{{path}}"], timeout=60)
    return [done.returncode, done.stdout.decode(), done.stderr.decode()]
"""
        moved, cut = page.run(setup + wget + '[await wget("/away"), await wget("/cut")]', 110)
        killer.join(60)
        gone, log = page.run(wget + '[await wget("/well"), [[e.what, e.host, e.why] for e in rt.net.policy.log]]', 300)
        relays.append(start_relay(port))
        assert page.run(wget + 'got = await wget("/well"); rt.close(); got', 300)[:2] == [0, "well"]
    finally:
        over.set()
        for relay in relays:
            stop_relay(relay)
        outside.shutdown()
        outside.server_close()
    assert moved[0] == 1 and "elsewhere.test" in moved[2], moved
    assert cut[0] == 1 and "reset" in cut[2], cut
    assert gone[0] == 1 and "unreachable" in gone[2], gone
    assert ["resolve", "elsewhere.test", "no rule allows it: rt.net.policy.allow(...)"] in log
    assert any(what == "connect" and "the relay" in why and "cannot be reached" in why for what, _, why in log), log


def kill_when_asked(outside: Outside, relay: subprocess.Popen[bytes]) -> None:
    """The relay dies when the answer to /cut is on its way."""
    end = time.monotonic() + 300
    while "GET /cut" not in outside.asked and time.monotonic() < end:
        time.sleep(0.05)
    stop_relay(relay)


def answer_once(listener: socket.socket) -> None:
    """A server without CORS headers."""
    while True:
        try:
            made, _ = listener.accept()
        except OSError:
            return
        with made:
            if b"GET /moved" in made.recv(65536):
                made.sendall(
                    b"HTTP/1.1 302 Found\r\nLocation: /open\r\nAccess-Control-Allow-Origin: *\r\n"
                    b"Content-Length: 0\r\nConnection: close\r\n\r\n"
                )
                continue
            made.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\nConnection: close\r\n\r\nsecret")
