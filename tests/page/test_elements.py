"""The HTML elements in Chromium: blocks that run, terminals that share a machine, files in and out, files that stay."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from tidemark_py.dev.browser import Browser, Page

from .elements import Pages, enter, notice, ready, run_block, shows

pytestmark = pytest.mark.page
TERMINAL = "document.querySelector('tidemark-terminal')"
BUSYBOX = 'layer="/layers/busybox"'


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A tab of its own."""
    made = browser.page()
    yield made
    made.close()


def test_blocks_run_and_share_one_runtime_with_a_terminal(page: Page, pages: Pages) -> None:
    page.goto(
        pages.url(f"""
        <tidemark-run id="a" {BUSYBOX} language="sh">
          echo from block > /tmp/note
          printf hi | cat
        </tidemark-run>
        <tidemark-run id="bad" {BUSYBOX}>exit 3</tidemark-run>
        <tidemark-run id="py" language="python" {BUSYBOX}>
          import subprocess
          print(subprocess.run("printf 'b\\na\\n' | sort", shell=True, capture_output=True, text=True).stdout.split())
        </tidemark-run>
        <tidemark-run id="raises" language="python">1 / 0</tidemark-run>
        <tidemark-run id="what" language="cobol">x</tidemark-run>
        <tidemark-terminal {BUSYBOX}></tidemark-terminal>""")
    )
    code, output, state = run_block(page, "#a")
    assert (code, output) == (0, "hi") and state.startswith("Done in")
    code, _, state = run_block(page, "#bad")
    assert code == 3 and state.startswith("Exit code 3 in")
    assert run_block(page, "#py")[:2] == (0, "['a', 'b']\n")
    code, output, _ = run_block(page, "#raises")
    assert code == 1 and output.startswith("Traceback") and output.endswith("ZeroDivisionError: division by zero\n")
    assert "_pyodide" not in output
    code, _, state = run_block(page, "#what")
    assert code is None and '"cobol"' in state and "cmd" in state
    ready(page)
    enter(page, "cat /tmp/note")
    shows(page, "from block")
    workers = page.evaluate("performance.getEntriesByType('resource').filter((e) => e.name.endsWith('.whl')).length")
    assert workers <= 1


def test_the_attributes_and_events_of_a_block(page: Page, pages: Pages) -> None:
    page.goto(
        pages.url(f"""
        <tidemark-run id="a" {BUSYBOX} stdin="typed before" env="WHO=me TWO=2" cwd="/usr" label="A sum" readonly>
          cat; echo " $WHO $TWO $PWD"
          exit 4
        </tidemark-run>
        <tidemark-run id="b" {BUSYBOX} cmd="wc -l /tmp/mine" file="/tmp/mine">one\ntwo</tidemark-run>
        <tidemark-run id="c" {BUSYBOX} cmd="nothing-such">x</tidemark-run>
        <tidemark-run id="d" {BUSYBOX} autorun style="--tidemark-background:#102030">
          sleep 1; echo by itself</tidemark-run>
        <tidemark-run id="e" {BUSYBOX} autorun>sleep 1; echo itself too</tidemark-run>""")
    )
    page.evaluate("""(() => { window.heard = [];
      for (const name of ["ready", "exit", "failed"]) for (const each of document.querySelectorAll("tidemark-run"))
        each.addEventListener(name, (e) => heard.push([each.id, name, e.detail?.code ?? null])); })()""")
    code = "document.querySelector('#a').shadowRoot.querySelector('textarea')"
    assert page.evaluate(f"[{code}.readOnly, {code}.getAttribute('aria-label')]") == [
        True,
        "A sum, sh; Control and Enter run it",
    ]
    key = "new KeyboardEvent('keydown', {key: 'Enter', ctrlKey: true, cancelable: true})"
    page.evaluate(f"void {code}.dispatchEvent({key})")
    page.wait_for("heard.some(([id, name]) => id === 'a' && name === 'exit')", 60)
    assert page.evaluate("document.querySelector('#a').output") == "typed before me 2 /usr\n"
    assert page.evaluate("heard.filter(([id]) => id === 'a')") == [["a", "ready", None], ["a", "exit", 4]]
    assert run_block(page, "#b")[:2] == (0, "2 /tmp/mine\n")
    assert run_block(page, "#c")[0] is None
    assert page.evaluate("heard.filter(([id]) => id === 'c')") == [["c", "failed", None]]
    # two at a time in one file tree
    page.evaluate("document.querySelector('#e').scrollIntoView()")
    page.wait_for("document.querySelector('#d').output === 'by itself\\n'", 60)
    page.wait_for("document.querySelector('#e').output === 'itself too\\n'", 60)
    assert page.evaluate("getComputedStyle(document.querySelector('#d')).backgroundColor") == "rgb(16, 32, 48)"


