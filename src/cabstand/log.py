"""Logging on stderr, which entry points configure once, and progress beside it.

Every JSON line fits docs/schemas/log-v1.json.
"""

from __future__ import annotations

import json
import logging
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TextIO

from cabstand import activity, trace
from cabstand.activity import progress

__all__ = ["SCHEMA_VERSION", "JsonFormatter", "configure", "hush", "of_run", "progress"]

SCHEMA_VERSION = 1  # of the lines
_run_id: ContextVar[str | None] = ContextVar("run_id", default=None)

# Libraries that log every request, or credentials, below the level of a warning.
NOISY_LIBRARIES = ("botocore", "httpx2")

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class JsonFormatter(logging.Formatter):
    """Formats a record as one line of JSON: time (UTC), level, logger, message, ids and the fields of `extra`."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as one line of JSON."""
        span = trace.current()
        line: dict[str, object] = {
            "schema_version": SCHEMA_VERSION,
            "time": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created)) + f".{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            "trace_id": span.trace_id if span else None,
            "span_id": span.span_id if span else None,
            "run_id": _run_id.get(),
        }
        line |= {key: value for key, value in vars(record).items() if key not in _STANDARD}
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


class _ErrorStream(logging.StreamHandler[TextIO]):
    """Writes to what `sys.stderr` is at the time, so that lines go above a progress display."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record."""
        self.stream = sys.stderr
        super().emit(record)
        activity.logged()


def configure(level: str = "INFO", *, json_lines: bool | None = None) -> None:
    """Send this process's log to stderr, by default as JSON lines unless that is a terminal."""
    if json_lines is None:
        json_lines = not sys.stderr.isatty()
    handler = _ErrorStream()
    handler.setFormatter(JsonFormatter() if json_lines else logging.Formatter("%(levelname)s %(name)s: %(message)s"))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    hush()
    activity.logging_configured()


@contextmanager
def of_run(run_id: str | None) -> Iterator[None]:
    """Let the lines of the block name an MLflow run."""
    token = _run_id.set(run_id)
    try:
        yield
    finally:
        _run_id.reset(token)


def hush() -> None:
    """Limit noisy libraries to warnings; call this after the root logger's level is set."""
    for name in NOISY_LIBRARIES:
        logging.getLogger(name).setLevel(max(logging.WARNING, logging.getLogger().level))
