"""js_shim and the runtime on Node: the modules' own tests, then the whole runtime with its roles on worker_threads."""

from __future__ import annotations

import os
import subprocess
import textwrap
from pathlib import Path

import pytest

from tidemark_py.dev import layer_build, pyodide_files
from tidemark_py.dev.toolchain import ASSETS, node
from tidemark_py.errors import BootError
from tidemark_py.host import assets

HERE = Path(__file__).resolve().parent
PREAMBLE = """
import asyncio, js
import tidemark_py as tm
from tidemark_py.runtime import PIPE, DEVNULL
from tidemark_py.layers.fetch import from_array

async def busybox(**options):
    rt = await tm.Runtime.create(**options)
    await rt.fs.apply_layer(await from_array(js.layerBytes(), "busybox"))
    return rt
"""


def run_on_node(code: str, seconds: float = 90) -> str:
    """What the code printed. It must end by itself: nothing may keep Node alive after close()."""
    layer = layer_build.layer_file("deb:busybox-static")
    command = [str(node()), str(HERE / "node_page.mjs"), str(pyodide_files.pyodide_dir()), str(pyodide_files.wheel())]
    done = subprocess.run(
        [*command, str(layer)], input=PREAMBLE + textwrap.dedent(code), capture_output=True, text=True, timeout=seconds
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def test_shim_modules() -> None:
    environment = {**os.environ, "KERNEL_WASM": str(ASSETS / "kernel.wasm")}
    files = [str(HERE / "shim_test.mjs"), str(HERE / "workers_test.mjs")]
    command = [str(node()), "--test", "--test-reporter=spec"]
    done = subprocess.run([*command, *files], env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout[-4000:]


def test_what_a_worker_begins_with_is_one_script_that_a_foreign_statement_cannot_slip_into() -> None:
    texts = {
        "a.js": 'import {\n  f as g,\n  n,\n} from "./deep/b.js";\nimport { C } from "./c.js";\nconst own = 1;\n'
        "console.log(g(own), n, new C().own());\n",
        "deep/b.js": 'import { C } from "./c.js";\nconst own = 2;\nexport const n = own;\n'
        "export async function later() {}\nexport function f(x) {\n  return x + new C().own();\n}\n",
        "c.js": "const own = 40;\nexport class C {\n  own() {\n    return own;\n  }\n}\n",
    }
    command = [str(node()), "--input-type=module"]
    done = subprocess.run(command, input=assets.one_script(texts, "a.js"), capture_output=True, text=True, timeout=60)
    assert done.stdout == "41 2 40\n", done.stderr
    for statement in ("export { own };", 'import * as b from "./c.js";', "export default 1;"):
        with pytest.raises(BootError, match=r"c\.js says '(import|export)"):
            assets.one_script({**texts, "c.js": f"{texts['c.js']}{statement}\n"}, "a.js")


@pytest.mark.parametrize("topology", ["split", "together"])
def test_processes_on_node(topology: str) -> None:
    out = run_on_node(f"""
        rt = await busybox(topology="{topology}")
        print((await rt.run(["sh", "-c", "printf hi | cat; exit 3"])).returncode)
        p = await rt.spawn(["cat"], stdin=PIPE, stdout=PIPE)
        data = bytes(range(256)) * 4000
        print((await p.communicate(data))[0] == data, p.returncode)
        t = await rt.spawn(["sh", "-c", "stty size; read x; echo got $x"], tty=(20, 70))
        print(await t.stdout.readline())
        t.stdin.write(b"typed\\n")
        print((await t.stdout.read()).decode().split())
        loop = await rt.spawn(["sh", "-c", "while :; do :; done"])
        await asyncio.sleep(0.1)
        loop.kill()
        print(await loop.wait())
        rt.close()
    """)
    assert out.splitlines() == ["3", "True 0", "b'20 70\\r\\n'", "['typed', 'got', 'typed']", "-9"]


def test_500_forks_on_node() -> None:
    out = run_on_node("""
        rt = await busybox()
        script = "i=0; n=0; while [ $i -lt 500 ]; do (exit 3); [ $? = 3 ] && n=$((n+1)); i=$((i+1)); done; echo $n"
        print((await rt.run(["sh", "-c", script])).stdout.decode().strip())
        counters = (await rt.snapshot()).counters
        print(counters["resumes"], counters["resumes_refused"], counters["processes"])
        rt.close()
    """)
    assert out.splitlines() == ["500", "500 0 1"]
