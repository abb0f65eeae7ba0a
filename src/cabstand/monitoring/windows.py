"""Compare a window of rows with reference rows: their columns, and how many rows there are a day."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from cabstand.monitoring import profiles
from cabstand.monitoring.derived import HOUR, SECONDS, WEEKDAY, derive, times
from cabstand.monitoring.drift import Thresholds, judge, kinds_of
from cabstand.monitoring.findings import Drift
from cabstand.monitoring.numeric import Numbers
from cabstand.monitoring.profiles import Batches, Kind, Profile

TAIL = 0.005  # share of rows at either end whose times do not count: about half of all TLC months have stray ones
DAY_S = 86_400.0
# Days from which on hours, or weekdays, can be compared: part of a cycle differs from a whole one without any drift.
LEAST_DAYS = {HOUR: 4.0, WEEKDAY: 26.0}


@dataclass(frozen=True)
class Span:
    """When the rows of a window happened; `rows_a_day` is None for less than a second."""

    start: datetime
    end: datetime
    rows_a_day: float | None

    @property
    def days(self) -> float:
        """Length."""
        return (self.end - self.start).total_seconds() / DAY_S


@dataclass(frozen=True)
class Compared:
    """A window's drift, and the spans of both sides where a column of times tells them."""

    drift: Drift
    reference: Span | None
    current: Span | None

    @property
    def volume_ratio(self) -> float | None:
        """Rows a day, divided by those of the reference."""
        a_day = [one.rows_a_day if one else None for one in (self.current, self.reference)]
        return a_day[0] / a_day[1] if a_day[0] and a_day[1] else None


def compare_rows(
    reference: Batches,
    current: Batches,
    thresholds: Thresholds,
    kinds: Mapping[str, Kind] | None = None,
    time: str | None = None,
) -> Compared:
    """Compare all rows of both streams, in one pass over each; `time` is the column of spans, by default the first."""
    before, now = derive(reference), derive(current)
    ours, theirs = _profiles(before, now, kinds or {})
    spans: list[Span | None] = []
    for schema, side in ((before.schema, ours), (now.schema, theirs)):
        names = times(schema)
        name = (time or names[0]) if names else ""
        spans.append(span(side.get(name + SECONDS)))
    compared = {name: one for name, one in ours.items() if _counts(name, spans)}
    return Compared(judge(compared, theirs, thresholds, now.schema.names), *spans)


def span(seconds: Profile | None) -> Span | None:
    """Return when rows happened, of the profile of their seconds since 1970, without stray ones."""
    if not isinstance(seconds, Numbers) or not seconds.n:
        return None
    start, end = (float(one) for one in seconds.quantiles([TAIL, 1 - TAIL]))
    usual = seconds.n * (1 - 2 * TAIL)
    first, last = (datetime.fromtimestamp(one, UTC) for one in (start, end))
    return Span(first, last, usual * DAY_S / (end - start) if end > start else None)


def _profiles(
    before: Batches, now: Batches, given: Mapping[str, Kind]
) -> tuple[dict[str, Profile], dict[str, Profile]]:
    kinds = kinds_of(before.schema, now.schema, given)
    own = {name: kind for name, kind in kinds_of(now.schema, now.schema, given).items() if name.endswith(SECONDS)}
    return profiles.profile(before, kinds), profiles.profile(now, kinds | own)


def _counts(name: str, spans: list[Span | None]) -> bool:
    """Return whether a column is compared: seconds are not, and hours and weekdays in long windows alone."""
    if name.endswith(SECONDS):
        return False
    least = next((days for suffix, days in LEAST_DAYS.items() if name.endswith(suffix)), 0.0)
    return not least or all(one is not None and one.days >= least for one in spans)
