"""The trace of a run as a timeline: a row for each span, those inside another one below it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

LEAST = 0.3  # percent of the whole that can be seen


@dataclass(frozen=True)
class Row:
    """A span's name, depth, and place as percentages of the whole."""

    name: str
    depth: int
    start: float
    width: float
    seconds: float
    error: str = ""


def rows(steps: Mapping[str, Mapping[str, Any]]) -> list[Row]:
    """Return the rows of a run's steps, as its manifest has them; a step without spans is one itself."""
    spans = [one for name, step in steps.items() for one in step.get("spans") or _of_step(name, step)]
    if not spans:
        return []
    first, last = min(one["started_ns"] for one in spans), max(one["ended_ns"] for one in spans)
    scale = 100 / max(1, last - first)
    found = []
    for one, depth in _tree(spans):
        took = one["ended_ns"] - one["started_ns"]
        width = max(LEAST, took * scale)
        start = min((one["started_ns"] - first) * scale, 100 - width)
        found.append(Row(one["name"], depth, round(start, 3), round(width, 3), took / 1e9, one["error"]))
    return found


def _tree(spans: list[Mapping[str, Any]]) -> Iterator[tuple[Mapping[str, Any], int]]:
    """Yield each span before those inside it, by their starts, with its depth."""
    known = {one["span_id"] for one in spans}
    below: dict[str, list[Mapping[str, Any]]] = {}
    for one in sorted(spans, key=lambda span: -int(span["started_ns"])):
        below.setdefault(one["parent_id"] if one["parent_id"] in known else "", []).append(one)
    waiting = [(one, 0) for one in below.get("", [])]
    while waiting:
        one, depth = waiting.pop()
        yield one, depth
        waiting += [(child, depth + 1) for child in below.get(one["span_id"], [])]


def _of_step(name: str, step: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return a span for a step whose trace is not known, because it is from an older version or was killed."""
    if not step.get("ended"):
        return []
    started, ended = (int(datetime.fromisoformat(step[end]).timestamp() * 1e9) for end in ("started", "ended"))
    error = str(step.get("error", ""))
    return [{"name": name, "span_id": name, "parent_id": "", "started_ns": started, "ended_ns": ended, "error": error}]
