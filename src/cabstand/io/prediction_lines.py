"""A predicted row as a record, and as the JSON line that every log holds of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from pydantic_core import to_json

SCHEMA_VERSION = 1
COLUMNS = (
    "request_id", "row", "at", "problem", "version", "role", "key", "latency_ms", "trace_id", "features", "answer",
)  # fmt: skip

Record = dict[str, Any]


class PredictedRows(NamedTuple):
    """The predicted rows of one request."""

    request_id: str  # hex
    at: str  # ISO 8601 in UTC
    problem: str
    version: str
    role: str
    key: str
    latency_ms: float
    trace_id: str  # hex
    rows: Sequence[tuple[int, Record]]  # each row's index in its request, and its features
    answers: Sequence[Record]  # in the same order

    def records(self) -> list[Record]:
        """Return one record for each row, with the names of `COLUMNS`, in their order."""
        return [
            {
                "request_id": self.request_id,
                "row": row,
                "at": self.at,
                "problem": self.problem,
                "version": self.version,
                "role": self.role,
                "key": self.key,
                "latency_ms": self.latency_ms,
                "trace_id": self.trace_id,
                "features": features,
                "answer": answer,
            }
            for (row, features), answer in zip(self.rows, self.answers, strict=True)
        ]


def line(record: Record) -> bytes:
    """Return a record's line."""
    return to_json({"event": "prediction", "schema_version": SCHEMA_VERSION, **record}, inf_nan_mode="null") + b"\n"
