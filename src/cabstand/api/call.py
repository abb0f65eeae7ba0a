"""One request as the service's own parts see it: its ids, its key, what is to be told of it afterwards."""

from __future__ import annotations

import os
import re
import time
from dataclasses import dataclass, field
from typing import Any

SCOPE = "cabstand"
_TRACEPARENT = re.compile(rb"00-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}")


@dataclass(slots=True)
class Call:
    """One request.

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
    body : bytes
        The whole request body, within its limit.
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
    body: bytes = b""
    span: Any = None

    def elapsed_s(self) -> float:
        """Return the seconds since arrival."""
        return time.perf_counter() - self.started

    def traceparent(self) -> str:
        """Return the W3C header that names this call."""
        return f"00-{self.trace_id}-{self.span_id}-01"


def begin(traceparent: bytes | None) -> Call:
    """Return a call with ids of its own, in the caller's trace if it names one.

    What is random comes from the kernel at each call, so that functions restored from one snapshot do not repeat it.
    A request's id begins with its time (as UUIDs of version 7 do): an index of ids grows at its end, and is not
    written anew from page to page.
    """
    random = os.urandom(34).hex()
    found = _TRACEPARENT.fullmatch(traceparent) if traceparent else None
    trace_id = found[1].decode() if found and found[1].strip(b"0") else random[:32]
    return Call(f"{time.time_ns() // 1_000_000:012x}{random[48:]}", trace_id, random[32:48])


def of(scope: Any) -> Call:
    """Return the call that the guard put into an ASGI scope."""
    call: Call = scope[SCOPE]
    return call
