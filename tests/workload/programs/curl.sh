# packages: curl python3 diffutils
# seconds: 900
mkdir /tmp/w; cd /tmp/w; seq 20000 > big; echo hello > index.html
cat > s.py <<'S'
import http.server as h
class H(h.SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def log_message(self, *a): pass
    def do_POST(self):
        b = self.rfile.read(int(self.headers["Content-Length"])); r = b"%s %d" % (self.headers["Content-Type"].split(";")[0].encode(), len(b))
        self.send_response(201); self.send_header("Content-Length", str(len(r))); self.send_header("Set-Cookie", "k=v"); self.end_headers(); self.wfile.write(r)
h.ThreadingHTTPServer(("127.0.0.1", 8000), H).serve_forever()
S
python3 s.py & p=$!; for i in $(seq 90); do curl -s -o /dev/null http://127.0.0.1:8000/ && break; sleep 0.3; done
curl -s http://127.0.0.1:8000/; curl -s http://localhost:8000/big | md5sum; curl -sI http://127.0.0.1:8000/big | grep -i length | tr -d '\r'; curl -s -d a=1 -d b=2 http://127.0.0.1:8000/x; echo; curl -s -F f=@big -w ' %{http_code} %{num_connects}\n' http://127.0.0.1:8000/x | sed 's/ [0-9]* 201/ 201/'
curl -s -c jar -o /dev/null -d x http://127.0.0.1:8000/ && tail -n 1 jar | cut -f6,7; curl -s -o 'x_#1' 'http://127.0.0.1:8000/{big,index.html}' && wc -l x_big x_index.html; curl -sf http://127.0.0.1:8000/none; echo "code $?"; curl -s --max-time 2 http://127.0.0.1:9/; echo "code $?"; curl -sZ -o 'y_#1' 'http://127.0.0.1:8000/{big,index.html,s.py}' && cmp big y_big && echo parallel; curl -s file:///tmp/w/index.html; kill $p
