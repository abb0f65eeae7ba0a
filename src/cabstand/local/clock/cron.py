"""AWS's cron expressions: six fields, read into sets of values and a rule for the days.

No library reads them all. aws-croniter 2.1.1 comes nearest, but never fires `? * L`, fails on `LW` and steps of years,
and knows UTC only: the code around it would be longer than this. Tests compare with it where it is right.
Source: https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html
"""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, time

from cabstand.errors import ConfigError

Days = Callable[[int, int], list[int]]


@dataclass(frozen=True)
class _Field:
    """A field's name, its lowest and highest value, and names for values from the lowest up."""

    name: str
    low: int
    high: int
    names: tuple[str, ...] = ()

    def values(self, text: str) -> tuple[int, ...]:
        """Return the values of a list such as `1-5,10/15,*`, ascending."""
        found = {value for part in text.split(",") for value in self._range(part)}
        return tuple(sorted(found))

    def one(self, text: str) -> int:
        """Return one value, which may be a name."""
        if text in self.names:
            return self.names.index(text) + self.low
        if not re.fullmatch(r"\d{1,4}", text, re.ASCII) or not self.low <= int(text) <= self.high:
            names = f" or {self.names[0]} to {self.names[-1]}" if self.names else ""
            raise ConfigError(f"{text!r} is no {self.name}", hint=f"{self.low} to {self.high}{names}")
        return int(text)

    def _range(self, part: str) -> list[int]:
        """Return the values of `*`, a value or a range, which may wrap (FRI-MON), with an optional step."""
        span, slash, step = part.partition("/")
        if slash and not re.fullmatch(r"[1-9]\d*", step, re.ASCII):
            raise ConfigError(f"{part!r} has a wrong step for the {self.name}", hint="a whole number above 0")
        first, dash, last = span.partition("-")
        low = self.low if span == "*" else self.one(first)
        high = self.one(last) if dash else (self.high if span == "*" or slash else low)
        if high < low and self.name == "year":
            raise ConfigError(f"{part!r} ends before it begins")
        values = [*range(low, high + 1)] if low <= high else [*range(low, self.high + 1), *range(self.low, high + 1)]
        return values[:: int(step or 1)]


_MINUTE, _HOUR = _Field("minute", 0, 59), _Field("hour", 0, 23)
_DAY, _YEAR = _Field("day of the month", 1, 31), _Field("year", 1970, 2199)
_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_MONTH = _Field("month", 1, 12, _MONTHS)
_WEEKDAY = _Field("day of the week", 1, 7, ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"))


@dataclass(frozen=True)
class Cron:
    """The minutes, hours, months and years of an expression, ascending, and the rule that gives the days of a month."""

    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: Days
    months: tuple[int, ...]
    years: tuple[int, ...]

    @classmethod
    def parse(cls, fields: str) -> Cron:
        """Read what stands between the brackets of `cron(...)`.

        Raises
        ------
        ConfigError
            AWS would refuse it.
        """
        parts = fields.split(" ")
        if len(parts) != 6:
            hint = "six: minute, hour, day of the month, month, day of the week, year"
            raise ConfigError(f"it has {len(parts)} fields", hint=hint)
        minute, hour, day, month, weekday, year = parts
        if (day == "?") == (weekday == "?"):
            raise ConfigError("exactly one of day of the month and day of the week must be ?")
        days = _days_of_week(weekday) if day == "?" else _days_of_month(day)
        return cls(_MINUTE.values(minute), _HOUR.values(hour), days, _MONTH.values(month), _YEAR.values(year))

    def local_times(self, first: date) -> Iterator[datetime]:
        """Yield the times on the clock, without a zone, from the beginning of a day on."""
        for day in self._dates(first):
            for hour in self.hours:
                for minute in self.minutes:
                    yield datetime.combine(day, time(hour, minute))

    def _dates(self, first: date) -> Iterator[date]:
        for year in self.years:
            for month in self.months:
                if (year, month) >= (first.year, first.month):
                    dates = (date(year, month, day) for day in self.days(year, month))
                    yield from (day for day in dates if day >= first)


def _days_of_month(text: str) -> Days:
    if text == "LW":
        return lambda year, month: [_nearest_weekday(year, month, _length(year, month))]
    if found := re.fullmatch(r"L(?:-([1-9]|[12]\d|30))?", text, re.ASCII):
        back = int(found[1] or 0)
        return lambda year, month: [_length(year, month) - back] if _length(year, month) > back else []
    if found := re.fullmatch(r"(\d{1,2})W", text, re.ASCII):
        wanted = _DAY.one(found[1])
        return lambda year, month: [_nearest_weekday(year, month, wanted)] if wanted <= _length(year, month) else []
    values = _DAY.values(text)
    return lambda year, month: [day for day in values if day <= _length(year, month)]


def _days_of_week(text: str) -> Days:
    if found := re.fullmatch(r"(\w+)#([1-5])", text, re.ASCII):
        weekday, nth = _WEEKDAY.one(found[1]), int(found[2])
        return lambda year, month: _on(year, month, (weekday,))[nth - 1 : nth]
    if found := re.fullmatch(r"(\w+)L", text, re.ASCII):
        weekday = _WEEKDAY.one(found[1])
        return lambda year, month: _on(year, month, (weekday,))[-1:]
    values = _WEEKDAY.values("SAT" if text == "L" else text)  # L is the last day of the week
    return lambda year, month: _on(year, month, values)


def _length(year: int, month: int) -> int:
    return monthrange(year, month)[1]


def _on(year: int, month: int, weekdays: tuple[int, ...]) -> list[int]:
    """Return the days of a month that are one of these weekdays; Sunday is 1."""
    first = date(year, month, 1).isoweekday() % 7 + 1
    return [day for day in range(1, _length(year, month) + 1) if (first + day - 2) % 7 + 1 in weekdays]


def _nearest_weekday(year: int, month: int, day: int) -> int:
    """Return the day from Monday to Friday that is nearest to a day and in its month."""
    weekday = date(year, month, day).isoweekday()
    if weekday == 6:
        return day - 1 if day > 1 else 3
    if weekday == 7:
        return day + 1 if day < _length(year, month) else day - 2
    return day
