# ruff: noqa: F704, PLE1142  (the page runs it with top-level await)
"""The main job, as the page runs it: real Debian programs as processes of one kernel, driven from Python."""

import time

import tidemark_py as tm

failed = []


async def show(title, script, expect=None, code=0):
    """Run a script of busybox sh, print what it prints, compare."""
    p = await rt.spawn(["sh", "-c", script], stdout=tm.PIPE, stderr=tm.STDOUT)
    out, _ = await p.communicate()
    text = out.decode()
    good = p.returncode == code and (expect is None or text == expect)
    print(f"\n== {title}\n$ {script}\n{text.rstrip()}")
    if code:
        print(f"[exit code {p.returncode}]")
    if not good:
        failed.append(title)
        print(f"!! expected {expect!r} and exit code {code}, got {text!r} and {p.returncode}")


began = time.perf_counter()
rt = await tm.Runtime.create(snapshot_url="tidemark/pyodide-snapshot.bin.gz")
await rt.fs.apply_layer(await tm.layers.fetch("layers/busybox"))
print(f"runtime and layer ready in {time.perf_counter() - began:.2f} s")

await show("what machine is this", "uname -srm; busybox | head -n 1")
await show("a pipeline", "printf hi | cat", "hi")
await show(
    "fork and wait: two processes, two ids",
    "(exit 7) & wait $!; echo $?; sh -c '[ $$ != $PPID ] && echo differ'",
    "7\ndiffer\n",
)
await show("the child's end does not end the shell", "true; echo still here", "still here\n")
await show("redirects", "echo x > /tmp/a; echo y >> /tmp/a; cat < /tmp/a", "x\ny\n")
await show("exit codes", "false; echo $?; nosuchprogram 2>/dev/null; echo $?; exit 3", "1\n127\n", code=3)
await show("exec in the child leaves the parent alone", "v=1; (v=2; exec true); echo $v", "1\n")
await show("a signal ends a process", "sleep 100 & kill -TERM $!; wait $!; echo $?", "Terminated\n143\n")
await show(
    "twelve processes at once",
    "for i in 1 2 3 4 5 6 7 8 9 10 11 12; do (echo $i) & done | sort -n | tr '\\n' ' '; wait",
    "1 2 3 4 5 6 7 8 9 10 11 12 ",
)

p = await rt.spawn(["sort", "-r"], stdin=tm.PIPE, stdout=tm.PIPE)
out, _ = await p.communicate(b"python\nlinux\nbrowser\n")
print("\n== Python at both ends of sort -r\n" + out.decode().rstrip())
if out != b"python\nlinux\nbrowser\n":
    failed.append("sort")
rt.close()
print("\nall good" if not failed else f"\nFAILED: {', '.join(failed)}")
assert not failed
