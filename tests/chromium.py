"""A real browser without a screen, driven over Chrome's DevTools protocol."""

import base64
import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.request import urlopen

from websockets.sync.client import ClientConnection, connect

FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",  # a container has little of it
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--remote-debugging-port=0",
]
_PATIENCE = 60.0
NAMES = ("chromium", "chromium-browser", "google-chrome")
NAMED = "AGENTMEM_TEST_CHROMIUM"
"""The variable that names another browser."""


def missing() -> str | None:
    """Why there is no browser for the tests; None where there is one."""
    if program():
        return None
    if named := os.environ.get(NAMED):
        return f"{NAMED} names {named!r}, which is no program"
    return f"none of {', '.join(NAMES)} is installed, and {NAMED} names none (Debian: apt-get install chromium)"


def program() -> str | None:
    """The browser: the one that is named, or one that is installed."""
    named = os.environ.get(NAMED)
    return next(filter(None, map(shutil.which, [named] if named else NAMES)), None)


class Tab:
    """A page in the browser."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection
        self._sent = 0
        self.requested: list[str] = []
        """The addresses that pages asked for."""
        self.dialogs: list[str] = []
        """What scripts of pages have asked, or said, in a window."""
        for domain in ("Page", "Runtime", "Network"):
            self.send(f"{domain}.enable")

    def send(self, method: str, **params: Any) -> dict[str, Any]:
        """Ask for something, and wait for the answer."""
        self._sent += 1
        number = self._sent
        self._connection.send(json.dumps({"id": number, "method": method, "params": params}))
        while True:
            told = json.loads(self._connection.recv(timeout=_PATIENCE))
            if told.get("id") == number:
                assert "error" not in told, f"{method}: {told['error']}"
                return told["result"]
            self._heard(told)

    def _heard(self, told: dict[str, Any]) -> None:
        if told["method"] == "Network.requestWillBeSent":
            self.requested.append(told["params"]["request"]["url"])
        if told["method"] == "Page.javascriptDialogOpening":
            self.dialogs.append(told["params"]["message"])
            self._sent += 1
            closing = {"id": self._sent, "method": "Page.handleJavaScriptDialog", "params": {"accept": True}}
            self._connection.send(json.dumps(closing))

    def run(self, script: str) -> Any:
        """What an expression of JavaScript is."""
        found = self.send("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    def on_every_page(self, script: str) -> None:
        """Run a script on each page before any of its own."""
        self.send("Page.addScriptToEvaluateOnNewDocument", source=script)

    def size(self, width: int, height: int) -> None:
        """Show pages as a screen of so many pixels does."""
        self.send(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600
        )

    def open(self, address: str, until: str) -> None:
        """Show a page, and wait until it shows a text."""
        self.send("Page.navigate", url=address)
        self.wait_for(f"document.body && document.body.innerText.includes({json.dumps(until)})")

    def wait_for(self, condition: str) -> None:
        """Wait until an expression holds."""
        ends = time.monotonic() + _PATIENCE
        held = f"(() => {{ try {{ return Boolean({condition}) }} catch {{ return false }} }})()"  # a page that is just made
        while not self.run(held):
            assert time.monotonic() < ends, f"{condition} never held on {self.run('document.body?.innerText')}"
            time.sleep(0.05)

    def press(self, key: str, code: int) -> None:
        """Press a key, and let it go."""
        key_of = {"key": key, "code": key, "windowsVirtualKeyCode": code}
        self.send("Input.dispatchKeyEvent", type="keyDown", **key_of, text="\r" if key == "Enter" else "")
        self.send("Input.dispatchKeyEvent", type="keyUp", **key_of)

    def screenshot(self, file: Path) -> None:
        """Keep what the whole page looks like."""
        shown = self.send("Page.captureScreenshot", captureBeyondViewport=True)
        file.write_bytes(base64.b64decode(shown["data"]))


@contextmanager
def browsing(folder: Path) -> Iterator[Tab]:
    """A browser with an empty folder for its data, and a tab in it."""
    found = program()
    assert found
    browser = subprocess.Popen(
        [found, *FLAGS, f"--user-data-dir={folder}", "about:blank"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        with connect(_tab_address(_port(browser, folder / "DevToolsActivePort")), max_size=None) as connection:
            yield Tab(connection)
    finally:
        browser.terminate()
        browser.wait(timeout=_PATIENCE)


def _port(browser: "subprocess.Popen[bytes]", noted: Path) -> int:
    ends = time.monotonic() + _PATIENCE
    while not (noted.exists() and len(lines := noted.read_text().splitlines()) == 2):
        assert browser.poll() is None, "the browser has ended"
        assert time.monotonic() < ends, "the browser does not start"
        time.sleep(0.05)
    return int(lines[0])


def _tab_address(port: int) -> str:
    with urlopen(f"http://127.0.0.1:{port}/json/list", timeout=_PATIENCE) as answer:
        pages = [each for each in json.load(answer) if each["type"] == "page"]
    return pages[0]["webSocketDebuggerUrl"]
