"""Delivers events: fetches from the emulator what is to be delivered, calls the targets, and takes it off there.

Source: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-event-delivery.html
"""

from __future__ import annotations

import hashlib
import json
import logging
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from botocore.awsrequest import AWSRequest
from botocore.exceptions import ClientError
from botocore.httpsession import URLLib3Session

from cabstand.local.emulator.patches.events import DELIVERIES
from cabstand.local.events import inputs
from cabstand.local.events.attempts import Policy, attempt, attributes, cut, pause
from cabstand.local.events.polling import poll
from cabstand.local.events.roles import Roles
from cabstand.local.events.targets import Call, Clients, Invoke, TargetError, call, send, through_lambda

SECONDS_BETWEEN_LOOKS = 1.0

# EventBridge's names of the errors; those with a cause that stays are not tried again.
LASTING = {"NO_PERMISSIONS", "NO_RESOURCE", "INVALID_JSON", "INVALID_PARAMETER", "UNSUPPORTED_TARGET"}
NAMES = {
    "AccessDenied": "NO_PERMISSIONS",
    "NotFound": "NO_RESOURCE",
    "NonExistent": "NO_RESOURCE",
    "Throttl": "THROTTLING",
    "Validation": "INVALID_PARAMETER",
    "InvalidParameter": "INVALID_PARAMETER",
}

_LOG = logging.getLogger(__name__)


def run(client: Clients, folder: Path, stop: threading.Event, invoke: Invoke | None = None) -> None:
    """Deliver events until `stop` is set.

    Parameters
    ----------
    client : callable
        Returns a client of the emulator by service name.
    folder : Path
        Unused: what is to be delivered stays in the emulator until it is.
    stop : threading.Event
        Ends it.
    invoke : callable, optional
        Takes the ARN of a function and its event as JSON, and raises a CabstandError or an OSError if it fails; by
        default it calls Lambda's Invoke.
    """
    del folder
    poll("events", Deliveries(client, invoke).tick, SECONDS_BETWEEN_LOOKS, stop)


class Deliveries:
    """What the emulator holds to be delivered, with how often each was tried and when it is due."""

    def __init__(
        self, client: Clients, invoke: Invoke | None = None, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._client = client
        self._invoke = invoke or through_lambda(client)
        self._roles = Roles(client, "events")
        self._now = now
        self._session = URLLib3Session()

    def tick(self) -> None:
        """Try what is to be tried now."""
        for one in self._ask("GET"):
            if one["attempts"] == 0 or one["due"] <= self._now().timestamp():
                later = self._tried(one)
                self._ask(*(("PUT", [later]) if later else ("DELETE", [one["id"]])))

    def _tried(self, one: dict[str, Any]) -> dict[str, Any] | None:
        """Try once; return when to try again, or None if it was accepted or is given up."""
        since, attempts = datetime.fromisoformat(one["event"]["ingestion-time"]), one["attempts"]
        error, condition = attempt(partial(self._call, one), Policy.of(one["target"]), since, self._now(), attempts)
        if error is None:
            _LOG.info("%s: delivered to %s", one["rule"], one["target"]["Arn"])
            return None
        error.code = next((name for part, name in NAMES.items() if part in error.code), error.code)
        if condition or error.code in LASTING:
            self._bury(one, error, attempts + 1, condition)
            return None
        _LOG.warning("%s: %s refuses: %s: %s", one["rule"], one["target"]["Arn"], error.code, error.what)
        due = self._now() + pause(attempts + 1)
        return {"id": one["id"], "attempts": attempts + 1, "due": due.timestamp()}

    def _call(self, one: dict[str, Any]) -> None:
        rule, target, event = one["rule"], one["target"], one["event"]
        token = hashlib.sha256(f"{event['id']} {rule} {target['Id']}".encode()).hexdigest()[:32]
        what = Call(inputs.for_target(event, target, rule), token, f"events-rule/{rule.rsplit('/', 1)[-1]}"[:128])
        # Only a cluster is called with a role; the policies of queues, topics and functions name EventBridge itself.
        clients = self._roles.clients(target["RoleArn"]) if "EcsParameters" in target else self._client
        call(target, what, clients, self._invoke)

    def _bury(self, one: dict[str, Any], error: TargetError, attempts: int, condition: str | None) -> None:
        """Send the dead letter, or log that the event is dropped."""
        target = one["target"]
        queue = (target.get("DeadLetterConfig") or {}).get("Arn")
        fate = f"goes to {queue}" if queue else "is dropped"
        _LOG.error("%s: an event for %s %s: %s: %s", one["rule"], target["Arn"], fate, error.code, error.what)
        if not queue:
            return
        body, _ = cut(inputs.for_target(one["event"], {}, one["rule"]))
        about = attributes(error, attempts, condition, RULE_ARN=one["rule"], TARGET_ARN=target["Arn"])
        try:
            send(self._client, queue, body, MessageAttributes=about)
        except ClientError as refusal:
            _LOG.error("%s: the dead letter is lost: %s", one["rule"], refusal)

    def _ask(self, method: str, content: list[Any] | None = None) -> list[dict[str, Any]]:
        """Ask the emulator for deliveries, change some or take some off."""
        url = self._client("events").meta.endpoint_url + DELIVERIES
        answer = self._session.send(AWSRequest(method, url, data=json.dumps(content or [])).prepare())
        found: list[dict[str, Any]] = json.loads(answer.content)
        return found