def test_machines_of_another_name_have_files_of_their_own(page: Page, pages: Pages) -> None:
    page.goto(
        pages.url(f"""<tidemark-run id="a" {BUSYBOX}>echo mine > /tmp/only</tidemark-run>
        <tidemark-run id="b" {BUSYBOX} machine="other">ls /tmp; ps | grep -c tidemark</tidemark-run>""")
    )
    assert run_block(page, "#a")[0] == 0
    assert "only" not in run_block(page, "#b")[1]


def test_a_block_is_stopped_and_floods_are_cut(page: Page, pages: Pages) -> None:
    page.goto(pages.url(f"<tidemark-run {BUSYBOX}>echo begun; sleep 100</tidemark-run>"))
    page.evaluate("void (window.code = document.querySelector('tidemark-run').run())")
    page.wait_for("document.querySelector('tidemark-run').output.includes('begun')")
    page.evaluate("document.querySelector('tidemark-run').stop()")
    assert page.evaluate("window.code", 10) in (-2, 130)
    page.evaluate("document.querySelector('tidemark-run').code = 'seq 300000; echo last'")
    code, output, _ = run_block(page)
    assert code == 0 and output.endswith("\n300000\nlast\n") and len(output) < 400_000


def test_an_element_starts_when_it_is_seen(page: Page, pages: Pages) -> None:
    page.goto(pages.url(f'<div style="height:400vh">far</div><tidemark-terminal {BUSYBOX}></tidemark-terminal>'))
    time.sleep(1)
    assert "when it is seen" in notice(page)
    page.evaluate("document.querySelector('tidemark-terminal').scrollIntoView()")
    ready(page)


def test_two_terminals_on_one_machine_end_by_themselves(page: Page, pages: Pages) -> None:
    terminal = f"<tidemark-terminal {BUSYBOX}></tidemark-terminal>"
    page.goto(pages.url(f'<div id="a">{terminal}</div><div id="b">{terminal}</div>'))
    a, b = "#a tidemark-terminal", "#b tidemark-terminal"
    ready(page, a)
    ready(page, b)
    enter(page, "sleep 1000 & exit 4", a)
    shows(page, "[ended (4)", a)
    enter(page, "ps", b)
    text = shows(page, "ps\n", b)
    time.sleep(0.3)
    assert "sleep 1000" not in shows(page, "PID", b), text
    page.evaluate("document.querySelector('#b').remove()")
    page.evaluate(f"document.querySelector('{a}').restart()")
    ready(page, a)


def test_colours_come_from_css_variables(page: Page, pages: Pages) -> None:
    style = "--tidemark-background:#102030;--tidemark-red:#ff0001;--tidemark-font-size:17px"
    page.goto(pages.url(f'<tidemark-terminal {BUSYBOX} style="{style}">'))
    ready(page)
    options = f"{TERMINAL}.screen.options"
    found = page.evaluate(f"[{options}.theme.background, {options}.theme.red, {options}.fontSize]")
    assert found == ["#102030", "#ff0001", 17]
    assert page.evaluate(f"getComputedStyle({TERMINAL}).backgroundColor") == "rgb(16, 32, 48)"


