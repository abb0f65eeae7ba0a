"""How often a target is tried, and what its dead letter says about it.

Source: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-event-delivery.html
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from cabstand.local.events.targets import TargetError

LONGEST_PAUSE = timedelta(minutes=5)
MOST_BYTES = 240_000  # SQS takes 256 KiB, attributes included


@dataclass(frozen=True)
class Policy:
    """How many times a call is repeated, and for how long."""

    retries: int
    age: timedelta

    @classmethod
    def of(cls, target: dict[str, Any]) -> Policy:
        """Read a target's retry policy, by default 185 times within a day."""
        given = target.get("RetryPolicy") or {}
        age = given.get("MaximumEventAgeInSeconds")
        return cls(given.get("MaximumRetryAttempts", 185), timedelta(seconds=86_400 if age is None else age))

    def exhausted(self, since: datetime, now: datetime, attempts: int) -> str | None:
        """Return AWS's name of the limit that is reached by now after so many attempts, or None."""
        if attempts > self.retries:
            return "MaximumRetryAttempts"
        return "MaximumEventAgeInSeconds" if now - since > self.age else None


def pause(attempts: int) -> timedelta:
    """Return how long to wait after so many attempts: 1, 2, 4 seconds and so on."""
    return min(timedelta(seconds=2 ** min(attempts - 1, 20)), LONGEST_PAUSE)


def attempt(
    call: Callable[[], None], policy: Policy, since: datetime, now: datetime, attempts: int
) -> tuple[TargetError | None, str | None]:
    """Make one more attempt after `attempts`, unless it is too late; return its error and the limit that is reached."""
    if condition := policy.exhausted(since, now, 0):
        return TargetError("EventAgeExceeded", "nobody delivered it in time"), condition
    try:
        call()
    except TargetError as error:
        return error, policy.exhausted(since, now + pause(attempts + 1), attempts + 1)
    return None, None


def attributes(error: TargetError, attempts: int, condition: str | None, **others: str) -> dict[str, Any]:
    """Return the attributes of a dead letter as SQS wants them."""
    texts = {
        "ERROR_CODE": error.code,
        "ERROR_MESSAGE": error.what,
        "EXHAUSTED_RETRY_CONDITION": condition or "",
        "RETRY_ATTEMPTS": str(max(0, attempts - 1)),
        **others,
    }
    return {name: {"DataType": "String", "StringValue": text} for name, text in texts.items() if text}


def cut(body: str) -> tuple[str, bool]:
    """Return a dead letter's text, short enough for SQS, and whether something was cut off."""
    if len(body.encode()) <= MOST_BYTES:
        return body or "{}", False
    return body.encode()[:MOST_BYTES].decode(errors="ignore"), True
