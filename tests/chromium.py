"""Chromium as a test drives it: over a pipe, with the DevTools protocol, in real time and with real keys."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

SWITCHES = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync --hide-scrollbars"
)
WAIT_S = 60.0


class Browser:
    """A page in Chromium; `seen` has every event that it sent."""

    def __init__(self, to: int, back: int) -> None:
        self._to, self._back, self._rest, self._last = to, back, b"", 0
        self._session: dict[str, str] = {}
        self.seen: list[dict[str, Any]] = []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = {"sessionId": self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]}
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **params: Any) -> Any:
        """Send a command and return its result."""
        self._last += 1
        message = {"id": self._last, "method": method, "params": params, **self._session}
        os.write(self._to, json.dumps(message).encode() + b"\0")
        for answer in self._messages():
            if answer.get("id") == self._last:
                assert "error" not in answer, answer["error"]
                return answer["result"]
            self.seen.append(answer)
        raise AssertionError("Chromium has gone")

    def _messages(self) -> Iterator[dict[str, Any]]:
        while True:
            while b"\0" in self._rest:
                message, _, self._rest = self._rest.partition(b"\0")
                yield json.loads(message)
            data = os.read(self._back, 1 << 20)
            if not data:
                return
            self._rest += data

    def open(self, page: Path, size: tuple[int, int] = (1440, 1000), *, dark: bool = False) -> None:
        """Show a file, and wait until its map, if it has one, is drawn."""
        shape = {"width": size[0], "height": size[1], "deviceScaleFactor": 1, "mobile": size[0] < 600}
        self.call("Emulation.setDeviceMetricsOverride", **shape)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])
        self.seen.clear()
        self.call("Page.navigate", url=page.as_uri())
        drawn = "!document.getElementById('map-data') || document.documentElement.dataset.map === 'whole'"
        self.until(f"document.readyState === 'complete' && ({drawn})")

    def ask(self, script: str) -> Any:
        """Return what a script comes to; a promise is waited for."""
        found = self.call("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in found, found["exceptionDetails"]
        return found["result"].get("value")

    def until(self, condition: str) -> None:
        """Wait until a condition holds in the page."""
        end = time.monotonic() + WAIT_S
        while not self.ask(condition):
            assert time.monotonic() < end, condition
            time.sleep(0.02)

    def press(self, key: str) -> None:
        """Press a key such as `Tab` or `ArrowRight`."""
        code = {"Tab": 9, "ArrowRight": 39, "ArrowLeft": 37, "End": 35, "Home": 36, " ": 32}[key]
        for kind in ("rawKeyDown", "keyUp"):
            self.call("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=code)

    @property
    def complaints(self) -> list[dict[str, Any]]:
        """What the page said on the console, threw or logged."""
        kinds = {"Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Log.entryAdded"}
        return [one["params"] for one in self.seen if one["method"] in kinds]

    @property
    def requests(self) -> list[str]:
        """Addresses that were asked for, but for those that the page itself holds."""
        sent = [one["params"]["request"]["url"] for one in self.seen if one["method"] == "Network.requestWillBeSent"]
        return [url for url in sent if not url.startswith("data:")]


@contextmanager
def browser(folder: Path) -> Iterator[Browser]:
    """Run Chromium with its profile in a folder; the test is skipped without it."""
    found = shutil.which("chromium")
    if not found:
        pytest.skip("no chromium on this machine (Debian package chromium)")
    (theirs, to), (back, answers) = os.pipe(), os.pipe()
    command = f"exec {found} {SWITCHES} --user-data-dir={folder} --remote-debugging-pipe 3<&{theirs} 4>&{answers}"
    process = subprocess.Popen(["bash", "-c", command], pass_fds=(theirs, answers), stderr=subprocess.DEVNULL)
    os.close(theirs)
    os.close(answers)
    try:
        yield Browser(to, back)
    finally:
        process.terminate()
        process.wait()
        os.close(to)
        os.close(back)
