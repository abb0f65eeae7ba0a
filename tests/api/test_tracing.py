"""Traces to a collector: one span a request, in the caller's trace; and a collector that is away."""

from __future__ import annotations

import logging
import time
from pathlib import Path

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from cabstand.settings import Settings
from serving import PREDICT, ROW, client_of, make_home, service_of

PARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


@pytest.mark.parametrize("on_lambda", [False, True])
def test_a_span_a_request_in_the_caller_s_trace(tmp_path: Path, httpserver: HTTPServer, on_lambda: bool) -> None:
    spans = []

    def collect(request: Request) -> Response:
        export = ExportTraceServiceRequest.FromString(request.get_data())
        spans.extend(span for one in export.resource_spans for scope in one.scope_spans for span in scope.spans)
        return Response(status=200)

    httpserver.expect_request("/v1/traces", method="POST").respond_with_handler(collect)
    key = make_home(tmp_path)
    lambda_function = "cabstand" if on_lambda else ""
    settings = Settings(home=tmp_path, otlp_endpoint=httpserver.url_for("/"), lambda_function=lambda_function)
    client = client_of(settings, key)
    answer = client.post(PREDICT, json=ROW, headers={"traceparent": PARENT})
    assert client.post(PREDICT, json={}).status_code == 422
    if on_lambda:
        assert len(spans) == 2  # each before its answer
    service_of(client).close()
    assert [span.name for span in spans] == ["POST /v1/{problem}/predict"] * 2
    first, second = spans
    assert (first.trace_id.hex(), first.parent_span_id.hex()) == tuple(PARENT.split("-")[1:3])
    assert answer.headers["traceparent"].split("-")[1:3] == [first.trace_id.hex(), first.span_id.hex()]
    assert second.trace_id != first.trace_id
    attributes = {one.key: one.value for one in first.attributes}
    assert attributes["cabstand.request_id"].string_value == answer.json()["request_id"]
    assert attributes["cabstand.version"].string_value == "v1"
    assert attributes["http.response.status_code"].int_value == 200
    assert key not in str(spans)


def test_a_collector_that_is_away_fails_no_answer(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    key = make_home(tmp_path)
    with caplog.at_level(logging.CRITICAL, "opentelemetry"):
        client = client_of(Settings(home=tmp_path, otlp_endpoint="http://127.0.0.1:9", lambda_function="cabstand"), key)
        started = time.monotonic()
        assert client.post(PREDICT, json=ROW).status_code == 200
        assert time.monotonic() - started < 20  # not for ever
        service_of(client).close()
