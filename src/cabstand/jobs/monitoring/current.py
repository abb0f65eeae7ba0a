"""Which rows the monitor is to look at: a month of the lake, files, or days of logged predictions."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import chain
from zoneinfo import ZoneInfo

from cabstand.errors import ConfigError
from cabstand.io import lake, synthetic, tables
from cabstand.io.prediction_lines import Record
from cabstand.jobs import predictions
from cabstand.jobs.pipelining import months, newest_input
from cabstand.settings import Settings
from cabstand.tlc import ZONE

YESTERDAY = "yesterday"  # as the days of predictions, for schedules
_MONTH = re.compile(r"([a-z][a-z0-9-]*):(\d{4}-(0[1-9]|1[0-2]))")


@dataclass(frozen=True)
class Current:
    """The rows of a window, and the settings that go with their kind, real or synthetic.

    Attributes
    ----------
    uri : str
        Files; empty for predictions.
    start, end : datetime or None
        UTC; None where only the rows tell.
    name : str
        The data set of a month, a hash of other files' address; empty for predictions.
    days : tuple of date
        The first day of predictions and the day after the last, UTC; empty for files.
    """

    settings: Settings
    uri: str
    synthetic: bool = False
    start: datetime | None = None
    end: datetime | None = None
    days: tuple[date, ...] = ()
    name: str = ""


def parse(settings: Settings, uri: str, days: str) -> Current:
    """Return what `--current` and `--predictions` name; one of both is empty."""
    if days:
        first, after = _days(days)
        start, end = (datetime.combine(day, time(), UTC) for day in (first, after))
        return Current(settings, "", bool(synthetic.of_lake(settings.lake_uri)), start, end, (first, after))
    if newest := newest_input.find(settings, uri, datetime.now(UTC).date()):
        uri = f"{newest.dataset}:{newest.month}"
    if matched := _MONTH.fullmatch(uri):
        dataset, month = matched[1], matched[2]
        is_synthetic = months.is_synthetic(dataset)
        if is_synthetic:
            settings = synthetic.settings_for(settings, True, dataset)
        months.manifest(settings, dataset, month)
        found = lake.Month(settings.lake_uri, dataset, month).trips_uri
        return Current(settings, found, is_synthetic, *_month(month), name=dataset)
    admitted = synthetic.admit(settings, uri)
    return Current(admitted, uri, synthetic.of_tables(tables.expand(uri)), name=short_hash(uri))


def short_hash(*uris: str) -> str:
    """Return a short name of addresses."""
    return hashlib.sha256("\n".join(uris).encode()).hexdigest()[:8]


def records(settings: Settings, source: str, problem: str, days: tuple[date, ...]) -> Iterator[Record]:
    """Yield the logged predictions of days, from the lake, this machine's log, or both."""
    since, until = (day.isoformat() for day in days)
    sources: tuple[predictions.Source, ...] = ("lake", "local")
    return chain.from_iterable(
        predictions.read(settings, one, problem, since, until) for one in sources if source in {one, "auto"}
    )


def _days(text: str) -> tuple[date, date]:
    if text == YESTERDAY:
        today = datetime.now(UTC).date()
        return today - timedelta(days=1), today
    first, dots, last = text.partition("..")
    try:
        begin, end = date.fromisoformat(first), date.fromisoformat(last if dots else first)
    except ValueError as error:
        hint = "write 2023-03-01..2023-03-07, both days included, or yesterday"
        raise ConfigError(f"not days: {text[:40]}", where="--predictions", hint=hint) from error
    if end < begin:
        raise ConfigError(f"the last day is before the first: {text}", where="--predictions")
    return begin, end + timedelta(days=1)


def _month(month: str) -> tuple[datetime, datetime]:
    """Return the first moment of a month in New York and of the next one."""
    year, number = int(month[:4]), int(month[5:])
    following = (year + 1, 1) if number == 12 else (year, number + 1)
    ends = (datetime(*begin, 1, tzinfo=ZoneInfo(ZONE)) for begin in ((year, number), following))
    start, end = (one.astimezone(UTC) for one in ends)
    return start, end
