"""A thread that passes on, in batches, what others have gathered; it sleeps while there is nothing."""

from __future__ import annotations

import threading
from collections.abc import Callable


class Batches:
    """Calls `flush` some time after `soon` was called, and at the end.

    Parameters
    ----------
    name : str
        Of the thread.
    flush : callable
        Passes on what waits; it must not raise.
    every_s : float
        How long to gather.
    """

    def __init__(self, name: str, flush: Callable[[], None], every_s: float) -> None:
        self._flush, self._every_s = flush, every_s
        self._wanted, self._stop = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def soon(self) -> None:
        """Say that there is something."""
        if not self._wanted.is_set():  # cheaper than setting it again
            self._wanted.set()

    def close(self) -> None:
        """Pass on what waits, and end."""
        self._stop.set()
        self._wanted.set()
        self._thread.join()
        self._flush()

    def _run(self) -> None:
        while self._wanted.wait() and not self._stop.wait(self._every_s):
            self._wanted.clear()
            self._flush()
