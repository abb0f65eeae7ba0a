"""Where a finished request and its predictions are told: to files from a thread, or to Lambda's log at once.

Neither slows or fails an answer: the queue is bounded, what does not fit is dropped and counted.
"""

from __future__ import annotations

import logging
import sys
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache, lru_cache
from typing import Protocol, TextIO

from pydantic_core import to_json

from cabstand.api.call import Call
from cabstand.errors import CabstandError
from cabstand.io.prediction_lines import Entry, Told, entry, lines
from cabstand.io.predictions import PredictionFiles

logger = logging.getLogger(__name__)

MOST_PENDING = 20_000
# A thread that writes takes the interpreter's lock from the one that answers: seldom and much costs less than often.
PAUSE_S = 0.25
RETAIN_EVERY_S = 3600.0


class Telemetry(Protocol):
    """Where finished requests go."""

    dropped: int

    def predicted(self, told: Told) -> None:
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


def request_line(call: Call, method: str, latency_s: float, at: float) -> str:
    """Return what the log says of a request, as JSON: never its body, its key or its address."""
    what, who = _named(method, call.route, call.key, call.problem, call.version)
    ids = f'"request_id":"{call.request_id}","trace_id":"{call.trace_id}"'
    figures = f'"status":{call.status},"latency_ms":{round(latency_s * 1e3, 3)!r}'
    return f'{{"event":"request","time":"{iso(at)}",{ids},{what},{figures},{who},"rows":{call.n_rows}}}'


@lru_cache(512)
def _named(method: str, route: str, key: str, problem: str, version: str) -> tuple[str, str]:
    """Return those parts of a request's line that are the same for many, each from a bounded set."""
    what, who = {"method": method, "route": route}, {"key": key, "problem": problem, "version": version}
    return to_json(what)[1:-1].decode(), to_json(who)[1:-1].decode()


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
        self._pending: list[str | Entry] = []
        self._n_pending = 0
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._retained_at = float("-inf")
        self._thread = threading.Thread(target=self._run, name="telemetry", daemon=True)
        self._thread.start()

    def predicted(self, told: Told) -> None:
        """Queue an answered prediction, or count its rows as dropped."""
        # Written out at once, while all of it is at hand: the thread would take the interpreter's lock for it.
        if self._files is not None:
            self._put(entry(told), len(told.rows))

    def answered(self, call: Call, method: str, latency_s: float) -> None:
        """Queue a finished request."""
        if self._stream is not None:
            self._put(request_line(call, method, latency_s, time.time()), 1)

    def close(self) -> None:
        """Write what is pending and stop."""
        self._stopped.set()
        self._thread.join(timeout=30)

    def _put(self, item: str | Entry, size: int) -> None:
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
        if self._files is not None:
            self._files.close()

    def _drain(self) -> None:
        with self._lock:
            items, self._pending, self._n_pending = self._pending, [], 0
        requests = [item for item in items if isinstance(item, str)]
        entries = [item for item in items if isinstance(item, Entry)]
        if requests:
            self._attempt(lambda: self._write("\n".join(requests) + "\n"), len(requests))
        if entries:
            self._attempt(lambda: self._store(entries), sum(len(one.values) for one in entries))

    def _write(self, text: str) -> None:
        assert self._stream is not None
        self._stream.write(text)
        self._stream.flush()

    def _store(self, entries: list[Entry]) -> None:
        assert self._files is not None
        self._files.append(entries)
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
        self._held = ""

    def predicted(self, told: Told) -> None:
        """Keep one line a predicted row for the request's own line, which follows at once."""
        self._held += lines(told)

    def answered(self, call: Call, method: str, latency_s: float) -> None:
        """Write the request's line with its metrics."""
        at = time.time()
        gauges = self._gauges()
        content = {
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
        directive = f',"_aws":{{"Timestamp":{int(at * 1000)},"CloudWatchMetrics":[{_directive(*gauges)}]}}}}\n'
        told, self._held = self._held + request_line(call, method, latency_s, at)[:-1], ""
        self._write(f"{told},{to_json(content)[1:-1].decode()}{directive}")

    def close(self) -> None:
        """Nothing is pending."""

    def _write(self, text: str) -> None:
        try:
            self._stream.write(text)
            self._stream.flush()
        except (OSError, ValueError):
            self.dropped += 1


@cache
def _directive(*gauges: str) -> str:
    """Return what tells CloudWatch which items of a request's line are metrics; the same with each line."""
    units = dict.fromkeys(("Requests", "Errors4xx", "Errors5xx"), "Count") | {"LatencyMs": "Milliseconds"}
    units |= dict.fromkeys(("Predictions", "PredictionsDropped"), "Count") | dict.fromkeys(gauges, "None")
    metrics = [{"Name": name, "Unit": unit} for name, unit in units.items()]
    return to_json({"Namespace": Immediate.NAMESPACE, "Dimensions": [["service"]], "Metrics": metrics}).decode()
