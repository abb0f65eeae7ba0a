"""How often a month an EventBridge schedule fires, on average."""

from __future__ import annotations

import re

from cabstand.errors import DataError

_MINUTES = {"minute": 1, "hour": 60, "day": 1440}
_MINUTES_A_MONTH = 730 * 60
_DAYS_A_MONTH = 365 / 12
_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_WEEKDAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")


def runs_a_month(expression: str) -> float:
    """Return the average number of runs a month of `rate(...)`, `cron(...)` or `at(...)`.

    The days of a month beyond its end, and the year of a cron expression, are not looked at: this is for a price.

    Raises
    ------
    DataError
        If the expression is none of the three.
    """
    if rate := re.fullmatch(r"rate\((\d+) (minute|hour|day)s?\)", expression):
        return _MINUTES_A_MONTH / (int(rate[1]) * _MINUTES[rate[2]])
    if re.fullmatch(r"at\(.+\)", expression):
        return 0.0  # once
    fields = expression.removeprefix("cron(").removesuffix(")").split()
    if not expression.startswith("cron(") or len(fields) != 6:
        raise DataError(f"not a schedule: {expression}", hint="cron(...), rate(...) or at(...)")
    minutes, hours, days, months, weekdays, _ = fields
    times = _count(minutes, 0, 59) * _count(hours, 0, 23)
    return times * _count(months, 1, 12, _MONTHS) / 12 * _days(days, weekdays)


def _days(days: str, weekdays: str) -> float:
    """Return on how many days of a month the expression fires."""
    if days == "?":
        once = "#" in weekdays or weekdays.endswith("L")
        return 1.0 if once else _count(weekdays, 1, 7, _WEEKDAYS) * _DAYS_A_MONTH / 7
    if days == "*":
        return _DAYS_A_MONTH
    return 1.0 if re.search("[LW]", days) else float(_count(days, 1, 31))


def _count(field: str, first: int, last: int, names: tuple[str, ...] = ()) -> int:
    """Return how many values a field's list, ranges and steps name."""
    for number, name in enumerate(names, start=first):
        field = field.replace(name, str(number))
    values: set[int] = set()
    for part in field.split(","):
        span, _, step = part.partition("/")
        start, _, end = span.partition("-")
        low = first if start == "*" else int(start)
        high = int(end) if end else last if start == "*" or step else low
        values.update(range(low, high + 1, int(step or 1)))
    return len(values)
