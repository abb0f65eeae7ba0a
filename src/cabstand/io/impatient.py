"""What sends spans without holding anything up: within a deadline in a function, and at the end of a process.

OpenTelemetry's exporter tries again for seconds, and its `force_flush` and `shutdown` keep no deadline.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

logger = logging.getLogger(__name__)

PATIENCE_S = 0.05  # that an answer waits for its span to be sent
PAUSE_S = 30.0  # until a collector that did not answer is tried again, without waiting for it
CLOSE_S = 3.0  # that the end of the process waits; ECS kills a task 120 s after SIGTERM


def within(seconds: float, work: Callable[[], Any]) -> bool:
    """Run something in a thread and return whether it ended in time; if not, it goes on by itself."""
    thread = threading.Thread(target=work, name="spans", daemon=True)
    thread.start()
    thread.join(seconds)
    return not thread.is_alive()


class Impatient:
    """An exporter of spans that waits 50 ms for the collector, and no more once it did not answer.

    After that, one span is tried every 30 s and none is waited for, until one is sent in time again.
    """

    def __init__(self, exporter: Any, success: Any, failure: Any) -> None:
        self._exporter = exporter
        self._success = success
        self._failure = failure
        self._is_open = False  # the circuit: as long as it is, nothing waits
        self._tried_at = 0.0
        self._busy = threading.Lock()

    def export(self, spans: Sequence[Any]) -> Any:
        """Send spans, or give up on them."""
        if self._is_open and time.monotonic() - self._tried_at < PAUSE_S:
            return self._failure
        if not self._busy.acquire(blocking=False):  # the one before is still under way
            return self._failure
        self._tried_at = time.monotonic()
        sent = within(0.0 if self._is_open else PATIENCE_S, lambda: self._send(spans))
        if sent and not self._is_open:
            return self._success
        self._open()
        return self._failure

    def _send(self, spans: Sequence[Any]) -> None:
        try:
            sent = self._exporter.export(spans) is self._success
            if not sent:
                self._open()
            elif self._is_open and time.monotonic() - self._tried_at <= PATIENCE_S:
                self._is_open = False
                logger.info("traces are sent again")
        finally:
            self._busy.release()

    def _open(self) -> None:
        if not self._is_open:
            self._is_open = True
            logger.warning("the collector of traces does not answer in time: no answer waits for it until it does")

    def force_flush(self, timeout_millis: int = 0) -> bool:
        """Return at once: nothing is held back."""
        del timeout_millis
        return True

    def shutdown(self) -> None:
        """Close the connection."""
        self._exporter.shutdown()
