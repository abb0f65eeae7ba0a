"""The span of a request, from what the service knows of it at its end."""

from __future__ import annotations

import time

from cabstand.api.call import Call
from cabstand.trace import Span


def span(call: Call, method: str) -> Span:
    """Return the request's span, which ends now."""
    ended = time.time_ns()
    return Span(
        f"{method} {call.route}",
        call.trace_id,
        call.span_id,
        call.parent_id,
        call.sampled,
        kind="server",
        started_ns=ended - int(call.elapsed_s() * 1e9),
        ended_ns=ended,
        attributes={
            "http.request.method": method,
            "http.route": call.route,
            "http.response.status_code": call.status,
            "cabstand.request_id": call.request_id,
            "cabstand.problem": call.problem,
            "cabstand.version": call.version,
            "cabstand.rows": call.n_rows,
        },
        error=f"status {call.status}" if call.status >= 500 else "",
    )
