"""One request as the service sees it: its ids, its key, and what is logged of it afterwards."""

from __future__ import annotations

import os
import re
import time
from dataclasses import dataclass, field
from typing import Any

_TRACEPARENT = re.compile(rb"00-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}")


@dataclass(slots=True)
class Call:
    """One request; the guard keeps it at `request.state.call`.

    Attributes
    ----------
    request_id, trace_id, span_id : str
        Hex; the trace id is the caller's if the request carried one (W3C trace context).
    started : float
        `time.perf_counter()` at arrival.
    key : str
        Id of the API key, `-` without one.
    route : str
        The route's template, from a bounded set.
    problem, version : str
        Of the model that answered.
    status, n_rows : int
        HTTP status, and number of predicted rows.
    span : object
        The OpenTelemetry span, where there is tracing.
    """

    request_id: str
    trace_id: str
    span_id: str
    started: float = field(default_factory=time.perf_counter)
    key: str = "-"
    route: str = "other"
    problem: str = ""
    version: str = ""
    status: int = 0
    n_rows: int = 0
    span: Any = None

    def elapsed_s(self) -> float:
        """Return the seconds since arrival."""
        return time.perf_counter() - self.started

    def traceparent(self) -> str:
        """Return the W3C header that names this call."""
        return f"00-{self.trace_id}-{self.span_id}-01"


def begin(traceparent: bytes | None) -> Call:
    """Return a call with new ids, in the caller's trace if the request names one.

    The random part is read from the kernel for each call, so that functions restored from one snapshot never repeat
    an id. A request id begins with its time, as in UUID version 7: an index of ids then grows at its end only.
    """
    random = os.urandom(34).hex()
    found = _TRACEPARENT.fullmatch(traceparent) if traceparent else None
    trace_id = found[1].decode() if found and found[1].strip(b"0") else random[:32]
    return Call(f"{time.time_ns() // 1_000_000:012x}{random[48:]}", trace_id, random[32:48])
