"""Places on the small scales that are drawn beside a number: a distance against its threshold, now against then."""

from __future__ import annotations

import math
from dataclasses import dataclass

from cabstand.monitoring.findings import Estimate

WIDTH = 160.0  # pixels, with a margin on either side that holds half a mark
MARGIN = 6.0
MOST = 3.0  # times its threshold: where a distance leaves the scale


@dataclass(frozen=True)
class Mark:
    """A value's place and its interval's, in pixels; `beyond` if the value lies off the scale."""

    at: float
    low: float
    high: float
    beyond: bool = False


@dataclass(frozen=True)
class Span:
    """What a scale shows; `limit` is the place of the threshold."""

    now: Mark | None
    then: Mark | None
    limit: float | None


def against_threshold(distance: float | None, threshold: float) -> Span:
    """Return the place of a distance on a scale from 0 to three times its threshold, the same for all columns."""
    limit = _place(1.0, 0.0, MOST)
    if distance is None or not math.isfinite(distance) or threshold <= 0:
        return Span(None, None, limit)
    ratio = distance / threshold
    at = _place(min(ratio, MOST), 0.0, MOST)
    return Span(Mark(at, at, at, ratio > MOST), None, limit)


def now_and_then(now: Estimate, then: Estimate | None, limit: float | None) -> Span:
    """Return the places of two estimates and the limit on a scale that just holds them all."""
    values = [end for one in (now, then) if one for end in (one.low, one.value, one.high)]
    values += [] if limit is None else [limit]
    known = [value for value in values if math.isfinite(value)] or [0.0]
    low, high = min(known), max(known)

    def mark(one: Estimate) -> Mark:
        at, start, end = (_place(value, low, high) for value in (one.value, one.low, one.high))
        return Mark(at, start, end)

    place = None if limit is None or not math.isfinite(limit) else _place(limit, low, high)
    return Span(mark(now), mark(then) if then else None, place)


def _place(value: float, low: float, high: float) -> float:
    if not math.isfinite(value):
        return WIDTH - MARGIN if value > 0 else MARGIN
    share = (value - low) / (high - low) if high > low else 0.5
    return round(MARGIN + share * (WIDTH - 2 * MARGIN), 1)
