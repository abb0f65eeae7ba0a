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
    """The predicted rows of one request.

    Attributes
    ----------
    request_id, at, problem, version, role, key, latency_ms, trace_id
        What they share; both ids are hex, the time is ISO 8601 in UTC.
    rows : sequence of (int, dict)
        Each row's index in its request, and its features.
    answers : sequence of dict
        Their answers, in the same order.
    """

    request_id: str
    at: str
    problem: str
    version: str
    role: str
    key: str
    latency_ms: float
    trace_id: str
    rows: Sequence[tuple[int, Record]]
    answers: Sequence[Record]

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
