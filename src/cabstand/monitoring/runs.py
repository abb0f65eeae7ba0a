"""Breaches in a row: how many disjoint windows around one agree, whatever the order in which they were decided."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from itertools import takewhile

from cabstand.monitoring.decisions import Decision
from cabstand.monitoring.times import in_utc


def length(one: Decision, others: Iterable[Decision], breach: Callable[[Decision], bool | None]) -> int:
    """Return the number of disjoint windows in a row that breach, in order of time, `one` among them; 0 if it does not.

    Windows of which `breach` knows nothing (None) are left out. Of two decisions on the same window, the one that knows
    the truth counts.
    """
    known = {_span(each): each for each in sorted((*others, one), key=_rank)}
    row = [each for _, each in sorted(known.items()) if breach(each) is not None]
    ours = known[_span(one)]
    if breach(one) is not True or breach(ours) is not True:
        return 0
    at = row.index(ours)
    before = takewhile(breach, reversed(row[:at]))
    after = takewhile(breach, row[at + 1 :])
    return _disjoint(sorted(map(_span, (*before, ours, *after))))


def _span(one: Decision) -> tuple[datetime, datetime]:
    return in_utc(one.start), in_utc(one.end)


def _rank(one: Decision) -> tuple[bool, str]:
    return one.worse is not None, one.key


def _disjoint(spans: Sequence[tuple[datetime, datetime]]) -> int:
    """Return how many of these spans, at most, have no moment in common."""
    n, last = 0, None
    for start, end in sorted(spans, key=lambda span: span[1]):
        if last is None or start >= last:
            n, last = n + 1, end
    return n