def test_keys_leave_the_terminal_and_copy_and_paste(page: Page, pages: Pages) -> None:
    page.goto(pages.url(f'<tidemark-terminal {BUSYBOX} screen-reader></tidemark-terminal><button id="next">n</button>'))
    ready(page)
    page.evaluate(f"{TERMINAL}.focus()")
    shift: dict[str, Any] = {"key": "Escape", "code": "Escape", "windowsVirtualKeyCode": 27, "modifiers": 8}
    page.call("Input.dispatchKeyEvent", type="keyDown", **shift)
    page.call("Input.dispatchKeyEvent", type="keyUp", **shift)
    tab: dict[str, Any] = {"key": "Tab", "code": "Tab", "windowsVirtualKeyCode": 9}
    page.call("Input.dispatchKeyEvent", type="keyDown", **tab)
    page.call("Input.dispatchKeyEvent", type="keyUp", **tab)
    assert page.evaluate("document.activeElement.id") == "next"
    assert page.evaluate(f"!!{TERMINAL}.shadowRoot.querySelector('.xterm-accessibility')")
    # a paste of two lines arrives as one piece, and copying is what is selected
    page.evaluate(f"""(() => {{ const data = new DataTransfer(); data.setData("text/plain", "echo pa''sted");
        {TERMINAL}.focus();
        {TERMINAL}.shadowRoot.querySelector("textarea")
          .dispatchEvent(new ClipboardEvent("paste", {{ clipboardData: data, bubbles: true }})); }})()""")
    page.type("\n")
    shows(page, "\npasted")
    page.evaluate(f"{TERMINAL}.screen.selectAll(); window.copied = ''; 0")
    page.evaluate("navigator.clipboard.writeText = async (t) => { window.copied = t; }; 0")
    copy: dict[str, Any] = {"key": "C", "code": "KeyC", "windowsVirtualKeyCode": 67, "modifiers": 10}
    page.call("Input.dispatchKeyEvent", type="keyDown", **copy)
    page.call("Input.dispatchKeyEvent", type="keyUp", **copy)
    assert "pasted" in page.wait_for("window.copied")


def test_files_dropped_land_where_the_shell_stands(page: Page, pages: Pages) -> None:
    page.goto(pages.url(f"<tidemark-terminal {BUSYBOX}></tidemark-terminal>"))
    ready(page)
    enter(page, "mkdir /srv/in; cd /srv/in; clear; pwd")
    shows(page, "/srv/in\n")
    page.evaluate("""(() => { const data = new DataTransfer();
        data.items.add(new File([new Uint8Array([0, 255, 10])], "b n.bin"));
        const terminal = document.querySelector("tidemark-terminal");
        window.uploaded = new Promise((r) => terminal.addEventListener("upload", (e) => r(e.detail)));
        terminal.dispatchEvent(new DragEvent("drop", { dataTransfer: data, bubbles: true })); })()""")
    assert page.evaluate("window.uploaded", 20) == {"names": ["b n.bin"], "directory": "/srv/in"}
    enter(page, "od -An -tx1 'b n.bin'")
    shows(page, "00 ff 0a")
    refused = f"{TERMINAL}.upload([{{name: '../x', file: new File(['x'], 'x')}}]).then(() => 'taken', (e) => e.message)"
    assert "leads outside" in page.evaluate(refused)


def test_the_download_command_offers_a_file(page: Page, pages: Pages) -> None:
    page.goto(pages.url(f'<tidemark-terminal {BUSYBOX} downloads="ask"></tidemark-terminal>'))
    ready(page)
    page.evaluate(f"""window.got = new Promise((r) => {TERMINAL}.addEventListener("download", (e) => r(e.detail)));
        HTMLAnchorElement.prototype.click = function () {{ window.saved = [this.download, this.href]; }}; 0""")
    enter(page, r"printf 'a\000b' > 'ü x'; download 'ü x' nothing; echo code $?")
    shows(page, "download: nothing: no such file\ncode 1")
    page.wait_for(f"{TERMINAL}.shadowRoot.querySelector('.toast button')?.textContent === 'Save'")
    page.evaluate(f"{TERMINAL}.shadowRoot.querySelector('.toast button').click()")
    assert page.evaluate("window.got", 20) == {"name": "ü x", "bytes": 3}
    assert page.evaluate("window.saved[0]") == "ü x"
    assert page.evaluate("fetch(window.saved[1]).then((r) => r.text())") == "a\0b"
    # the sequence with rubbish in it does nothing
    enter(page, r"printf '\033]7717;download;zz\007\033]7717;x\007'; echo fi''ne")
    shows(page, "\nfine")


