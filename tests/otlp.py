"""An OpenTelemetry collector that keeps what it is sent over OTLP."""

from __future__ import annotations

from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response


def received(server: HTTPServer) -> list[Any]:
    """Return the list to which spans are added as they arrive."""
    sent: list[Any] = []

    def collect(request: Request) -> Response:
        export = ExportTraceServiceRequest.FromString(request.get_data())
        sent.extend(span for one in export.resource_spans for scope in one.scope_spans for span in scope.spans)
        return Response(status=200)

    server.expect_request("/v1/traces", method="POST").respond_with_handler(collect)
    return sent


def trace_ids(sent: list[Any]) -> set[str]:
    """Return the ids of the spans' traces."""
    return {span.trace_id.hex() for span in sent}
