"""EventBridge: which events a rule wants, and what is to be delivered to its targets.

moto delivers inside PutEvents: a target that it does not know fails the call, and the later targets get nothing. Here
PutEvents puts deliveries aside; `cabstand.local.events` fetches them, makes them and takes them off. Nothing is lost if
that process ends: what it has not taken off is still there.
"""

from __future__ import annotations

import json
import threading
from copy import copy
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

DELIVERIES = "/moto-api/cabstand/deliveries"
MOST_AT_ONCE = 20

_LOCK = threading.Lock()
_PENDING: dict[str, dict[str, Any]] = {}


def event_arrays() -> None:
    """Let a pattern look into the objects of an array, such as the containers of a stopped task, one by one.

    AWS matches if one element does. moto compares the array as a whole, so the rule for dead tasks would never fire. It
    also takes true for 1.
    """
    from moto.events.models import EventPattern

    EventPattern.matches_event = lambda self, event: _matches(self.get_pattern(), event)


def _matches(pattern: dict[str, Any], node: Any) -> bool:
    if isinstance(node, list) and node:
        return any(_matches(pattern, one) for one in node)
    members = node if isinstance(node, dict) else {}
    return all(_has(members, key, wanted) for key, wanted in pattern.items())


def _has(members: dict[str, Any], key: str, wanted: Any) -> bool:
    from moto.events.models import UNDEFINED, EventPattern

    if key == "$or":
        return any(_matches(one, members) for one in wanted)
    value = members.get(key, UNDEFINED)
    if isinstance(wanted, dict):
        return _matches(wanted, value)
    values = value if isinstance(value, list) else [value]
    plain = [one for one in wanted if not isinstance(one, dict)]
    if any(one == found and isinstance(one, bool) == isinstance(found, bool) for one in plain for found in values):
        return True
    return any(EventPattern._does_item_match_named_filter(value, one) for one in wanted if isinstance(one, dict))


def event_tests() -> None:
    """TestEventPattern: answer whether an event matches a pattern; moto answers nothing."""
    from moto.events.models import EventPattern
    from moto.events.responses import EventsHandler

    def test_event_pattern(self: Any) -> str:
        pattern = EventPattern.load(self._get_param("EventPattern"))
        return json.dumps({"Result": pattern.matches_event(json.loads(self._get_param("Event")))})

    EventsHandler.test_event_pattern = test_event_pattern


def event_deliveries() -> None:
    """PutEvents: put aside what the targets of enabled rules are to get; other buses and archives get it at once."""
    from moto.events.models import Rule
    from moto.moto_api._internal import urls

    stock = Rule.send_to_targets

    def send_to_targets(self: Any, original_event: Any, *args: Any, **kwargs: Any) -> None:
        if self.state == "DISABLED" or not _concerns(self, original_event):
            return
        to_buses = copy(self)
        to_buses.targets = [one for one in self.targets if one["Arn"].split(":")[2] == "events"]
        stock(to_buses, original_event, *args, **kwargs)
        _put_aside(self, original_event, [one for one in self.targets if one not in to_buses.targets])

    Rule.send_to_targets = send_to_targets
    urls.url_paths["{0}" + DELIVERIES] = _deliveries


def event_inputs() -> None:
    """PutTargets: refuse a template with a placeholder that stands for nothing, and more than one kind of input."""
    from moto.events.exceptions import ValidationException
    from moto.events.models import EventsBackend

    from cabstand.local.events.inputs import unknown

    stock = EventsBackend.put_targets

    def put_targets(self: Any, name: str, event_bus_arn: str | None, targets: list[dict[str, Any]]) -> None:
        for one in targets:
            if sum(kind in one for kind in ("Input", "InputPath", "InputTransformer")) > 1:
                kinds = "Input, InputPath, or InputTransformer"
                raise ValidationException(f"Only one of {kinds} must be provided for target {one['Id']}.")
            for placeholder in unknown(one["InputTransformer"]) if "InputTransformer" in one else ():
                where = f"InputTemplate for target {one['Id']}"
                raise ValidationException(f"{where} contains invalid placeholder {placeholder}.")
        stock(self, name, event_bus_arn, targets)

    EventsBackend.put_targets = put_targets


def _concerns(rule: Any, event: dict[str, Any]) -> bool:
    """Return whether an event matches a rule or comes from its own schedule; moto takes no pattern for any event."""
    if rule.scheduled_expression and event["source"] == "aws.events" and rule.arn in event["resources"]:
        return True
    return bool(rule.event_pattern.get_pattern() and rule.event_pattern.matches_event(event))


def _put_aside(rule: Any, event: dict[str, Any], targets: list[dict[str, Any]]) -> None:
    times = {key: datetime.fromtimestamp(float(event[key]), UTC) for key in ("time", "ingestion-time")}
    whole = event | {key: f"{moment:%Y-%m-%dT%H:%M:%SZ}" for key, moment in times.items()}
    with _LOCK:
        for target in targets:
            identity = str(uuid4())
            _PENDING[identity] = {
                "id": identity,
                "rule": rule.arn,
                "target": dict(target),
                "event": whole,
                "attempts": 0,
                "due": times["ingestion-time"].timestamp(),
            }


def _deliveries(request: Any, _url: str, _headers: Any) -> tuple[int, dict[str, str], str]:
    """Answer the deliveries that are due first; DELETE takes off those of some ids, PUT changes them."""
    with _LOCK:
        if request.method == "DELETE":
            for identity in json.loads(request.data):
                _PENDING.pop(identity, None)
        if request.method == "PUT":
            for changed in json.loads(request.data):
                _PENDING.get(changed["id"], {}).update(changed)
        return 200, {}, json.dumps(sorted(_PENDING.values(), key=lambda one: one["due"])[:MOST_AT_ONCE])
