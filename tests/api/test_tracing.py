"""Traces to a collector: one span a request, in the caller's trace; and a collector that is away."""

from __future__ import annotations

import logging
import signal
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from pytest_httpserver import HTTPServer

from cabstand.io import impatient as spans
from cabstand.settings import Settings
from otlp import received
from serving import PREDICT, ROW, client_of, get, make_home, service_of, serving
from waiting import until

PARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


@pytest.mark.parametrize("on_lambda", [False, True])
def test_a_span_a_request_in_the_caller_s_trace(
    tmp_path: Path, httpserver: HTTPServer, on_lambda: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cabstand.io.impatient.PATIENCE_S", 10.0)  # this machine may be busy
    sent = received(httpserver)
    key = make_home(tmp_path)
    lambda_function = "cabstand" if on_lambda else ""
    settings = Settings(home=tmp_path, otlp_endpoint=httpserver.url_for("/"), lambda_function=lambda_function)
    client = client_of(settings, key)
    answer = client.post(PREDICT, json=ROW, headers={"traceparent": PARENT})
    assert client.post(PREDICT, json={}).status_code == 422
    if on_lambda:
        assert len(sent) == 2  # each before its answer
    service_of(client).close()
    assert [span.name for span in sent] == ["POST /v1/{problem}/predict"] * 2
    first, second = sent
    assert (first.trace_id.hex(), first.parent_span_id.hex()) == tuple(PARENT.split("-")[1:3])
    assert answer.headers["traceparent"].split("-")[1:3] == [first.trace_id.hex(), first.span_id.hex()]
    assert second.trace_id != first.trace_id
    attributes = {one.key: one.value for one in first.attributes}
    assert attributes["cabstand.request_id"].string_value == answer.json()["request_id"]
    assert attributes["cabstand.version"].string_value == "v1"
    assert attributes["http.response.status_code"].int_value == 200
    assert key not in str(sent)


@pytest.fixture(params=["away", "mute"])
def collector(request: pytest.FixtureRequest) -> Iterator[str]:
    """The address of a collector that refuses connections, or takes them and never answers."""
    if request.param == "away":
        yield "http://127.0.0.1:9"
        return
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


def test_sigterm_ends_a_server_whose_collector_does_not_answer(tmp_path: Path, collector: str) -> None:
    key = make_home(tmp_path)
    with serving(tmp_path, tmp_path / "log", OTEL_EXPORTER_OTLP_ENDPOINT=collector) as server:
        for _ in range(3):
            assert get(f"{server.url}/v1/models", x_api_key=key)[0] == 200
        time.sleep(1)
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(timeout=6) == 0  # a second for the spans, on a busy machine


class Collector:
    """An exporter whose collector answers after a while, or refuses."""

    def __init__(self) -> None:
        self.delay_s, self.sent = 0.0, True
        self.ended: list[bool] = []

    def export(self, spans: Sequence[str]) -> str:
        del spans
        time.sleep(self.delay_s)
        self.ended.append(self.sent)
        return "sent" if self.sent else "lost"

    def shutdown(self) -> None:
        """Nothing is held."""


def test_a_call_waits_once_for_a_mute_collector_and_never_again(monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[float] = []
    within = spans.within

    def counted(seconds: float, work: Callable[[], Any]) -> bool:
        waited.append(seconds)
        return within(seconds, work)

    monkeypatch.setattr(spans, "within", counted)
    collector = Collector()
    exporter = spans.Impatient(collector, "sent", "lost")
    collector.delay_s = 0.5
    assert [exporter.export(["span"]) for _ in range(20)] == ["lost"] * 20
    assert waited == [spans.PATIENCE_S]
    assert spans.PATIENCE_S <= 0.05


@pytest.mark.parametrize("how", ["mute", "refusing"])
def test_a_collector_that_is_back_gets_spans_again(monkeypatch: pytest.MonkeyPatch, how: str) -> None:
    collector = Collector()
    exporter = spans.Impatient(collector, "sent", "lost")
    monkeypatch.setattr(spans, "PATIENCE_S", 0.05 if how == "mute" else 5.0)
    collector.delay_s, collector.sent = (0.3, True) if how == "mute" else (0.0, False)
    assert exporter.export(["span"]) == "lost"
    until(lambda: len(collector.ended) == 1)
    assert exporter.export(["span"]) == "lost"
    assert len(collector.ended) == 1  # not even tried
    monkeypatch.setattr(spans, "PAUSE_S", 0.0)
    monkeypatch.setattr(spans, "PATIENCE_S", 5.0)  # this machine may be busy
    collector.delay_s, collector.sent = 0.0, True
    until(lambda: exporter.export(["span"]) == "sent")


def test_a_collector_that_is_away_fails_no_answer(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    key = make_home(tmp_path)
    with caplog.at_level(logging.CRITICAL, "opentelemetry"):
        client = client_of(Settings(home=tmp_path, otlp_endpoint="http://127.0.0.1:9", lambda_function="cabstand"), key)
        started = time.monotonic()
        assert client.post(PREDICT, json=ROW).status_code == 200
        assert time.monotonic() - started < 20  # not for ever
        service_of(client).close()
