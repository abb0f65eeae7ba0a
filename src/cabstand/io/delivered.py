"""Predictions as CloudWatch delivers them to the lake: compressed envelopes of log lines.

An object is a series of gzip members. Decompressed, it is a series of JSON documents with nothing between them, each
with `logEvents[].message`. Plain lines of JSON are read too.
"""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterator
from typing import Any

from cabstand.errors import DataError
from cabstand.io.prediction_lines import SCHEMA_VERSION, Record

GZIP = b"\x1f\x8b"
_DECODER = json.JSONDecoder()


def read(data: bytes, where: str) -> Iterator[Record]:
    """Yield the predicted rows of one delivered object; other lines are skipped."""
    for document in _documents(data, where):
        for event in _events(document):
            message = _message(event)
            if message.get("event") != "prediction":
                continue
            version = message.get("schema_version")
            if version != SCHEMA_VERSION:
                what = f"prediction has schema version {version}; this cabstand reads {SCHEMA_VERSION}"
                raise DataError(what, where=where)
            yield {name: value for name, value in message.items() if name not in {"event", "schema_version"}}


def without(data: bytes, request_id: str, where: str) -> tuple[bytes, int]:
    """Return the object without the rows of one request, and the number of rows removed."""
    n_removed = 0
    remaining: list[dict[str, Any]] = []
    for document in _documents(data, where):
        events = _events(document)
        others = [event for event in events if _message(event).get("request_id") != request_id]
        n_removed += len(events) - len(others)
        remaining += [document | {"logEvents": others}] if "logEvents" in document else others
    content = "\n".join(json.dumps(one, separators=(",", ":")) for one in remaining).encode()
    return gzip.compress(content, mtime=0) if data[:2] == GZIP else content, n_removed


def _events(document: dict[str, Any]) -> list[dict[str, Any]]:
    events: list[dict[str, Any]] = document.get("logEvents", [document])
    return events


def _message(event: dict[str, Any]) -> dict[str, Any]:
    """Return a log event's line as JSON, or the event itself if it is a plain line."""
    if "message" not in event:
        return event
    try:
        found = json.loads(event["message"])
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _documents(data: bytes, where: str) -> Iterator[dict[str, Any]]:
    try:
        text = (gzip.decompress(data) if data[:2] == GZIP else data).decode()
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        raise DataError("these are not delivered predictions", where=where) from error
    at = 0
    while (at := _next(text, at)) < len(text):
        try:
            found, at = _DECODER.raw_decode(text, at)
        except ValueError as error:
            raise DataError("these are not delivered predictions", where=where) from error
        if isinstance(found, dict):
            yield found


def _next(text: str, at: int) -> int:
    while at < len(text) and text[at].isspace():
        at += 1
    return at
