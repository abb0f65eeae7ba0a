"""One request as the service sees it: its ids, its key, and what is logged of it afterwards."""

from __future__ import annotations

import os
import re
import time
from dataclasses import dataclass, field
from typing import Any

_TRACEPARENT = re.compile(rb"00-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}")
STOCK, MAX_STOCK_MS = 32, 1_000
_stock: list[str] = []
_stock_ms = 0


@dataclass(slots=True)
class Call:
    """One request; the guard keeps it at `request.state.call`."""

    request_id: str  # this and the next two in hex
    trace_id: str  # the caller's if the request carried one (W3C trace context)
    span_id: str
    started: float = field(default_factory=time.perf_counter)
    body: bytes = b""  # of a POST, read by the guard
    key: str = "-"  # id of the API key
    route: str = "other"  # the route's template, so from a bounded set
    problem: str = ""
    version: str = ""  # of the model that answered
    status: int = 0
    n_rows: int = 0  # predicted
    span: Any = None  # OpenTelemetry's, where there is tracing

    def elapsed_s(self) -> float:
        """Return the seconds since arrival."""
        return time.perf_counter() - self.started

    def traceparent(self) -> str:
        """Return the W3C header that names this call."""
        return f"00-{self.trace_id}-{self.span_id}-01"


def begin(traceparent: bytes | None) -> Call:
    """Return a call with new ids, in the caller's trace if the request names one.

    A request id begins with its time, as in UUID version 7: an index of ids then grows at its end only.
    """
    now_ms = time.time_ns() // 1_000_000
    random = _random(now_ms)
    found = _TRACEPARENT.fullmatch(traceparent) if traceparent else None
    trace_id = found[1].decode() if found and found[1].strip(b"0") else random[:32]
    return Call(f"{now_ms:012x}{random[48:]}", trace_id, random[32:48])


def _random(now_ms: int) -> str:
    """Return 34 random bytes in hex, from a stock that the kernel refills: asking it takes as long as the model.

    The stock lasts a second at most, so that functions restored from one snapshot never repeat an id.
    """
    global _stock_ms
    if not _stock or abs(now_ms - _stock_ms) > MAX_STOCK_MS:
        fresh, _stock_ms = os.urandom(34 * STOCK).hex(), now_ms
        _stock[:] = [fresh[at : at + 68] for at in range(0, len(fresh), 68)]
    return _stock.pop()
