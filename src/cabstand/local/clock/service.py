"""Fires the account's schedules at their time, at least once each, through restarts; or one of them now."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from itertools import takewhile
from pathlib import Path

from cabstand.errors import ConfigError, TaskError, suggest
from cabstand.local.clock.invocation import Invoker
from cabstand.local.clock.record import Pending, Record
from cabstand.local.clock.schedules import Known, Schedule, read
from cabstand.local.events.attempts import Policy, attempt, pause
from cabstand.local.events.polling import poll
from cabstand.local.events.targets import Clients, Invoke, TargetError

SECONDS_BETWEEN_LOOKS = 5.0  # AWS fires within the minute

_LOG = logging.getLogger(__name__)


def _now() -> datetime:
    return datetime.now(UTC)


def run(client: Clients, folder: Path, stop: threading.Event, invoke: Invoke | None = None) -> None:
    """Fire schedules until `stop` is set.

    Parameters
    ----------
    client : callable
        Returns a client of the emulator by service name.
    folder : Path
        Where the clock keeps its record.
    stop : threading.Event
        Ends it.
    invoke : callable, optional
        Takes the ARN of a function and its event as JSON, and raises a CabstandError or an OSError if it fails; by
        default it calls Lambda's Invoke.
    """
    poll("clock", Clock(client, folder, invoke).tick, SECONDS_BETWEEN_LOOKS, stop)


def fire(client: Clients, name: str, invoke: Invoke | None = None) -> None:
    """Fire a schedule, whatever its state, or an enabled rule now and once; `name` may be the end of its name.

    Raises
    ------
    ConfigError
        No schedule, or more than one, has this name.
    TaskError
        The target refuses the call.
    """
    schedules = read(client)
    found = [one for one in schedules if one.name == name] or [
        one for one in schedules if one.name.endswith(f"-{name}")
    ]
    if len(found) != 1:
        hint = suggest(name, sorted(one.name for one in found or schedules))
        raise ConfigError("names several schedules" if found else "names no schedule", where=name, hint=hint)
    try:
        Invoker(client, invoke).invoke(found[0], _now().replace(microsecond=0), attempt=1)
    except TargetError as error:
        raise TaskError(f"its target answers {error.code}: {error.what}", where=found[0].name) from None


class Clock:
    """The schedules of an account and what of them is still to be delivered."""

    def __init__(
        self, client: Clients, folder: Path, invoke: Invoke | None = None, now: Callable[[], datetime] = _now
    ) -> None:
        self._client = client
        self._record = Record(folder)
        self._invoker = Invoker(client, invoke)
        self._now = now
        self._known: Known = {}

    def tick(self) -> None:
        """Note what has become due, and deliver what is to be delivered now."""
        schedules = {one.arn: one for one in read(self._client, self._known)}
        self._collect(schedules)
        for pending in sorted(self._record.pending, key=lambda one: one.due):
            if pending.due <= self._now():
                self._deliver(pending, schedules.get(pending.arn))

    def _collect(self, schedules: dict[str, Schedule]) -> None:
        """Add what has become due since the last look, and write it down before anything is delivered."""
        record, now = self._record, self._now()
        enabled = {arn: one for arn, one in schedules.items() if one.enabled}
        new = []
        for arn, one in enabled.items():
            after = record.through.get(arn, now if one.of_rule else one.since)
            due = takewhile(lambda firing: firing.due <= now, one.firings(after))
            new += [Pending(arn, firing.scheduled, firing.due) for firing in due]
        changed = bool(new) or enabled.keys() != record.through.keys()
        record.through = dict.fromkeys(enabled, now)
        record.pending += new
        if changed:
            record.save()

    def _deliver(self, pending: Pending, schedule: Schedule | None) -> None:
        """Try once; keep the firing for another attempt, or take it off the record."""
        if schedule is None or self._is_over(pending, schedule):
            self._record.pending.remove(pending)
        self._record.save()

    def _is_over(self, pending: Pending, schedule: Schedule) -> bool:
        """Return whether the firing was accepted or is given up."""
        policy, since = Policy.of(schedule.target), pending.scheduled + schedule.pause
        number = pending.attempts + 1
        call = partial(self._invoker.invoke, schedule, pending.scheduled, number)
        error, condition = attempt(call, policy, since, self._now(), pending.attempts)
        if error is None:
            _LOG.info("%s fired for %s", schedule.name, pending.scheduled.isoformat())
            self._invoker.delete_if_over(schedule, pending.scheduled)
            return True
        if condition:
            self._invoker.bury(schedule, pending.scheduled, error, number, condition)
            return True
        _LOG.warning("%s: attempt %d failed: %s: %s", schedule.name, number, error.code, error.what)
        pending.attempts, pending.due = number, self._now() + pause(number)
        return False
