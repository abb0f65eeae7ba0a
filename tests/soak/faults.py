"""Faults between the function and the emulator's S3, by microburst, which answers in the SDK's own error format."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2

from cabstand.local.ports import free_port, wait_until_open

Rule = dict[str, Any]
SOME = 0.3  # of the calls: five attempts of the SDK all fail once in 400 calls
SLOW_DOWN: Rule = {"service": "s3", "error": {"code": "SlowDown", "status": 503}}
ERRORS: Rule = SLOW_DOWN | {"probability": SOME}
RESETS: Rule = {"service": "s3", "probability": SOME, "reset": True}
LATENCY: Rule = {"service": "s3", "latency": {"min": 50, "max": 500}}  # milliseconds
SDK_ATTEMPTS = 5  # of cabstand.io.s3


class Faults:
    """A running proxy, which passes everything on until it is given rules."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._fired: set[tuple[float, str]] = set()

    def set(self, *rules: Rule) -> None:
        """Replace the rules; none pass everything on."""
        self._keep()
        httpx2.post(f"{self.url}/_microburst/rules", json=list(rules), timeout=30).raise_for_status()

    def fired(self) -> list[tuple[float, str]]:
        """Return seconds since the epoch and kind of each fault so far."""
        self._keep()
        return sorted(self._fired)

    def n_calls(self) -> int:
        """Return how many calls of S3 came here."""
        return int(self._ask("stats")["requests"]["total"])

    def _keep(self) -> None:
        """Fetch the proxy's record, which holds the last ones alone."""
        self._fired |= {(one["ts"], one["action"]) for one in self._ask("fired?limit=100000")}

    def _ask(self, what: str) -> Any:
        return httpx2.get(f"{self.url}/_microburst/{what}", timeout=30).raise_for_status().json()


def beyond_retries(fired: Sequence[tuple[float, str]], at: float, within_s: float = 30.0) -> bool:
    """Return whether the proxy broke as many calls shortly before a time as the SDK attempts."""
    return sum(at - within_s <= moment <= at and "latency" not in action for moment, action in fired) >= SDK_ATTEMPTS


@contextmanager
def proxied(target: str, log: Path) -> Iterator[Faults]:
    """Run the proxy in front of an address for the duration of the block."""
    port = free_port()
    command = [sys.executable, "-m", "microburst", "--upstream", target, "--port", str(port), "--no-resign"]
    with log.open("wb") as out, subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT) as process:
        try:
            wait_until_open(port, lambda: process.poll() is None, "microburst")
            yield Faults(f"http://127.0.0.1:{port}")
        finally:
            process.terminate()
            process.wait(20)
