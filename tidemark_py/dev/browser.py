"""Headless Chromium over the DevTools pipe: start it, open pages, run expressions, take pictures, see it crash.

Owns one browser process with a profile of its own that is deleted at the end. The pipe (not a port) means that no other
program can drive it. Follows the DevTools protocol's Target, Page, Runtime, Emulation and Input domains.
"""

from __future__ import annotations

import base64
import contextlib
import fcntl
import json
import os
import queue
import shutil
import signal
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .toolchain import BuildError

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
FLAGS = (
    "--headless=new", "--remote-debugging-pipe", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--no-default-browser-check", "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--disable-extensions", "--disable-background-timer-throttling", "--disable-backgrounding-occluded-windows",
    "--disable-renderer-backgrounding", "--disable-dev-shm-usage", "--hide-scrollbars", "--mute-audio",
)  # fmt: skip
START_TIMEOUT_S = 60.0


class BrowserError(BuildError):
    """The browser is missing, did not start or went away."""


def find_chromium() -> Path:
    """Path of a Chromium. Raises BrowserError that says what to install."""
    for name in NAMES:
        if path := shutil.which(name):
            return Path(path)
    raise BrowserError("no Chromium here: apt-get install chromium (build.py setup does it as root)")


class Browser:
    """A running headless Chromium."""

    def __init__(self, flags: tuple[str, ...] = ()) -> None:
        self._profile = tempfile.mkdtemp(prefix="tidemark-chromium-")
        command_read, self._write = os.pipe()
        self._read, answer_write = os.pipe()
        command = [str(find_chromium()), *FLAGS, f"--user-data-dir={self._profile}", *flags]
        if os.geteuid() == 0:
            command.append("--no-sandbox")  # Chromium's sandbox refuses root
        self.pid = _start([*command, "about:blank"], command_read, answer_write)
        os.close(command_read)
        os.close(answer_write)
        self._lock = threading.Lock()
        self._last = 0
        self._pending: dict[int, queue.SimpleQueue[dict[str, Any]]] = {}
        self._pages: dict[str, Page] = {}
        self.gone = threading.Event()
        threading.Thread(target=self._reader, name="devtools", daemon=True).start()
        try:
            self.version = str(self.call("Browser.getVersion", timeout=START_TIMEOUT_S)["product"])
        except BrowserError:
            self.close()
            raise

    # ---- protocol ----

    def _reader(self) -> None:
        data = b""
        while True:
            try:
                more = os.read(self._read, 1 << 20)
            except OSError:
                more = b""
            if not more:
                break
            *messages, data = (data + more).split(b"\0")
            for raw in messages:
                self._take(json.loads(raw))
        self.gone.set()
        with self._lock:
            waiting, self._pending = self._pending, {}
        for answer in waiting.values():
            answer.put({"error": {"message": "the browser went away"}})
        for page in list(self._pages.values()):
            page.crashed.set()

    def _take(self, message: dict[str, Any]) -> None:
        if "id" in message:
            with self._lock:
                answer = self._pending.pop(message["id"], None)
            if answer:
                answer.put(message)
            return
        page = self._pages.get(message.get("sessionId", ""))
        if page:
            page.take_event(message["method"], message.get("params", {}))

    def call(self, method: str, session: str = "", timeout: float | None = 30.0, **params: Any) -> dict[str, Any]:
        """One protocol call. Raises BrowserError."""
        answer: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        with self._lock:
            if self.gone.is_set():
                raise BrowserError(f"{method}: the browser went away")
            self._last += 1
            n = self._last
            self._pending[n] = answer
            message = {"id": n, "method": method, "params": params} | ({"sessionId": session} if session else {})
            try:
                _write_all(self._write, json.dumps(message).encode() + b"\0")
            except OSError as e:
                raise BrowserError(f"{method}: the browser went away") from e
        try:
            reply = answer.get(timeout=timeout)
        except queue.Empty:
            raise BrowserError(f"{method}: no answer in {timeout} s") from None
        if "error" in reply:
            raise BrowserError(f"{method}: {reply['error'].get('message')}")
        result: dict[str, Any] = reply["result"]
        return result

    # ---- pages ----

    def page(self, on_console: Callable[[str, str], None] | None = None) -> Page:
        """A new empty page; on_console(level, text) hears its console and uncaught errors."""
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        page = Page(self, target, session, on_console)
        self._pages[session] = page
        for domain in ("Page", "Runtime", "Inspector", "Log"):
            page.call(f"{domain}.enable")
        page.call("Page.setLifecycleEventsEnabled", enabled=True)
        return page

    def forget(self, page: Page) -> None:
        """Called by a page that closed."""
        self._pages.pop(page.session, None)

    def close(self) -> None:
        """End the browser, everything it started, and its profile."""
        with contextlib.suppress(BrowserError):
            self.call("Browser.close", timeout=5)
        self.gone.wait(5)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(self.pid, 0)
        with contextlib.suppress(OSError):
            os.close(self._write)
        shutil.rmtree(self._profile, ignore_errors=True)

    def __enter__(self) -> Browser:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Page:
    """One page of a browser."""

    def __init__(
        self, browser: Browser, target: str, session: str, on_console: Callable[[str, str], None] | None
    ) -> None:
        self.browser = browser
        self.target = target
        self.session = session
        self.on_console = on_console
        self.on_event: Callable[[str, dict[str, Any]], None] | None = None
        self.crashed = threading.Event()
        self._loaded: set[str] = set()  # documents whose load event was seen, by the protocol's loaderId
        self._load = threading.Condition()
        self.console: list[str] = []

    def call(self, method: str, timeout: float | None = 30.0, **params: Any) -> dict[str, Any]:
        """One protocol call for this page. Raises BrowserError."""
        return self.browser.call(method, self.session, timeout, **params)

    def take_event(self, method: str, params: dict[str, Any]) -> None:
        """An event of this page, from the reader thread."""
        if self.on_event:
            self.on_event(method, params)
        if method == "Inspector.targetCrashed":
            self.crashed.set()
        elif method == "Page.lifecycleEvent":
            if params["name"] == "load":
                with self._load:
                    self._loaded.add(params["loaderId"])
                    self._load.notify_all()
        elif method == "Runtime.consoleAPICalled":
            self._heard(params["type"], " ".join(_text(a) for a in params["args"]))
        elif method == "Runtime.exceptionThrown":
            details = params["exceptionDetails"]
            self._heard("error", details.get("exception", {}).get("description") or details.get("text", ""))
        elif method == "Log.entryAdded":
            entry = params["entry"]
            self._heard(entry["level"], f"{entry['text']} {entry.get('url', '')}".strip())

    def _heard(self, level: str, text: str) -> None:
        self.console.append(f"{level}: {text}")
        del self.console[:-200]
        if self.on_console:
            self.on_console(level, text)

    def goto(self, url: str, timeout: float = 60.0) -> None:
        """Load `url`, wait for its load event (not the one before's). Raises BrowserError."""
        result = self.call("Page.navigate", timeout=timeout, url=url)
        if result.get("errorText"):
            raise BrowserError(f"{url}: {result['errorText']}")
        document = result.get("loaderId")  # none: the same document, another fragment
        with self._load:
            if document and not self._load.wait_for(lambda: document in self._loaded, timeout):
                raise BrowserError(f"{url}: not loaded in {timeout} s")
            self._loaded.clear()

    def evaluate(self, expression: str, timeout: float | None = 60.0) -> Any:
        """Value of a JavaScript expression; a promise is awaited. Raises BrowserError with the page's own error."""
        r = self.call(
            "Runtime.evaluate", timeout, expression=expression, awaitPromise=True, returnByValue=True, userGesture=True
        )
        if "exceptionDetails" in r:
            d = r["exceptionDetails"]
            raise BrowserError(d.get("exception", {}).get("description") or d.get("text", "exception"))
        return r["result"].get("value")

    def wait_for(self, expression: str, timeout: float = 60.0) -> Any:
        """Value of an expression as soon as it is true; the page may be loading or reloading. Raises BrowserError."""
        end = time.monotonic() + timeout
        problem = ""
        while True:
            try:
                if value := self.evaluate(expression, timeout):
                    return value
            except BrowserError as e:
                problem = f" ({e})"
                if self.crashed.is_set():
                    raise
            if time.monotonic() > end:
                raise BrowserError(f"not true within {timeout:g} s: {expression}{problem}")
            time.sleep(0.03)

    def viewport(self, width: int, height: int, scale: float = 1.0, mobile: bool = False, dark: bool = False) -> None:
        """Pretend to be a screen of that size and colour scheme."""
        self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=scale, mobile=mobile
        )
        self.call("Emulation.setTouchEmulationEnabled", enabled=mobile)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])

    def screenshot(self, path: Path, whole: bool = False) -> None:
        """Write a PNG of what is seen, or of the `whole` page."""
        options: dict[str, Any] = {}
        if whole:
            size = self.call("Page.getLayoutMetrics")["cssContentSize"]
            clip = {"x": 0, "y": 0, "width": size["width"], "height": min(size["height"], 6000), "scale": 1}
            options = {"clip": clip, "captureBeyondViewport": True}
        path.write_bytes(base64.b64decode(self.call("Page.captureScreenshot", format="png", **options)["data"]))

    def type(self, text: str) -> None:
        """Type into what has the focus; newline is Enter."""
        for c in text:
            if c == "\n":
                key: dict[str, Any] = {"key": "Enter", "code": "Enter", "windowsVirtualKeyCode": 13, "text": "\r"}
                self.call("Input.dispatchKeyEvent", type="keyDown", **key)
                self.call("Input.dispatchKeyEvent", type="keyUp", key="Enter", code="Enter", windowsVirtualKeyCode=13)
            else:
                self.call("Input.dispatchKeyEvent", type="keyDown", text=c, key=c)
                self.call("Input.dispatchKeyEvent", type="keyUp", key=c)

    def close(self) -> None:
        """Close the page."""
        self.browser.forget(self)
        with contextlib.suppress(BrowserError):
            self.browser.call("Target.closeTarget", targetId=self.target)


def _start(command: list[str], commands: int, answers: int) -> int:
    """Start the browser in a session of its own with the pipe as descriptors 3 and 4, where it wants it; its pid."""
    # first well above 3 and 4, so that moving one there does not overwrite the other
    high = [fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 10) for fd in (commands, answers)]
    moves = [(os.POSIX_SPAWN_DUP2, high[0], 3), (os.POSIX_SPAWN_DUP2, high[1], 4)]
    nothing = [(os.POSIX_SPAWN_OPEN, fd, os.devnull, os.O_RDWR, 0) for fd in (0, 1, 2)]
    try:
        return os.posix_spawn(command[0], command, os.environ, file_actions=[*nothing, *moves], setsid=True)
    finally:
        for fd in high:
            os.close(fd)


def _text(argument: dict[str, Any]) -> str:
    if "value" in argument:
        return str(argument["value"])
    return str(argument.get("description", argument.get("type", "")))


def _write_all(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]
