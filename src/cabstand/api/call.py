"""One request as the service sees it: its ids, its key, and what is logged of it afterwards."""

from __future__ import annotations

import os
import re
import time
from dataclasses import dataclass, field

from cabstand import trace

# https://docs.aws.amazon.com/xray/latest/devguide/xray-concepts.html#xray-concepts-tracingheader
_XRAY = re.compile(
    r"Root=1-([0-9a-f]{8})-([0-9a-f]{24})(?:;Parent=([0-9a-f]{16}))?(?:;Sampled=([01?]))?(?:;Lineage=.*)?"
)
STOCK, MAX_STOCK_MS = 32, 1_000
_stock: list[str] = []
_stock_ms = 0


@dataclass(slots=True)
class Call:
    """One request; the guard keeps it at `request.state.call`."""

    request_id: str  # this and the next two in hex
    trace_id: str  # the caller's if the request carried one (W3C trace context, or X-Ray's header)
    span_id: str
    parent_id: str = ""  # the caller's span
    sampled: bool = True
    gateway_request_id: str = ""  # API Gateway's own, as in its access log
    started: float = field(default_factory=time.perf_counter)
    body: bytes = b""  # of a POST, read by the guard
    key: str = "-"  # id of the API key
    route: str = "other"  # the route's template, so from a bounded set
    problem: str = ""
    version: str = ""  # of the model that answered
    status: int = 0
    n_rows: int = 0  # predicted

    def elapsed_s(self) -> float:
        """Return the seconds since arrival."""
        return time.perf_counter() - self.started

    def traceparent(self) -> str:
        """Return the W3C header that names this call."""
        return f"00-{self.trace_id}-{self.span_id}-{int(self.sampled):02x}"


def begin(traceparent: bytes | None, xray: bytes | None = None) -> Call:
    """Return a call with new ids, in the caller's trace if the request names one.

    A request id begins with its time, as in UUID version 7: an index of ids then grows at its end only.
    """
    now_ms = time.time_ns() // 1_000_000
    random = _random(now_ms)
    parent = trace.parse(traceparent.decode("latin-1")) if traceparent else None
    parent = parent or _xray_parent(xray.decode("latin-1") if xray else "") or (random[:32], "", True)
    return Call(f"{now_ms:012x}{random[48:]}", parent[0], random[32:48], *parent[1:])


def _xray_parent(header: str) -> tuple[str, str, bool] | None:
    """Return trace id, span id (empty if there is none yet) and whether it is sampled, of X-Ray's header."""
    found = _XRAY.fullmatch(header)
    return (found[1] + found[2], found[3] or "", found[4] != "0") if found else None


def _random(now_ms: int) -> str:
    """Return 34 random bytes in hex, from a stock that the kernel refills: asking it takes as long as the model.

    The stock lasts a second at most, so that functions restored from one snapshot never repeat an id.
    """
    global _stock_ms
    if not _stock or abs(now_ms - _stock_ms) > MAX_STOCK_MS:
        fresh, _stock_ms = os.urandom(34 * STOCK).hex(), now_ms
        _stock[:] = [fresh[at : at + 68] for at in range(0, len(fresh), 68)]
    return _stock.pop()
