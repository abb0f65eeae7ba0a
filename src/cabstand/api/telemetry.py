"""Where a finished request and its predictions are told: to files from a thread, or to Lambda's log at once.

Neither slows or fails an answer: the queue is bounded, what does not fit is dropped and counted.
"""

from __future__ import annotations

import logging
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache, lru_cache
from typing import Any, Protocol, TextIO

from pydantic_core import from_json, to_json

from cabstand.api.call import Call
from cabstand.errors import CabstandError
from cabstand.io.predictions import PredictionFiles, Record, lines

logger = logging.getLogger(__name__)

MOST_PENDING = 20_000
AT_ONCE = 500  # items written in one go: what is made of them to be written stays small, however long the queue
PAUSE_S = 0.1
RETAIN_EVERY_S = 3600.0


@dataclass(slots=True, frozen=True)
class Prediction:
    """One answered request: `rows` are the fields as they were sent, by their index in it; answers are JSON."""

    call: Call
    at: float
    role: str
    latency_s: float
    rows: list[tuple[int, dict[str, Any]]]
    answers: list[bytes]

    def records(self) -> list[Record]:
        """Return one record a predicted row."""
        common = self._common()
        return [
            {
                "request_id": common["request_id"],
                "row": row,
                **common,
                "features": features,
                "answer": from_json(answer),
            }
            for (row, features), answer in zip(self.rows, self.answers, strict=True)
        ]

    def lines(self) -> bytes:
        """Return one line a predicted row, as `records` tells it."""
        return lines(self._common(), self.rows, self.answers)

    def _common(self) -> Record:
        call = self.call
        return {
            "request_id": call.request_id,
            "at": iso(self.at),
            "problem": call.problem,
            "version": call.version,
            "role": self.role,
            "key": call.key,
            "latency_ms": round(self.latency_s * 1e3, 3),
            "trace_id": call.trace_id,
        }


class Telemetry(Protocol):
    """Where finished requests go."""

    dropped: int

    def predicted(self, prediction: Prediction) -> None:
        """Take an answered prediction."""

    def answered(self, call: Call, method: str, latency_s: float) -> None:
        """Take a finished request."""

    def close(self) -> None:
        """Write what is pending."""


