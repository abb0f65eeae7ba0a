"""A prediction as the logs hold it: the line of every log, and the values of SQLite's row.

One line or row is one predicted row, written out while its request is at hand.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from pydantic_core import to_json

SCHEMA_VERSION = 1
COLUMNS = (
    "request_id", "row", "at", "problem", "version", "role", "key", "latency_ms", "trace_id", "features", "answer",
)  # fmt: skip

Record = dict[str, Any]
_SEAM = b"},{"
_EVENT = f'{{"event":"prediction","schema_version":{SCHEMA_VERSION},'


class Told(NamedTuple):
    """One request's predicted rows.

    Attributes
    ----------
    request_id, at, problem, version, role, key, latency_ms, trace_id
        What they share; both ids are hex.
    rows : sequence of (int, dict)
        Each row's index in its request, and its features.
    answers : sequence of bytes
        The answers' JSON, in the same order.
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
    answers: Sequence[bytes]


class Entry(NamedTuple):
    """What both logs keep of one request: its lines, all of one day, and its rows' values in the order of `COLUMNS`."""

    day: str
    lines: str
    values: list[tuple[Any, ...]]


def entry(told: Told) -> Entry:
    """Return what is to be written of one request."""
    features, shared = _features(told), told[1:-2]
    pieces = zip(told.rows, features, told.answers, strict=True)
    values = [(told.request_id, index, *shared, asked, answer.decode()) for (index, _), asked, answer in pieces]
    return Entry(told.at[:10], _lines(told, features), values)


def lines(told: Told) -> str:
    """Return a line for each row of a request: what every log of it holds."""
    return _lines(told, _features(told))


def _features(told: Told) -> list[str]:
    return [text.decode() for text in each_json([features for _, features in told.rows])]


def _lines(told: Told, features: Sequence[str]) -> str:
    shared = _shared(told.problem, told.version, told.role, told.key)
    before = f'{_EVENT}"request_id":"{told.request_id}","row":'
    between = f',"at":"{told.at}",{shared},"latency_ms":{told.latency_ms!r},"trace_id":"{told.trace_id}","features":'
    pieces = zip(told.rows, features, told.answers, strict=True)
    return "".join(
        [f'{before}{index}{between}{asked},"answer":{answer.decode()}}}\n' for (index, _), asked, answer in pieces]
    )


@lru_cache(256)
def _shared(problem: str, version: str, role: str, key: str) -> str:
    return to_json({"problem": problem, "version": version, "role": role, "key": key})[1:-1].decode()


def each_json(objects: Sequence[Record]) -> list[bytes]:
    """Return the JSON of each object, null for what is not finite.

    Made in one call where there are many: a call costs as much as a small object.
    """
    if len(objects) == 1:
        return [to_json(objects[0], inf_nan_mode="null")]
    parts = to_json(objects, inf_nan_mode="null")[2:-2].split(_SEAM)
    # A seam within a text, or an empty object, would give another number of parts.
    if len(parts) != len(objects) or b"" in parts:
        return [to_json(one, inf_nan_mode="null") for one in objects]
    return [b"{%b}" % part for part in parts]
