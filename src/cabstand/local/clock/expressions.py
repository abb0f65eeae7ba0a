"""Schedule expressions of EventBridge: `rate(...)`, `cron(...)` and `at(...)` in a time zone, and when they fire.

A time of day that the change to daylight saving leaves out is skipped; one that occurs twice fires the first time only.
Source: https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count
from zoneinfo import ZoneInfo

from cabstand.errors import ConfigError
from cabstand.local.clock.cron import Cron

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Expression:
    """A readable expression: `kind` is rate, cron or at.

    `times(after, begin)` yields its times in UTC, ascending and later than `after`. A rate counts from `begin`.
    """

    text: str
    kind: str
    times: Callable[[datetime, datetime], Iterator[datetime]]


def parse(text: str, zone: str = "UTC", *, of_rule: bool = False) -> Expression:
    """Read an expression.

    Parameters
    ----------
    text : str
        Such as `cron(0 6 * * ? *)`.
    zone : str
        A name of the IANA time zone database.
    of_rule : bool
        A rule of EventBridge knows no `at` and wants `rate(1 hour)`; EventBridge Scheduler accepts `rate(1 hours)` too.

    Raises
    ------
    ConfigError
        AWS would refuse it.
    """
    found = re.fullmatch(r"(rate|cron|at)\(([^()]*)\)", text)
    if not found or (of_rule and found[1] == "at"):
        hint = "rate(5 minutes) or cron(0 6 * * ? *)" + ("" if of_rule else " or at(2027-01-31T06:00:00)")
        raise ConfigError("is no schedule expression", where=text, hint=hint)
    kind, inner = found.groups()
    try:
        times = _rate(inner, strict=of_rule) if kind == "rate" else _on_the_clock(kind, inner, _zone(zone))
    except ConfigError as error:
        raise ConfigError(error.what, where=text, hint=error.hint) from None
    return Expression(text, kind, times)


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        hint = "a name of the IANA database, such as America/New_York"
        raise ConfigError(f"the time zone {name!r} is unknown", hint=hint) from None


def _rate(inner: str, *, strict: bool) -> Callable[[datetime, datetime], Iterator[datetime]]:
    found = re.fullmatch(r"([1-9]\d*) (minute|hour|day)(s?)", inner, re.ASCII)
    if not found or len(found[1]) > 6:
        raise ConfigError(
            "is no rate", hint="a whole number above 0 and minutes, hours or days, such as rate(5 minutes)"
        )
    if strict and (found[1] == "1") == bool(found[3]):
        raise ConfigError("mixes singular and plural", hint="rate(1 hour), rate(2 hours)")
    period = timedelta(**{f"{found[2]}s": int(found[1])})

    def times(after: datetime, begin: datetime) -> Iterator[datetime]:
        first = max(0, (after - begin) // period + 1)
        return (begin + period * number for number in count(first))

    return times


def _on_the_clock(kind: str, inner: str, zone: ZoneInfo) -> Callable[[datetime, datetime], Iterator[datetime]]:
    if kind == "at":
        once = _moment(inner)
        return lambda after, _: (moment for moment in _in_utc(iter([once]), zone) if moment > after)
    cron = Cron.parse(inner)

    def times(after: datetime, _: datetime) -> Iterator[datetime]:
        first = after.astimezone(zone).date()
        return (moment for moment in _in_utc(cron.local_times(first), zone) if moment > after)

    return times


def _moment(inner: str) -> datetime:
    if re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", inner, re.ASCII):
        try:
            return datetime.fromisoformat(inner)
        except ValueError:
            pass
    raise ConfigError("is no moment", hint="as in at(2027-01-31T06:00:00)")


def _in_utc(local_times: Iterator[datetime], zone: ZoneInfo) -> Iterator[datetime]:
    """Yield those of the local times that exist; of one that occurs twice, the first occurrence."""
    for local in local_times:
        moment = local.replace(tzinfo=zone).astimezone(UTC)
        if moment.astimezone(zone).replace(tzinfo=None) == local:
            yield moment