def iso(at: float) -> str:
    """Return seconds since the epoch as ISO 8601 in UTC, with microseconds."""
    second = int(at // 1)
    return f"{_second(second)}.{int((at - second) * 1e6):06d}+00:00"


@lru_cache(4)
def _second(at: int) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def request_line(call: Call, method: str, latency_s: float, at: float) -> dict[str, Any]:
    """Return what the log says of a request: never its body, its key or its address."""
    return {
        "event": "request",
        "time": iso(at),
        "request_id": call.request_id,
        "trace_id": call.trace_id,
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
    """Telemetry by a thread: predictions to files (if there are any), request lines to a stream.

    Parameters
    ----------
    files : PredictionFiles or None
        The prediction log; None keeps none.
    stream : text file, optional
        Where request lines go; None writes none.
    retention_days : int
        What is older is deleted, every hour.
    """

    def __init__(self, files: PredictionFiles | None, stream: TextIO | None, retention_days: int) -> None:
        self.dropped = 0
        self._files = files
        self._stream = stream
        self._retention_days = retention_days
        self._pending: deque[Prediction | tuple[Call, str, float, float]] = deque()
        self._n_pending = 0
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._retained_at = float("-inf")
        self._thread = threading.Thread(target=self._run, name="telemetry", daemon=True)
        self._thread.start()

    def predicted(self, prediction: Prediction) -> None:
        """Queue an answered prediction, or count its rows as dropped."""
        if self._files is not None:
            self._put(prediction, len(prediction.rows))

    def answered(self, call: Call, method: str, latency_s: float) -> None:
        """Queue a finished request."""
        if self._stream is not None:
            self._put((call, method, latency_s, time.time()), 1)

    def close(self) -> None:
        """Write what is pending and stop."""
        self._stopped.set()
        self._thread.join(timeout=30)

    def _put(self, item: Any, size: int) -> None:
        with self._lock:
            if self._n_pending + size > MOST_PENDING:
                self.dropped += size
                return
            self._n_pending += size
            self._pending.append(item)

    def _run(self) -> None:
        while not self._stopped.wait(PAUSE_S):
            self._drain()
        self._drain()

    def _drain(self) -> None:
        while items := self._take():
            self._tell(items)

    def _take(self) -> list[Prediction | tuple[Call, str, float, float]]:
        with self._lock:
            items = [self._pending.popleft() for _ in range(min(AT_ONCE, len(self._pending)))]
            self._n_pending -= sum(len(item.rows) if isinstance(item, Prediction) else 1 for item in items)
        return items

    def _tell(self, items: list[Prediction | tuple[Call, str, float, float]]) -> None:
        predictions = [item for item in items if isinstance(item, Prediction)]
        requests = [item for item in items if not isinstance(item, Prediction)]
        if requests and self._stream is not None:
            lines = [to_json(request_line(*item)).decode() for item in requests]
            self._attempt(lambda: self._write("\n".join(lines) + "\n"), len(lines))
        if predictions and self._files is not None:
            records = [record for one in predictions for record in one.records()]
            self._attempt(lambda: self._store(records), len(records))

    def _write(self, text: str) -> None:
        assert self._stream is not None
        self._stream.write(text)
        self._stream.flush()

    def _store(self, records: list[Record]) -> None:
        assert self._files is not None
        self._files.append(records)
        if time.monotonic() - self._retained_at > RETAIN_EVERY_S:
            self._retained_at = time.monotonic()
            self._files.retain(self._retention_days, datetime.now(UTC))

    def _attempt(self, write: Callable[[], None], size: int) -> None:
        try:
            write()
        except (CabstandError, OSError, ValueError) as error:  # ValueError: the stream was closed under us
            if not self.dropped:
                logger.error("log not written: %s", error)
            with self._lock:
                self.dropped += size


class Immediate:
    """Telemetry of a Lambda function: lines on stdout before the answer, as it may be frozen right after.

    CloudWatch reads the metrics out of the request's line (embedded metric format), so no call is made for them.
    """

    NAMESPACE = "cabstand"

    def __init__(self, stream: TextIO | None = None, gauges: Callable[[], dict[str, float]] = dict) -> None:
        self.dropped = 0
        self._stream = stream or sys.stdout
        self._gauges = gauges
        self._told = 0
        self._held = b""

    def predicted(self, prediction: Prediction) -> None:
        """Keep one line a predicted row for the request's own line, which follows at once."""
        self._held += prediction.lines()

    def answered(self, call: Call, method: str, latency_s: float) -> None:
        """Write the request's line with its metrics."""
        at = time.time()
        gauges = self._gauges()
        content = request_line(call, method, latency_s, at) | {
            "service": "api",
            "Requests": 1,
            "Errors4xx": int(400 <= call.status < 500),
            "Errors5xx": int(call.status >= 500),
            "LatencyMs": round(latency_s * 1e3, 3),
            "Predictions": call.n_rows,
            "PredictionsDropped": self.dropped - self._told,
            **gauges,
        }
        self._told = self.dropped
        directive = b',"_aws":{"Timestamp":%d,"CloudWatchMetrics":[%b]}}\n' % (int(at * 1000), _directive(*gauges))
        told, self._held = self._held + to_json(content)[:-1] + directive, b""
        self._write(told.decode())

    def close(self) -> None:
        """Nothing is pending."""

    def _write(self, text: str) -> None:
        try:
            self._stream.write(text)
            self._stream.flush()
        except (OSError, ValueError):
            self.dropped += 1


@cache
def _directive(*gauges: str) -> bytes:
    """Return what tells CloudWatch which items of a request's line are metrics; the same with each line."""
    units = dict.fromkeys(("Requests", "Errors4xx", "Errors5xx"), "Count") | {"LatencyMs": "Milliseconds"}
    units |= dict.fromkeys(("Predictions", "PredictionsDropped"), "Count") | dict.fromkeys(gauges, "None")
    metrics = [{"Name": name, "Unit": unit} for name, unit in units.items()]
    return to_json({"Namespace": Immediate.NAMESPACE, "Dimensions": [["service"]], "Metrics": metrics})
