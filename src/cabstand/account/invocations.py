"""The requests that each version of the function answered, read from its log.

The log is the one source that AWS and the account on a laptop share in which versions, failed answers and single
durations are: CloudWatch's metrics count crashes by version, but no answer with a status of 500, and give no durations
to rank. Lambda writes START, which names the version, and REPORT around what one request logs, and an environment
serves one request at a time. A request is good if the service's own line says that it was answered, with less than 500.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from cabstand.io.aws import items
from cabstand.monitoring.canary import Sample

# Longer than the function may take, and than lines may be late.
LOST_AFTER_MS = 60_000
_PATTERN = "?START ?REPORT ?LatencyMs"  # the last is in the service's line of each request
_START = re.compile(r"START RequestId: \S+ Version: (\S+)")
_REPORT = re.compile(r"REPORT RequestId: .*?\tDuration: ([\d.]+) ms")
_COLD = ("Init Duration", "Restore Duration")


class Invocation(NamedTuple):
    """One request: when it began, which version answered, whether it failed, and its duration if it was warm."""

    at_ms: int
    version: str
    failed: bool
    duration_ms: float | None


@dataclass
class _Begun:
    at_ms: int
    version: str
    good: bool = False

    def ended(self, duration_ms: float | None = None) -> Invocation:
        return Invocation(self.at_ms, self.version, not self.good, duration_ms)


class Log:
    """The function's log since a time, in milliseconds since the epoch; each `read` fetches only what is new."""

    def __init__(self, function: str, since_ms: int) -> None:
        self._group, self._from_ms = f"/aws/lambda/{function}", since_ms
        self._events: dict[str, Mapping[str, Any]] = {}

    def read(self, now_ms: int) -> list[Invocation]:
        """Return all requests that have ended."""
        request: dict[str, Any] = {"startTime": self._from_ms, "filterPattern": _PATTERN}
        for event in items("logs", "filter_log_events", "events[]", logGroupName=self._group, **request):
            self._events[event["eventId"]] = event
        newest = max((one["timestamp"] for one in self._events.values()), default=0)
        self._from_ms = max(self._from_ms, newest - LOST_AFTER_MS)
        return list(parse(self._events.values(), now_ms))


def parse(events: Iterable[Mapping[str, Any]], now_ms: int) -> Iterator[Invocation]:
    """Yield the requests in events of CloudWatch Logs; one without an end failed once another follows, or it is old."""
    begun: dict[str, _Begun] = {}
    for event in sorted(events, key=lambda event: event["timestamp"]):
        stream, text = event["logStreamName"], event["message"]
        if found := _START.match(text):
            if lost := begun.get(stream):
                yield lost.ended()
            begun[stream] = _Begun(event["timestamp"], found[1])
        elif stream not in begun:
            continue
        elif found := _REPORT.match(text):
            is_cold = any(word in text for word in _COLD)
            yield begun.pop(stream).ended(None if is_cold else float(found[1]))
        else:
            begun[stream].good |= _is_good(text)
    yield from (one.ended() for one in begun.values() if now_ms - one.at_ms > LOST_AFTER_MS)


def _is_good(text: str) -> bool:
    """Return whether a line is the service's own of a request that it answered well."""
    if '"request"' not in text:
        return False
    try:
        line = json.loads(text)
    except ValueError:
        return False
    return isinstance(line, dict) and line.get("event") == "request" and int(line.get("status", 500)) < 500


def sample(invocations: Iterable[Invocation], version: str, since_ms: int) -> Sample:
    """Return one version's requests since a time."""
    own = [one for one in invocations if one.version == version and one.at_ms >= since_ms]
    durations = [one.duration_ms for one in own if one.duration_ms is not None]
    return Sample(len(own), sum(one.failed for one in own), durations)
