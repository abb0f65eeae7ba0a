"""Moments in UTC: two times of one local zone compare wrongly in Python when an hour is repeated in autumn."""

from __future__ import annotations

from datetime import UTC, datetime

from cabstand.errors import DataError


def in_utc(moment: datetime) -> datetime:
    """Return a moment in UTC; a DataError if it has no zone."""
    if moment.tzinfo is None:
        raise DataError(f"{moment.isoformat()} has no time zone", hint="give the times of a window in UTC")
    return moment.astimezone(UTC)


def stamp(moment: datetime) -> str:
    """Return a moment in UTC as a name for files that sorts by time, to the second or, if it needs it, finer."""
    utc = in_utc(moment)
    return f"{utc:%Y%m%dT%H%M%S}" + (f".{utc.microsecond:06d}" if utc.microsecond else "") + "Z"
