"""Schedules as the account holds them, and their firings in any span of time: a virtual clock.

Schedules of EventBridge Scheduler have a time zone, two dates and a window; rules of EventBridge fire in UTC.
"""

from __future__ import annotations

import hashlib
import heapq
import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import chain, islice, takewhile
from typing import Any

from cabstand.errors import ConfigError
from cabstand.local.clock.expressions import EPOCH, Expression, parse

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, order=True)
class Firing:
    """A time at which a schedule calls its target.

    `due` differs from the scheduled time within a flexible window.
    """

    due: datetime
    arn: str
    scheduled: datetime


@dataclass(frozen=True)
class Schedule:
    """A schedule or a rule that has one; `target` is empty for a rule, whose targets get an event.

    `begin` is what a rate counts from; no firing is before `since`, when the schedule was made or last changed.
    """

    arn: str
    name: str
    group: str
    enabled: bool
    expression: Expression
    target: dict[str, Any] = field(default_factory=dict)
    begin: datetime = EPOCH
    since: datetime = EPOCH
    end: datetime | None = None
    window: timedelta = timedelta()
    delete_when_over: bool = False

    @property
    def of_rule(self) -> bool:
        """Whether it is a rule of EventBridge."""
        return not self.target

    def firings(self, after: datetime) -> Iterator[Firing]:
        """Yield what is due after a moment, ascending, were the schedule enabled."""
        pause = self.pause
        for scheduled in self.expression.times(max(after - pause, self.since), self.begin):
            if self.end and scheduled > self.end:
                return
            if scheduled >= self.begin:
                yield Firing(scheduled + pause, self.arn, scheduled)

    @property
    def pause(self) -> timedelta:
        """How far into its window the schedule fires: AWS chooses it, here its name does."""
        seconds = int(self.window.total_seconds())
        digest = hashlib.sha256(self.arn.encode()).digest()
        return timedelta(seconds=int.from_bytes(digest[:8]) % seconds) if seconds else timedelta()


Known = dict[tuple[str, str], Schedule | None]


def firings(schedules: Sequence[Schedule], start: datetime, end: datetime) -> Iterator[Firing]:
    """Yield all that enabled schedules fire after `start` and until `end`, in order of time."""
    streams = [one.firings(start) for one in schedules if one.enabled]
    return takewhile(lambda firing: firing.due <= end, heapq.merge(*streams))


def next_firings(client: Callable[[str], Any], n: int, now: datetime | None = None) -> list[tuple[str, datetime]]:
    """Return the names of the next `n` firings of the account and their times in UTC."""
    schedules = read(client)
    names = {one.arn: one.name for one in schedules}
    upcoming = heapq.merge(*(one.firings(now or datetime.now(UTC)) for one in schedules if one.enabled))
    return [(names[firing.arn], firing.due) for firing in islice(upcoming, n)]


def read(client: Callable[[str], Any], known: Known | None = None) -> list[Schedule]:
    """Read the schedules and the rules that have one; log those that AWS would refuse, and leave them out.

    Parameters
    ----------
    client : callable
        Returns a client of the emulator by service name.
    known : dict, optional
        What an earlier call found, which this one updates: an unchanged schedule is read, and complained about, once.
    """
    known = {} if known is None else known
    pages = client("scheduler").get_paginator("list_schedules").paginate()
    listed = chain.from_iterable(page["Schedules"] for page in pages)
    rules = chain.from_iterable(page["Rules"] for page in client("events").get_paginator("list_rules").paginate())
    found: Known = {}
    for one in listed:
        key = one["Arn"], str(one["LastModificationDate"])
        found[key] = known[key] if key in known else _schedule(client, one)
    for rule in rules:
        if "ScheduleExpression" in rule:
            key = rule["Arn"], f"{rule['ScheduleExpression']} {rule['State']}"
            found[key] = known[key] if key in known else _rule(rule)
    known.clear()
    known.update(found)
    return [one for one in found.values() if one]


def _schedule(client: Callable[[str], Any], listed: dict[str, Any]) -> Schedule | None:
    given = client("scheduler").get_schedule(Name=listed["Name"], GroupName=listed["GroupName"])
    expression = _expression(
        given["Arn"], given["ScheduleExpression"], given.get("ScheduleExpressionTimezone") or "UTC"
    )
    if not expression:
        return None
    once = expression.kind == "at"  # AWS ignores its dates
    return Schedule(
        arn=given["Arn"],
        name=given["Name"],
        group=given["GroupName"],
        enabled=given["State"] == "ENABLED",
        expression=expression,
        target=given["Target"],
        begin=EPOCH if once else given.get("StartDate") or given["CreationDate"],
        since=given["LastModificationDate"] - timedelta(seconds=1),  # a rate begins at once
        end=None if once else given.get("EndDate"),
        window=timedelta(minutes=given["FlexibleTimeWindow"].get("MaximumWindowInMinutes") or 0),
        delete_when_over=given.get("ActionAfterCompletion") == "DELETE",
    )


def _rule(given: dict[str, Any]) -> Schedule | None:
    """Read a rule; when it was made is not told, so its rate counts from the beginning of 1970."""
    expression = _expression(given["Arn"], given["ScheduleExpression"], "UTC", of_rule=True)
    on = given["State"] != "DISABLED"
    return Schedule(given["Arn"], given["Name"], given["EventBusName"], on, expression) if expression else None


def _expression(arn: str, text: str, zone: str, *, of_rule: bool = False) -> Expression | None:
    try:
        return parse(text, zone, of_rule=of_rule)
    except ConfigError as error:
        _LOG.warning("%s never fires: %s", arn, error)
        return None
