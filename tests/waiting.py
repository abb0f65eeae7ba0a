"""Wait until something holds, with a limit."""

from __future__ import annotations

import time
from collections.abc import Callable


def until(holds: Callable[[], object], timeout_s: float = 30, every_s: float = 0.05) -> None:
    """Ask until the answer is true; fail after `timeout_s`."""
    end = time.monotonic() + timeout_s
    while not holds():
        assert time.monotonic() < end, f"did not hold within {timeout_s:g} s"
        time.sleep(every_s)