def test_kept_files_survive_a_reload_and_damage_is_said(page: Page, pages: Pages) -> None:
    url = pages.url(f'<tidemark-terminal {BUSYBOX} persist="test-kept"></tidemark-terminal>')
    page.goto(url)
    ready(page)
    make = "mkdir -p d; echo kept > d/f; chmod 640 d/f; ln -s d/f l; touch -d @1000000000 d/f; echo do''ne"
    enter(page, make)
    shows(page, "\ndone")
    assert page.evaluate(f"{TERMINAL}.save()", 20) > 0
    page.goto(url)
    ready(page)
    enter(page, "cat l; stat -c %a.%Y d/f; echo o''k")
    assert "kept\n640.1000000000\nok" in shows(page, "\nok")
    # cut short: refused whole, said, and kept until the person decides
    page.goto(pages.server.url("/tidemark/files.json"))
    time.sleep(0.5)  # what the page that went saves on its way is written
    page.evaluate("""(async () => { const root = await navigator.storage.getDirectory();
        const f = await (await root.getDirectoryHandle("tidemark-saved")).getFileHandle("test-kept.saved");
        const all = new Uint8Array(await (await f.getFile()).arrayBuffer());
        const w = await f.createWritable(); await w.write(all.slice(0, all.length - 9)); await w.close(); })()""")
    page.goto(url)
    page.wait_for(f"!!{TERMINAL}.shadowRoot.querySelector('.notice .choices button')")
    assert "cut short" in notice(page) and "test-kept" in notice(page)
    page.evaluate(f"{TERMINAL}.shadowRoot.querySelector('.notice .choices button').click()")
    ready(page)
    enter(page, "ls; echo fre''sh")
    assert " l\n" not in shows(page, "\nfresh")


def test_a_second_tab_does_not_overwrite_what_the_first_keeps(browser: Browser, page: Page, pages: Pages) -> None:
    url = pages.url(f'<tidemark-terminal {BUSYBOX} persist="test-tabs"></tidemark-terminal>')
    page.goto(url)
    ready(page)
    second = browser.page()
    second.goto(url)
    ready(second)
    assert "Another tab" in second.wait_for(f"{TERMINAL}.shadowRoot.querySelector('.toast').innerText")
    assert second.evaluate(f"{TERMINAL}.save()") == 0
    second.close()


def test_what_a_tab_that_ended_in_its_first_save_left_is_nothing(page: Page, pages: Pages) -> None:
    url = pages.url(f'<tidemark-terminal {BUSYBOX} persist="test-empty"></tidemark-terminal>')
    page.goto(pages.url("<p>no machine</p>"))
    page.evaluate("""(async () => {
        const root = await navigator.storage.getDirectory();
        const folder = await root.getDirectoryHandle("tidemark-saved", { create: true });
        await folder.getFileHandle("test-empty.saved", { create: true });
    })()""")
    page.goto(url)
    ready(page)


def test_no_room_is_said_with_the_figures(page: Page, pages: Pages) -> None:
    page.goto(pages.url(f'<tidemark-terminal {BUSYBOX} persist="test-quota"></tidemark-terminal>'))
    ready(page)
    page.call("Storage.overrideQuotaForOrigin", origin=pages.server.origin, quotaSize=1 << 20)
    enter(page, "head -c 5000000 /dev/urandom > big; echo wri''tten")
    shows(page, "\nwritten")
    assert page.evaluate(f"{TERMINAL}.save()", 20) == 0
    assert "no room" in page.wait_for(f"{TERMINAL}.shadowRoot.querySelector('.toast').innerText")
    page.call("Storage.overrideQuotaForOrigin", origin=pages.server.origin)


COUNTED = """<script>
  window.live = new Set();
  window.Worker = class extends Worker {
    constructor(...args) { super(...args); live.add(this); }
    terminate() { live.delete(this); super.terminate(); }
  };
</script>"""


def test_children_end_with_their_page_and_workers_with_their_machine(page: Page, pages: Pages) -> None:
    url = pages.url(f"{COUNTED}<tidemark-terminal {BUSYBOX}></tidemark-terminal>")
    page.goto(url)
    ready(page)
    enter(page, "sleep 1000 & sleep 1001 & echo sta''rted")
    shows(page, "\nstarted")
    page.goto(url)  # the page goes while they run
    ready(page)
    enter(page, "ps | grep -c 'sleep 100[01]'; echo loo''ked")
    assert "\n0\nlooked" in shows(page, "\nlooked")
    # the page makes every worker of the machine: its own, one of the roles, those of threads
    assert page.evaluate("live.size") >= 4
    page.evaluate(f"{TERMINAL}.machine.reset()")
    assert page.evaluate("live.size") == 0
