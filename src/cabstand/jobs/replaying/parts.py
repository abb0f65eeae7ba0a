"""Months as windows: four of the days 1 to 7, 8 to 14, 15 to 21 and the rest; two of two such weeks; or one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

from cabstand.tlc import ZONE

COUNTS = (1, 2, 4)  # windows that a month can have
DAYS, WEEKS = 7, 4


@dataclass(frozen=True)
class Part:
    """One window of a month."""

    month: str
    number: int  # 0 to `count` - 1
    count: int = 4  # windows of the month

    @property
    def name(self) -> str:
        """The month and the days, as 2025-01 days 8 to 14."""
        if self.count == 1:
            return self.month
        end = f"to {self._first + self._days - 1}" if self.number < self.count - 1 else "on"
        return f"{self.month} days {self._first} {end}"

    @property
    def span(self) -> tuple[datetime, datetime]:
        """Start and end in UTC."""
        first = datetime.strptime(self.month, "%Y-%m").replace(tzinfo=ZoneInfo(ZONE))
        start = first.replace(day=self._first)
        next_month = (first.replace(day=28) + timedelta(days=4)).replace(day=1)
        end = next_month if self.number == self.count - 1 else start.replace(day=self._first + self._days)
        return start.astimezone(UTC), end.astimezone(UTC)

    @property
    def days(self) -> float:
        """Length."""
        start, end = self.span
        return (end - start) / timedelta(days=1)

    @property
    def _days(self) -> int:
        return DAYS * WEEKS // self.count

    @property
    def _first(self) -> int:
        return self.number * self._days + 1


def parts(months: Sequence[str], count: int) -> list[Part]:
    """Return the windows of months, `count` each, in order of time."""
    return [Part(month, number, count) for month in sorted(months) for number in range(count)]


def numbers(time: npt.NDArray[np.datetime64], months: Sequence[str], count: int) -> npt.NDArray[Any]:
    """Return the number of each row's window among those of the months; -1 for stray rows of other months."""
    known = np.array(sorted(months), "M8[M]")
    month = time.astype("M8[M]")
    place = np.minimum(np.searchsorted(known, month), len(known) - 1)
    day = (time.astype("M8[D]") - month.astype("M8[D]")).astype(np.int64)
    part = np.minimum(day // DAYS, WEEKS - 1) * count // WEEKS
    return np.where(known[place] == month, place * count + part, -1)
