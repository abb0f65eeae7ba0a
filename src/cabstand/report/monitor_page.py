"""The monitor's page of one window: the decision first, then what it rests on."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from cabstand.monitoring.decisions import Decision, Number
from cabstand.monitoring.findings import ColumnDrift, Estimate, Window
from cabstand.report import spans
from cabstand.report.content import day_range
from cabstand.report.templating import page

HEADINGS = {"none": "No action", "watch": "Watch", "retrain": "Retrain"}
SHOWN = 12  # categories in a cell; the rest are counted
NAMES = {
    "error": "mean absolute error",
    "bias": "bias",
    "coverage": "coverage of the interval",
    "estimated_error": "mean absolute error, estimated",
}
HOTSPOTS = "hotspot"  # how the names of facts about them begin


@dataclass(frozen=True)
class EvidentlyPart:
    """What the page says of Evidently's own report.

    Attributes
    ----------
    href : str
        Where it lies; empty if there is none, for the `missing` reason.
    facts : mapping
        Its version, rows and seed.
    left_out, notes : mapping
        Columns that it does not show, and columns that were changed for it.
    """

    href: str = ""
    missing: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)
    left_out: Mapping[str, str] = field(default_factory=dict)
    notes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Measure:
    """A figure of the model now and on its holdout, and where it becomes too bad, as the policy says."""

    name: str
    unit: str
    now: Estimate
    then: Estimate | None
    limit: float | None
    worse: bool
    span: spans.Span
    estimated: bool = False  # from the predictions alone


def render(window: Window, decision: Decision, evidently: EvidentlyPart, *, made_at: str, version: str) -> str:
    """Return the page; `made_at` and `version` are shown in its footer."""
    columns = sorted(window.drift.columns, key=_nearness, reverse=True)
    facts = dict(window.facts)
    unit = str(facts.pop("unit", "") or "")
    return page(
        "monitor.html.j2",
        window=window,
        dates=dates(window),
        decision=decision,
        heading=HEADINGS[decision.action],
        synthetic=bool(facts.pop("synthetic", False)),
        measures=measures(window, decision.numbers, unit),
        columns=[(one, spans.against_threshold(one.distance, one.threshold)) for one in columns],
        categories=[one for one in columns if one.new or one.vanished],
        hotspots={name: value for name, value in facts.items() if name.startswith(HOTSPOTS)},
        facts={name: value for name, value in facts.items() if not name.startswith(HOTSPOTS)},
        evidently=evidently,
        shown=SHOWN,
        made_at=made_at,
        version=version,
    )


def dates(window: Window) -> str:
    """Return a window as people write it: by its days if it begins and ends at midnight, else to the minute, in UTC."""
    start, end = window.start, window.end
    if start.time() == end.time() == datetime.min.time() and end > start:
        return day_range(date(start.year, start.month, start.day), (end - timedelta(days=1)).date())
    return f"{start:%Y-%m-%d %H:%M} to {end:%Y-%m-%d %H:%M} UTC"


def measures(window: Window, numbers: Mapping[str, Number], unit: str) -> list[Measure]:
    """Return what is known of the model's quality: measured, and estimated from the predictions alone."""
    then = window.quality_then
    made = []
    if (now := window.quality) is not None:
        made.append(_measure("error", unit, now.mae, then.mae if then else None, numbers))
        made.append(_measure("bias", unit, now.bias, then.bias if then else None, numbers))
        if now.coverage is not None:
            made.append(_measure("coverage", "", now.coverage, then.coverage if then else None, numbers))
    if window.estimated_mae is not None:
        made.append(_measure("estimated_error", unit, window.estimated_mae, then.mae if then else None, numbers))
    return made


def _measure(key: str, unit: str, now: Estimate, then: Estimate | None, numbers: Mapping[str, Number]) -> Measure:
    known = numbers.get(f"{key}_limit")
    limit = float(known) if isinstance(known, int | float) else None
    if key == "bias" and limit is not None:
        limit = math.copysign(limit, now.value)  # the policy's holds on both sides
    span = spans.now_and_then(now, then, limit)
    return Measure(
        NAMES[key], unit, now, then, limit, bool(numbers.get(f"{key}_worse")), span, key == "estimated_error"
    )


def _nearness(one: ColumnDrift) -> tuple[bool, float]:
    """Return what columns are sorted by: drifted ones, then by the share of its threshold that a distance reaches."""
    known = one.distance is not None and one.threshold > 0
    return one.drifted, one.distance / one.threshold if known and one.distance is not None else -1.0
