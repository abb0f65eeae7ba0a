"""The heartbeat of MLflow: the alarm on it is quiet while MLflow answers, from the first minute on, and rings after."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
from pytest_httpserver import HTTPServer

from cabstand.local.alarms import heartbeat, watch
from cabstand.observability import catalogue
from emulator import Clients, emulator
from waiting import until

NAMESPACE = "cabstand/dev"


@pytest.fixture
def aws() -> Iterator[Clients]:
    """An account with the alarm on a silent server."""
    declared = catalogue()["alarms"]["server-silent"]
    how = declared["cloudwatch"]
    with emulator() as clients:
        clients("cloudwatch").put_metric_alarm(
            AlarmName="server-silent", Namespace=NAMESPACE, MetricName=how["metric"], Statistic=how["statistic"],
            Period=how["period_seconds"], EvaluationPeriods=how["periods"], TreatMissingData=how["missing"],
            Threshold=declared["threshold"], ComparisonOperator="LessThanThreshold",
        )  # fmt: skip
        yield clients


def state(aws: Clients) -> str:
    return str(aws("cloudwatch").describe_alarms()["MetricAlarms"][0]["StateValue"])


def test_the_alarm_follows_the_server(aws: Clients, httpserver: HTTPServer) -> None:
    well = {"status": 200}
    httpserver.expect_request("/health").respond_with_handler(lambda _: _answer(well["status"]))
    url, at = httpserver.url_for("").rstrip("/"), datetime.now(UTC).replace(second=1, microsecond=0)

    def minute(number: int, url: str = url) -> str:
        now = at + timedelta(minutes=number)
        heartbeat.publish(aws, now, url=url, namespace=NAMESPACE)
        watch.check(aws, now)
        return state(aws)

    heartbeat.publish(aws, at, url=url, namespace=NAMESPACE)  # when the services start, nothing is judged
    assert [minute(number) for number in (1, 2)] == ["OK", "OK"]
    well["status"] = 503
    assert [minute(number) for number in (3, 4, 5)] == ["OK", "OK", "ALARM"]
    well["status"] = 200
    assert [minute(number) for number in (6, 7)] == ["ALARM", "OK"]
    nobody = "http://127.0.0.1:9"
    assert [minute(number, nobody) for number in (8, 9, 10)] == ["OK", "OK", "ALARM"]


def test_right_after_the_start_nothing_is_judged(aws: Clients, httpserver: HTTPServer, tmp_path: Path) -> None:
    httpserver.expect_request("/health").respond_with_data("OK")
    stop, url = threading.Event(), httpserver.url_for("").rstrip("/")
    beat = partial(heartbeat.publish, url=url, namespace=NAMESPACE)
    thread = threading.Thread(target=watch.run, args=(aws, tmp_path, stop), kwargs={"measures": (beat,)})
    thread.start()
    try:
        until(lambda: aws("cloudwatch").list_metrics(Namespace=NAMESPACE)["Metrics"])
        assert state(aws) != "ALARM"
    finally:
        stop.set()
        thread.join()


def _answer(status: int) -> object:
    from werkzeug import Response

    return Response("", status)
