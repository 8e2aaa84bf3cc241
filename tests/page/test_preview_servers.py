"""Python's http.server, node's http and nginx in a guest, each previewed in a frame: pages, WebSockets, 100 MB."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tidemark_py.dev import layer_build, pyodide_files, site
from tidemark_py.dev.browser import Browser, Page
from tidemark_py.dev.server import Server

from .elements import Pages, enter, shows

pytestmark = [pytest.mark.page, pytest.mark.slow]
SPEC = "deb:python3,nodejs,nginx,dash,coreutils,base-files,base-passwd,libc-bin"
MEGABYTES = 100
SERVERS = {"python": 8001, "node": 8002, "nginx": 8003}

PYTHON = r"""
import base64, hashlib, http.server, struct

class Handler(http.server.SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        key = self.headers.get("Sec-WebSocket-Key")
        if not key:
            return super().do_GET()
        accept = hashlib.sha1(key.encode() + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest()
        self.send_response(101)
        self.send_header("Upgrade", "websocket")
        self.send_header("Connection", "Upgrade")
        self.send_header("Sec-WebSocket-Accept", base64.b64encode(accept).decode())
        self.send_header("Sec-WebSocket-Protocol", self.headers["Sec-WebSocket-Protocol"].split(",")[0])
        self.end_headers()
        self.close_connection = True
        while True:
            first, size = self.rfile.read(2)
            size &= 127
            extended = self.rfile.read({126: 2, 127: 8}.get(size, 0))
            length = int.from_bytes(extended, "big") if extended else size
            mask, body = self.rfile.read(4), self.rfile.read(length)
            key = int.from_bytes((mask * (length // 4 + 1))[:length], "big")
            body = (int.from_bytes(body, "big") ^ key).to_bytes(length, "big")
            self.wfile.write(bytes([first, size]) + extended + body)
            if first == 0x88:
                return

    def log_message(self, *args):
        pass

http.server.ThreadingHTTPServer(("127.0.0.1", 8001), lambda *a: Handler(*a, directory="/srv")).serve_forever()
"""
NODE = r"""
const http = require("http"), fs = require("fs"), crypto = require("crypto");
const types = { ".html": "text/html", ".css": "text/css", ".bin": "application/octet-stream" };
const server = http.createServer((q, r) => {
  const path = "/srv" + (q.url === "/" ? "/index.html" : q.url);
  if (!fs.existsSync(path)) return r.writeHead(404).end();
  r.writeHead(200, { "Content-Type": types[path.slice(path.lastIndexOf("."))] });
  fs.createReadStream(path, { highWaterMark: 1 << 20 }).pipe(r); // 64 KiB, the default, is 16 times the turns of its loop
});
server.on("upgrade", (q, socket) => {
  const accept = crypto.createHash("sha1").update(q.headers["sec-websocket-key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest("base64");
  socket.write(`HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\nSec-WebSocket-Protocol: ${q.headers["sec-websocket-protocol"].split(",")[0]}\r\n\r\n`);
  let all = Buffer.alloc(0);
  socket.on("data", (data) => {
    all = Buffer.concat([all, data]);
    while (all.length >= 2) {
      const size = all[1] & 127, extra = size === 126 ? 2 : size === 127 ? 8 : 0;
      if (all.length < 6 + extra) return;
      const n = extra ? Number(all.subarray(2, 2 + extra).reduce((v, b) => v * 256 + b, 0)) : size;
      if (all.length < 6 + extra + n) return;
      const mask = all.subarray(2 + extra, 6 + extra), body = Buffer.from(all.subarray(6 + extra, 6 + extra + n));
      for (let i = 0; i < n; i++) body[i] ^= mask[i & 3];
      socket.write(Buffer.concat([Buffer.from([all[0], size]), all.subarray(2, 2 + extra), body]));
      if (all[0] === 0x88) return socket.end();
      all = all.subarray(6 + extra + n);
    }
  });
});
server.listen(8002, "127.0.0.1");
"""  # noqa: E501
NGINX = """
user www-data; worker_processes 1; pid /run/nginx.pid; error_log /var/log/nginx/error.log;
events { worker_connections 64; }
http {
  access_log off; sendfile on; include /etc/nginx/mime.types;
  server {
    listen 127.0.0.1:8003; root /srv;
    location /echo {
      proxy_pass http://127.0.0.1:8001; proxy_http_version 1.1;
      proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection upgrade;
    }
  }
}
"""
# as a guest's page would say it that knows nothing of a preview
PAGE = """<!-- a comment --><!DOCTYPE html><html><head><meta charset="utf-8">
<link rel="stylesheet" href="/style.css"><title>waiting</title></head><body><h1>Grüße</h1><script>
const socket = new WebSocket(`ws://${location.host}/echo`, ["chat", "other"]), got = [];
socket.binaryType = "arraybuffer";
socket.onopen = () => {
  for (const message of ["täxt", new Uint8Array([1, 2, 255]), "x".repeat(300000), new Blob(["blob"])]) socket.send(message);
};
socket.onmessage = ({ data }) => {
  got.push(typeof data === "string" ? [data.length, data.slice(0, 4)] : [...new Uint8Array(data)]);
  if (got.length === 4) socket.close(4001, "enough");
};
socket.onclose = (e) => {
  const mode = [document.compatMode, document.querySelector("h1").textContent, socket instanceof WebSocket];
  document.title = JSON.stringify([got, e.code, e.reason, e.wasClean, socket.protocol, socket.bufferedAmount, mode]);
};
</script></body></html>"""  # noqa: E501
SAID = [
    [[4, "täxt"], [1, 2, 255], [300000, "xxxx"], list(b"blob")],
    4001,
    "enough",
    True,
    "chat",
    0,
    ["CSS1Compat", "Grüße", True],
]


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """A terminal in whose machine the three servers run."""
    pyodide_files.snapshot()
    layer = layer_build.layer_file(SPEC, layer_build.Options(slim=True))
    folder = tmp_path_factory.mktemp("pages")
    with Server({"/": site.build(), "/t": folder, "/l/servers.tdl": layer}) as server, Browser() as browser:
        made = browser.page()
        body = (
            '<tidemark-terminal layer="/l/servers.tdl" cmd="sh" isolation="/isolation-worker.js"></tidemark-terminal>'
        )
        made.goto(Pages(server, folder).url(body))
        made.wait_for("document.querySelector('tidemark-terminal')?.running", 600)
        shows(made, "$", seconds=300)
        files = {
            "index.html": PAGE,
            "style.css": "h1 { color: rgb(1, 2, 3) }",
            "s.py": PYTHON,
            "s.js": NODE,
            "n": NGINX,
        }
        for name, text in files.items():
            write = "document.querySelector('tidemark-terminal').session.call('write_files', '/srv', [%s], [%s])"
            made.evaluate(
                f"(async () => {write % (json.dumps(name), f'new TextEncoder().encode({json.dumps(text)})')})()"
            )
        enter(made, f"dd if=/dev/zero of=/srv/big.bin bs=1M count={MEGABYTES} 2>/dev/null; python3 /srv/s.py &")
        enter(made, "node /srv/s.js & mkdir -p /var/log/nginx /var/lib/nginx; nginx -c /srv/n; echo sta''rted")
        shows(made, "started", seconds=300)
        made.evaluate(
            """(async () => { const m = await import("/tidemark/element.js");
            globalThis.guests = (port) => m.preview(m.machineOf(document.querySelector("tidemark-terminal")), port);
            await guests(8001);
            while (!navigator.serviceWorker.controller) await new Promise((r) => setTimeout(r, 50)); })()"""
        )
        for port in SERVERS.values():
            made.wait_for(f"guests({port}).then((at) => fetch(at)).then((r) => r.ok)", 300)
        yield made


@pytest.mark.parametrize("name", SERVERS)
def test_a_page_with_a_websocket_in_a_frame(page: Page, name: str) -> None:
    """Text, bytes, a long message, a Blob, protocols, the goodbye; the doctype still counts."""
    page.evaluate(
        f"""(async () => {{ const frame = Object.assign(document.createElement("iframe"), {{ id: "{name}" }});
        frame.src = await guests({SERVERS[name]}); document.body.append(frame); }})()"""
    )
    inside = f"document.getElementById('{name}').contentDocument"
    title = page.wait_for(f"{inside}?.title?.startsWith('[') && {inside}.title", 300)
    assert json.loads(title) == SAID, page.console[-5:]
    assert page.evaluate(f"getComputedStyle({inside}.querySelector('h1')).color") == "rgb(1, 2, 3)"


@pytest.mark.parametrize("name", SERVERS)
def test_a_download_of_100_megabytes(page: Page, name: str) -> None:
    """All of it comes; the figure is printed."""
    size, ms = page.evaluate(
        f"""(async () => {{ const t = performance.now(); let n = 0;
        const reader = (await fetch(await guests({SERVERS[name]}) + "big.bin")).body.getReader();
        for (;;) {{ const {{ done, value }} = await reader.read(); if (done) break; n += value.length; }}
        return [n, performance.now() - t]; }})()""",
        600,
    )
    print(f"{name}: {size / 1000 / ms:.0f} MB/s")
    assert size == MEGABYTES << 20
