"""What is gathered is passed on once, soon, and at the end; metrics of equal values are one datum."""

from __future__ import annotations

import logging
import threading
from itertools import chain
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError

from cabstand.local.batches import Batches
from cabstand.local.metrics.publisher import MOST_DATA, Publisher
from waiting import until


def test_nothing_is_lost_and_idle_times_are_quiet() -> None:
    waiting: list[int] = []
    flushed: list[list[int]] = []
    lock = threading.Lock()

    def flush() -> None:
        with lock:
            flushed.append(waiting[:])
            waiting.clear()

    batches = Batches("test", flush, 0.05)
    threading.Event().wait(0.3)
    assert flushed == []
    for n in range(100):
        with lock:
            waiting.append(n)
        batches.soon()
    until(lambda: [*chain(*flushed)] == [*range(100)])
    waiting.append(100)
    batches.close()
    assert [*chain(*flushed)] == [*range(101)]


class CloudWatch:
    """What PutMetricData gets; it does not answer while `away`."""

    def __init__(self) -> None:
        self.calls: list[dict[str, Any]] = []
        self.away = False

    def put_metric_data(self, **given: Any) -> None:
        if self.away:
            raise EndpointConnectionError(endpoint_url="http://127.0.0.1")
        self.calls.append(given)


def test_equal_values_are_one_datum() -> None:
    cloudwatch = CloudWatch()
    publisher = Publisher(lambda: cloudwatch, every_s=60)
    for status in (200, 200, 500):
        publisher.add("AWS/ApiGateway", "ApiId", "a", Count=1, **{"5xx": int(status >= 500)})
    publisher.close()
    [call] = cloudwatch.calls
    found = {(one["MetricName"], one["StatisticValues"]["Minimum"]): one for one in call["MetricData"]}
    assert {key: one["StatisticValues"]["SampleCount"] for key, one in found.items()} == {
        ("Count", 1): 3,
        ("5xx", 0): 2,
        ("5xx", 1): 1,
    }
    assert found["Count", 1]["StatisticValues"]["Sum"] == 3
    assert found["Count", 1]["Dimensions"] == [{"Name": "ApiId", "Value": "a"}]


def test_no_call_has_too_many_data(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    cloudwatch = CloudWatch()
    publisher = Publisher(lambda: cloudwatch, every_s=60)
    for n in range(MOST_DATA + 1):
        publisher.add("AWS/Lambda", "FunctionName", "f", Duration=n)
    publisher.flush()
    assert [len(one["MetricData"]) for one in cloudwatch.calls] == [MOST_DATA, 1]
    cloudwatch.away = True
    for _ in range(2):  # which is said once
        publisher.add("AWS/Lambda", "FunctionName", "f", Duration=1)
        publisher.flush()
    assert [one.split(":")[0] for one in caplog.messages] == ["metrics are lost"]
    publisher.close()
