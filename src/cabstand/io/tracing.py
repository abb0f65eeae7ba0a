"""Where the spans of a command go: to a collector, to a file of JSON lines, to both or to neither."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from cabstand import trace
from cabstand.settings import Settings
from cabstand.trace import Span


def start(settings: Settings) -> None:
    """Let the command's span continue the trace of what started it, and send spans where the settings say."""
    root = trace.current()
    if root is not None and not root.parent_id:
        root.join(settings.traceparent, settings.event_id)
    stop()
    if settings.otlp_endpoint:
        from cabstand.io.otlp import Collector

        trace.exporters.append(Collector(settings.otlp_endpoint))
    if settings.trace_file:
        trace.recorders.append(_File(settings.trace_file))


def stop() -> None:
    """Send what is pending, within a deadline, and send nothing more."""
    while trace.exporters:
        getattr(trace.exporters.pop(), "close", lambda: None)()
    trace.recorders[:] = [one for one in trace.recorders if not isinstance(one, _File)]


class _File:
    """Appends each span to a file; several processes may write to it at once."""

    def __init__(self, path: str) -> None:
        self._path = Path(path)

    def __call__(self, ended: Span) -> None:
        line = json.dumps(trace.to_dict(ended), default=str) + "\n"
        with suppress(OSError), self._path.open("a", encoding="utf-8") as file:  # a trace fails no job
            file.write(line)


def relay(path: Path) -> None:
    """Give the spans that another process left in a file to this process's recorders."""
    spans = TypeAdapter(Span)
    with suppress(OSError):
        for line in path.read_bytes().splitlines():
            with suppress(ValidationError):  # cut off by a kill, or anybody's line
                trace.relay(spans.validate_json(line, strict=True))
