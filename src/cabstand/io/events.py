"""Events for others to act on, sent to an EventBridge bus.

A bus may deliver an event more than once. Each carries the key of the decision that it is about, by
which its receiver knows it again. The types are those that the rules in infra/ match.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tenacity import retry, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from cabstand import trace
from cabstand.errors import TaskError
from cabstand.io import aws
from cabstand.settings import Settings

SOURCE = "cabstand.monitor"
RETRAINING_WANTED = "Retraining wanted"
INSPECTION_WANTED = "Inspection wanted"
RETRAINING_REFUSED = "Retraining refused"
RETRAINING_DONE = "Retraining done"
_log = logging.getLogger(__name__)


class _NotTakenError(TaskError):
    """EventBridge answered, but did not take the event."""


@dataclass(frozen=True)
class Sent:
    """Whether an event was sent; `event_id` is empty if no bus is configured."""

    event_id: str


def emit(settings: Settings, detail: Mapping[str, Any], detail_type: str = RETRAINING_WANTED) -> Sent:
    """Send an event to `monitor_event_bus`, or nothing if that is empty; a TaskError if it is not taken.

    `detail` needs `key`, `problem` and `reason`.
    """
    if missing := {"key", "problem", "reason"} - set(detail):
        raise ValueError(f"an event without {min(missing)}")
    if not settings.monitor_event_bus:
        _log.info("no event is sent: %s (CABSTAND_MONITOR_EVENT_BUS names no bus)", detail_type)
        return Sent("")
    entry = {
        "EventBusName": settings.monitor_event_bus,
        "Source": SOURCE,
        "DetailType": detail_type,
        "Detail": json.dumps(detail, default=str, allow_nan=False),
    }
    sent = Sent(_put(entry))
    _log.info("event sent: %s; whatever it starts is in trace %s", detail_type, trace.of_event(sent.event_id))
    return sent


@retry(
    retry=retry_if_exception_type(_NotTakenError),
    stop=stop_after_attempt(4),
    wait=wait_random_exponential(0.2),
    reraise=True,
)
def _put(entry: Mapping[str, str]) -> str:
    """Send one event and return its id; the SDK repeats a request that fails, but not one whose event is not taken."""
    [answer] = aws.call("events", "put_events", Entries=[entry])["Entries"]
    if code := answer.get("ErrorCode"):
        what = f"the event was not taken: {answer.get('ErrorMessage') or code}"
        raise _NotTakenError(what, where=entry["EventBusName"])
    return str(answer["EventId"])
