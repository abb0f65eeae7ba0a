"""What each version answered, read from lines as Lambda writes them."""

from __future__ import annotations

import json
from typing import Any

from cabstand.account.invocations import LOST_AFTER_MS, Invocation, parse, sample

REPORT = "REPORT RequestId: {}\tDuration: {} ms\tBilled Duration: 9 ms\tMemory Size: 128 MB\tMax Memory Used: 9 MB\t"


def answered(status: int) -> str:
    return json.dumps({"event": "request", "status": status, "LatencyMs": 1.5})


def lines(stream: str, version: str, at: int, *inside: str, took: str = "8.25", report: bool = True) -> list[Any]:
    texts = [f"START RequestId: {at} Version: {version}", *inside, *([REPORT.format(at, took)] if report else [])]
    return [{"logStreamName": stream, "timestamp": at + n, "message": text} for n, text in enumerate(texts)]


def test_a_request_is_good_if_the_service_says_so() -> None:
    events = [
        *lines("a", "1", 0, answered(200)),
        *lines("b", "2", 1, answered(500)),
        *lines("a", "1", 10, "[ERROR] ValueError: bad"),
        *lines("b", "2", 11, '{"event":"prediction","status":200}', answered(404)),
    ]
    found = list(parse(events, 100))
    assert found == [
        Invocation(0, "1", False, 8.25),
        Invocation(1, "2", True, 8.25),
        Invocation(10, "1", True, 8.25),
        Invocation(11, "2", False, 8.25),
    ]
    assert sample(found, "1", 5).n == 1
    assert sample(found, "1", 0).n_failed == 1
    assert sample(found, "2", 0).durations_ms == [8.25, 8.25]


def test_a_cold_start_counts_but_its_duration_does_not() -> None:
    cold = lines("a", "1", 0, answered(200))
    cold[-1]["message"] += "Init Duration: 900 ms"
    laptop = "REPORT RequestId: x\tInit Duration: 0.02 ms\tDuration: 167.48 ms\tBilled Duration: 168 ms"
    cold += [
        *lines("b", "1", 0, answered(200), report=False),
        {"logStreamName": "b", "timestamp": 5, "message": laptop},
    ]
    assert [one.duration_ms for one in parse(cold, 100)] == [None, None]
    assert not any(one.failed for one in parse(cold, 100))


def test_a_request_without_an_end_failed_once_that_is_sure() -> None:
    crashed = lines("a", "1", 0, "does exit", report=False)
    assert list(parse(crashed, 100)) == [], "it may still run"
    assert [one.failed for one in parse([*crashed, *lines("a", "1", 50, answered(200))], 100)] == [True, False]
    assert [one.failed for one in parse(crashed, LOST_AFTER_MS + 1)] == [True]
    assert list(parse(lines("a", "1", 0, answered(200))[1:], 100)) == [], "it began before the log was read"
