"""What a module costs as a process: its computation beside the same run bare, small writes, its start. Chromium."""

from __future__ import annotations

import base64

import pytest

from tidemark_py.dev import guests

from .conftest import Page

pytestmark = [pytest.mark.page, pytest.mark.slow]


def test_a_module_computes_writes_and_starts_quickly(page: Page) -> None:
    """Bounds are wide: a busy machine. The figures are printed."""
    data = base64.b64encode((guests.modules() / "work.wasm").read_bytes()).decode()
    ratio, write_us, start_ms = page.run(f"""
        import base64, statistics
        from pyodide.code import run_js
        from pyodide.ffi import to_js
        rt = await shared_runtime()
        body = base64.b64decode("{data}")
        await rt.fs.write_file("/tmp/work.wasm", body, 0o755)
        bare = run_js('''async (bytes) => {{
            const source = `onmessage = async (e) => {{
                const imports = {{}};
                const module = await WebAssembly.compile(e.data);
                for (const i of WebAssembly.Module.imports(module)) (imports[i.module] ??= {{}})[i.name] = () => 0;
                const {{ exports }} = await WebAssembly.instantiate(module, imports);
                const t = performance.now();
                exports.work(800);
                postMessage(performance.now() - t);
            }};`;
            const worker = new Worker(URL.createObjectURL(new Blob([source])));
            return new Promise((done) => {{ worker.onmessage = (e) => (worker.terminate(), done(e.data));
                                            worker.postMessage(bytes); }});
        }}''')
        ours, alone, starts = [], [], []
        for _ in range(5):
            ours.append(float((await rt.run(["/tmp/work.wasm"])).stdout.split()[0]))
            alone.append(await bare(to_js(body)))
        writes = [float((await rt.run(["/tmp/work.wasm", "write"])).stdout) for _ in range(5)]
        more = b"\\0" + b"\\x80\\x80\\x40" + b"\\4long" + bytes((1 << 20) - 5)  # a custom section of 1 MB
        await rt.fs.write_file("/tmp/big.wasm", body + more, 0o755)
        for _ in range(15):
            t = time.perf_counter()
            p = await rt.spawn(["/tmp/big.wasm", "start"], stdout=PIPE)
            await p.stdout.readline()
            starts.append((time.perf_counter() - t) * 1e3)
            await p.wait()
        print("work", ours, alone, "write us", writes, "start ms", starts)
        [min(ours) / min(alone), min(writes), min(starts[3:])]
    """)
    print(f"computation {ratio:.3f} of bare, a 16 byte write {write_us:.3f} us, start of 1 MB {start_ms:.1f} ms")
    assert ratio < 1.5
    assert write_us < 5
    assert start_ms < 200
