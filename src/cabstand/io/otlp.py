"""Spans to an OpenTelemetry collector (OTLP over HTTP); the SDK is imported only where one is configured."""

from __future__ import annotations

import os
from multiprocessing import util
from typing import Any

from cabstand import __version__
from cabstand.errors import ConfigError
from cabstand.io import impatient
from cabstand.trace import Span


class Collector:
    """Takes spans for a collector whose address has no `/v1/traces` yet.

    `at_once` sends each span before it returns, or gives up after 50 ms: for a process that may be frozen right after.
    A forked process gets a connection and a queue of its own, and empties that queue at its end.
    """

    def __init__(self, endpoint: str, *, at_once: bool = False) -> None:
        self._endpoint = f"{endpoint.rstrip('/')}/v1/traces"
        self._at_once = at_once
        self._processor: Any = None
        try:
            self._open()
        except ImportError as error:
            hint = "pip install '.[tracing]' or unset it"
            raise ConfigError("OpenTelemetry is missing", where="OTEL_EXPORTER_OTLP_ENDPOINT", hint=hint) from error
        os.register_at_fork(after_in_child=self._forget)
        util.register_after_fork(self, _close_at_end)

    def __call__(self, ended: Span) -> None:
        """Take one span, if its trace is sampled."""
        if not ended.sampled:
            return
        if self._processor is None:
            self._open()
        self._processor.on_end(self._readable(ended))

    def close(self) -> None:
        """Send pending spans, as far as the collector takes them before the deadline."""
        if self._processor is not None:
            impatient.within(impatient.CLOSE_S, self._processor.shutdown)

    def _forget(self) -> None:
        self._processor = None  # the parent's connection and pending spans are the parent's

    def _open(self) -> None:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor, SpanExportResult

        exporter: Any = OTLPSpanExporter(endpoint=self._endpoint, timeout=1 if self._at_once else 5)
        if self._at_once:
            exporter = impatient.Impatient(exporter, SpanExportResult.SUCCESS, SpanExportResult.FAILURE)
        self._resource = Resource.create({"service.name": "cabstand", "service.version": __version__})
        self._processor = SimpleSpanProcessor(exporter) if self._at_once else BatchSpanProcessor(exporter)

    def _readable(self, ended: Span) -> Any:
        """Return a span as OpenTelemetry's exporters take it."""
        from opentelemetry.sdk.trace import ReadableSpan
        from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode, TraceFlags

        def context(span_id: str) -> Any:
            flags = TraceFlags(TraceFlags.SAMPLED)
            return SpanContext(int(ended.trace_id, 16), int(span_id, 16), is_remote=False, trace_flags=flags)

        return ReadableSpan(
            ended.name,
            context=context(ended.span_id),
            parent=context(ended.parent_id) if ended.parent_id else None,
            resource=self._resource,
            attributes=ended.attributes,
            kind=SpanKind[ended.kind.upper()],
            status=Status(StatusCode.ERROR, ended.error) if ended.error else Status(StatusCode.UNSET),
            start_time=ended.started_ns,
            end_time=ended.ended_ns,
        )


def _close_at_end(collector: Collector) -> None:
    """Let a worker of multiprocessing, which has just been forked, send its spans when it ends."""
    util.Finalize(collector, collector.close, exitpriority=10)
