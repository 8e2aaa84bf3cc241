# packages: python3
# seconds: 1200
cat > /tmp/w.py <<'S'
import asyncio, ctypes, hashlib, json, mmap, os, pty, select, signal, socket, sqlite3, ssl, subprocess, sys, tempfile, threading, time, zlib
from concurrent.futures import ThreadPoolExecutor
from multiprocessing import Pipe, Pool, Process, Queue, shared_memory, get_context
print(json.dumps({"b": [1, 2.5, None, "ü"], "a": {"x": True}}, sort_keys=True))
db = sqlite3.connect(":memory:"); db.execute("create table t(x)"); db.executemany("insert into t values(?)", [(i,) for i in range(100)])
print(db.execute("select sum(x), count(*) from t where x % 3 = 0").fetchone())
print(subprocess.run(["tr", "a-z", "A-Z"], input=b"sub", capture_output=True).stdout, subprocess.call(["sh", "-c", "exit 4"]))
try: subprocess.run(["sleep", "9"], timeout=0.2)
except subprocess.TimeoutExpired as e: print("timeout", e.timeout)
lock, total = threading.Lock(), [0]
def add():
    for _ in range(2000):
        with lock: total[0] += 1
ts = [threading.Thread(target=add) for _ in range(4)]; [t.start() for t in ts]; [t.join() for t in ts]; print("threads", total[0])
with ThreadPoolExecutor(3) as ex: print(list(ex.map(lambda x: x * x, range(6))))
def square(x): return x * x
def child(c, name):
    s = shared_memory.SharedMemory(name); s.buf[0] = 42; c.send(["from", os.getpid() != os.getppid()]); c.close(); s.close()
def main():
    for method in ("fork", "spawn"):
        ctx = get_context(method); s = shared_memory.SharedMemory(create=True, size=64); a, b = ctx.Pipe()
        p = ctx.Process(target=child, args=(b, s.name)); p.start(); print(method, a.recv(), s.buf[0] if not p.join() else 0, p.exitcode); s.close(); s.unlink()
    with Pool(2) as pool: print("pool", pool.map(square, range(8)))
    async def work():
        async def echo(r, w): w.write((await r.readline()).upper()); await w.drain(); w.close()
        server = await asyncio.start_server(echo, "127.0.0.1", 0); port = server.sockets[0].getsockname()[1]
        r, w = await asyncio.open_connection("127.0.0.1", port); w.write(b"async\n"); print(await r.read()); w.close(); server.close()
        p = await asyncio.create_subprocess_exec("cat", stdin=-1, stdout=-1); print(await p.communicate(b"aio"))
        print(sorted(await asyncio.gather(*(asyncio.sleep(0.05 * (3 - i), i) for i in range(3)))), await asyncio.to_thread(square, 9))
    asyncio.run(work())
    a, b = socket.socketpair(); a.sendall(b"pair"); print(b.recv(9)); u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); u.bind(("127.0.0.1", 0))
    v = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); v.sendto(b"udp", u.getsockname()); print(u.recvfrom(9)[0])
    pid, fd = pty.fork()
    if pid == 0: os.execvp("sh", ["sh", "-c", "read x; echo got $x; stty size; tty | cut -c 1-9"])
    os.write(fd, b"typed\n"); out = b""
    try:
        while d := os.read(fd, 999): out += d
    except OSError: pass
    os.waitpid(pid, 0); print(out)
    with tempfile.TemporaryDirectory() as d, tempfile.NamedTemporaryFile(dir=d) as f: f.write(b"x" * 5000); f.flush(); print(os.path.getsize(f.name), oct(os.stat(d).st_mode))
    got = []; signal.signal(signal.SIGALRM, lambda n, f: got.append(n)); signal.setitimer(signal.ITIMER_REAL, 0.05, 0.05); time.sleep(0.3); signal.setitimer(signal.ITIMER_REAL, 0); print("alarms", len(got) >= 3)
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1]); os.kill(os.getpid(), signal.SIGUSR1); print(signal.sigtimedwait([signal.SIGUSR1], 1).si_signo == signal.SIGUSR1)
    print(ssl.OPENSSL_VERSION.split()[0], hashlib.sha3_256(b"x").hexdigest()[:16], zlib.crc32(b"abc"), ctypes.CDLL(None).abs(-5))
    m = mmap.mmap(-1, 8192); m[4096:4100] = b"mmap"; print(m.find(b"map")); e = select.epoll(); r, w = os.pipe(); e.register(r, select.EPOLLIN); os.write(w, b"x"); print(len(e.poll(1)))
    print(sys.version_info[:2], 2 ** 200 % 1000007, sum(1 / x for x in range(1, 1000)))
if __name__ == "__main__": main()
S
python3 /tmp/w.py 2>&1; echo 'print("stdin", 1 + 1)' | python3 -; python3 -c 'import faulthandler, ctypes; faulthandler.enable(); ctypes.string_at(0)' 2>&1 | head -n 1; python3 -m venv --without-pip /tmp/v && /tmp/v/bin/python -c 'import sys; print(sys.prefix)'
