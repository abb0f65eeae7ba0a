"""The log of requests and predictions: to files from a thread, or to Lambda's log at once.

Neither delays or fails an answer: the queue is bounded, and what does not fit is dropped and counted.
"""

from __future__ import annotations

import logging
import sys
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TextIO

from pydantic_core import to_json

from cabstand.api.call import Call
from cabstand.errors import CabstandError
from cabstand.io.prediction_lines import PredictedRows, Record, line
from cabstand.log import SCHEMA_VERSION

if TYPE_CHECKING:
    from cabstand.io.predictions import PredictionFiles

logger = logging.getLogger(__name__)

MAX_PENDING = 20_000
# A thread that writes takes the interpreter's lock from the one that answers, so it writes once a second, or earlier
# if the queue is half full.
PAUSE_S = 1.0
# The metrics in the line of a Lambda function's request, in CloudWatch's units.
UNITS = {
    "Requests": "Count",
    "Errors4xx": "Count",
    "Errors5xx": "Count",
    "LatencyMs": "Milliseconds",
    "Predictions": "Count",
    "PredictionsDropped": "Count",
}


def iso(at: float) -> str:
    """Return seconds since the epoch as ISO 8601 in UTC, with microseconds."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="microseconds")


def request_record(call: Call, method: str, latency_s: float, at: float) -> Record:
    """Return what the log says of a request: never its body, its key or its address."""
    return {
        "schema_version": SCHEMA_VERSION,
        "event": "request",
        "time": iso(at),
        "level": "info",
        "request_id": call.request_id,
        "trace_id": call.trace_id,
        "span_id": call.span_id,
        "method": method,
        "route": call.route,
        "status": call.status,
        "latency_ms": round(latency_s * 1e3, 3),
        "key": call.key,
        "problem": call.problem,
        "version": call.version,
        "rows": call.n_rows,
    }


class Threaded:
    """Telemetry by a thread: predictions to files, request lines to a stream; None of either leaves them out."""

    def __init__(self, files: PredictionFiles | None, stream: TextIO | None, retention_days: int) -> None:
        self.dropped = 0
        self._files = files
        self._stream = stream
        self._retention_days = retention_days
        self._requests: list[Record] = []
        self._predictions: list[Record] = []
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._closed = False
        self._retained_at = float("-inf")
        self._thread = threading.Thread(target=self._run, name="telemetry", daemon=True)
        self._thread.start()

    def predicted(self, rows: PredictedRows) -> None:
        """Queue predicted rows, or count them as dropped."""
        if self._files is not None:
            self._put(self._predictions, rows.records())

    def answered(self, call: Call, method: str, latency_s: float) -> None:
        """Queue a finished request."""
        if self._stream is not None:
            self._put(self._requests, [request_record(call, method, latency_s, time.time())])

    def close(self) -> None:
        """Write what is pending and stop."""
        self._closed = True
        self._wake.set()
        self._thread.join(timeout=30)

    def _put(self, queue: list[Record], records: list[Record]) -> None:
        with self._lock:
            if len(self._requests) + len(self._predictions) + len(records) > MAX_PENDING:
                self.dropped += len(records)
            else:
                queue.extend(records)
            if len(self._requests) + len(self._predictions) > MAX_PENDING // 2:
                self._wake.set()

    def _run(self) -> None:
        while not self._closed:
            self._wake.wait(PAUSE_S)
            self._wake.clear()
            self._drain()
        self._drain()
        if self._files is not None:
            self._files.close()

    def _drain(self) -> None:
        for queue, write in ((self._requests, self._write), (self._predictions, self._store)):
            with self._lock:
                records = queue.copy()
                queue.clear()
            try:
                write(records)
            except (CabstandError, OSError, ValueError) as error:  # ValueError: the stream was closed under us
                if not self.dropped:
                    logger.error("log not written: %s", error)
                with self._lock:
                    self.dropped += len(records)

    def _write(self, requests: list[Record]) -> None:
        if self._stream is None or not requests:
            return
        self._stream.write("".join(f"{to_json(one).decode()}\n" for one in requests))
        self._stream.flush()

    def _store(self, predictions: list[Record]) -> None:
        if self._files is None or not predictions:
            return
        self._files.append(predictions)
        if time.monotonic() - self._retained_at > 3600:
            self._retained_at = time.monotonic()
            self._files.retain(self._retention_days, datetime.now(UTC))


class Immediate:
    """Telemetry of a Lambda function: lines on stdout before the answer, as it may be frozen right after.

    CloudWatch reads the metrics from the request's line (embedded metric format), so no call is made for them.
    """

    def __init__(self, stream: TextIO | None = None, gauges: Callable[[], dict[str, float]] = dict) -> None:
        self.dropped = 0
        self._stream = stream or sys.stdout
        self._gauges = gauges
        self._unreported = 0  # predictions among the dropped lines that no request's line has told of
        self._held: list[Record] = []
        units = UNITS | dict.fromkeys(gauges(), "None")
        metrics = [{"Name": name, "Unit": unit} for name, unit in units.items()]
        self._directive = {"Namespace": "cabstand", "Dimensions": [["service"]], "Metrics": metrics}

    def predicted(self, rows: PredictedRows) -> None:
        """Keep the rows until the request's own line, which follows at once."""
        self._held += rows.records()

    def answered(self, call: Call, method: str, latency_s: float) -> None:
        """Write a line for each predicted row, then the request's line with its metrics."""
        at = time.time()
        request = request_record(call, method, latency_s, at) | {
            "gateway_request_id": call.gateway_request_id,
            "service": "api",
            "Requests": 1,
            "Errors4xx": int(400 <= call.status < 500),
            "Errors5xx": int(call.status >= 500),
            "LatencyMs": round(latency_s * 1e3, 3),
            "Predictions": call.n_rows,
            "PredictionsDropped": self._unreported,
            **self._gauges(),
            "_aws": {"Timestamp": int(at * 1000), "CloudWatchMetrics": [self._directive]},
        }
        predictions, self._held = self._held, []
        try:
            self._stream.write(b"".join([*map(line, predictions), to_json(request), b"\n"]).decode())
            self._stream.flush()
            self._unreported = 0
        except (OSError, ValueError):
            self._unreported += len(predictions)
            self.dropped += len(predictions) + 1

    def close(self) -> None:
        """Nothing is pending."""


Telemetry = Threaded | Immediate
