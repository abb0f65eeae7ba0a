"""Traces through OpenTelemetry, imported only when a collector is configured."""

from __future__ import annotations

from typing import Any

from cabstand import __version__
from cabstand.api import spans
from cabstand.api.call import Call
from cabstand.errors import ConfigError


class Tracing:
    """One span for each request, sent to a collector (OTLP over HTTP) whose address has no `/v1/traces` yet.

    `at_once` sends each span before the answer leaves, or gives up after 50 ms: for a process that may be frozen right
    after.
    """

    def __init__(self, endpoint: str, *, at_once: bool) -> None:
        try:
            from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
            from opentelemetry.sdk.resources import Resource
            from opentelemetry.sdk.trace import TracerProvider
            from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor, SpanExportResult
        except ImportError as error:
            hint = "pip install '.[tracing]' or unset it"
            raise ConfigError("OpenTelemetry is missing", where="OTEL_EXPORTER_OTLP_ENDPOINT", hint=hint) from error
        exporter: Any = OTLPSpanExporter(endpoint=f"{endpoint.rstrip('/')}/v1/traces", timeout=1 if at_once else 5)
        if at_once:
            exporter = spans.Impatient(exporter, SpanExportResult.SUCCESS, SpanExportResult.FAILURE)
        processor = SimpleSpanProcessor(exporter) if at_once else BatchSpanProcessor(exporter)
        resource = Resource.create({"service.name": "cabstand", "service.version": __version__})
        self._provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        self._provider.add_span_processor(processor)
        self._tracer = self._provider.get_tracer("cabstand.api")

    def begin(self, call: Call, traceparent: bytes | None) -> None:
        """Start the request's span, in the caller's trace if there is one, and give the call its ids."""
        from opentelemetry.trace import SpanKind
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        carrier = {"traceparent": traceparent.decode("latin-1")} if traceparent else {}
        parent = TraceContextTextMapPropagator().extract(carrier)
        call.span = self._tracer.start_span("request", context=parent, kind=SpanKind.SERVER)
        context = call.span.get_span_context()
        call.trace_id, call.span_id = f"{context.trace_id:032x}", f"{context.span_id:016x}"

    def end(self, call: Call, method: str) -> None:
        """End the request's span with the attributes known by now."""
        from opentelemetry.trace import Status, StatusCode

        span: Any = call.span
        span.update_name(f"{method} {call.route}")
        span.set_attributes(
            {
                "http.request.method": method,
                "http.route": call.route,
                "http.response.status_code": call.status,
                "cabstand.request_id": call.request_id,
                "cabstand.problem": call.problem,
                "cabstand.version": call.version,
                "cabstand.rows": call.n_rows,
            }
        )
        if call.status >= 500:
            span.set_status(Status(StatusCode.ERROR))
        span.end()

    def close(self) -> None:
        """Send pending spans, as far as the collector takes them within a second."""
        spans.within(spans.CLOSE_S, self._provider.shutdown)
