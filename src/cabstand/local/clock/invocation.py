"""One invocation of a schedule's target, with the credentials of the schedule's role, and its dead letter.

Sources: https://docs.aws.amazon.com/scheduler/latest/UserGuide/managing-schedule-context-attributes.html and
https://docs.aws.amazon.com/scheduler/latest/UserGuide/configuring-schedule-dlq.html
"""

from __future__ import annotations

import hashlib
import json
import logging
from datetime import datetime
from typing import Any
from uuid import uuid4

from botocore.exceptions import ClientError

from cabstand.local.clock.schedules import Schedule
from cabstand.local.events.attempts import attributes, cut
from cabstand.local.events.roles import Roles
from cabstand.local.events.targets import Call, Clients, Invoke, TargetError, call, send, through_lambda

_LOG = logging.getLogger(__name__)


class Invoker:
    """Calls the targets of schedules; a rule of EventBridge gets a scheduled event, which finds its targets."""

    def __init__(self, client: Clients, invoke: Invoke | None = None) -> None:
        self._client = client
        self._invoke = invoke or through_lambda(client)
        self._roles = Roles(client, "scheduler")

    def invoke(self, schedule: Schedule, scheduled: datetime, attempt: int) -> None:
        """Call the target once.

        Raises
        ------
        TargetError
            It refuses.
        """
        if schedule.of_rule:
            self._put_event(schedule, scheduled)
            return
        token = _digest(schedule.arn, _text(scheduled))[:32]  # equal for all attempts: ECS starts one task
        what = Call(_payload(schedule, scheduled, attempt), token, f"chronos-schedule/{schedule.name}"[:128])
        call(schedule.target, what, self._roles.clients(schedule.target["RoleArn"]), self._invoke)

    def bury(self, schedule: Schedule, scheduled: datetime, error: TargetError, attempts: int, condition: str) -> None:
        """Send the dead letter of a firing, or log that it is dropped."""
        queue = (schedule.target.get("DeadLetterConfig") or {}).get("Arn")
        fate = f"goes to {queue}" if queue else "is dropped"
        _LOG.error("%s for %s %s: %s: %s", schedule.name, _text(scheduled), fate, error.code, error.what)
        if not queue:
            return
        body, truncated = cut(_payload(schedule, scheduled, attempts))
        about = attributes(
            error,
            attempts,
            condition,
            EXECUTION_ID=_execution(schedule, scheduled, attempts),
            IS_PAYLOAD_TRUNCATED=str(truncated).lower(),
            SCHEDULED_TIME=_text(scheduled),
            SCHEDULE_ARN=schedule.arn,
            TARGET_ARN=schedule.target["Arn"],
        )
        try:
            send(self._roles.clients(schedule.target["RoleArn"]), queue, body, MessageAttributes=about)
        except ClientError as refusal:
            _LOG.error("%s: the dead letter is lost: %s", schedule.name, refusal)

    def delete_if_over(self, schedule: Schedule, scheduled: datetime) -> None:
        """Delete a schedule that wants it after its last firing."""
        if schedule.delete_when_over and next(schedule.firings(scheduled), None) is None:
            self._client("scheduler").delete_schedule(Name=schedule.name, GroupName=schedule.group)

    def _put_event(self, rule: Schedule, scheduled: datetime) -> None:
        event = {"Source": "aws.events", "DetailType": "Scheduled Event", "Detail": "{}"}
        entry = event | {"Resources": [rule.arn], "Time": scheduled}
        try:
            self._client("events").put_events(Entries=[entry])
        except ClientError as error:
            raise TargetError(error.response["Error"]["Code"], str(error)) from None


def _payload(schedule: Schedule, scheduled: datetime, attempt: int) -> str:
    """Return the schedule's input with what it says about this invocation; without input, Scheduler's own event."""
    text: str = schedule.target.get("Input") or json.dumps(_event(schedule, scheduled))
    values = {
        "schedule-arn": schedule.arn,
        "scheduled-time": _text(scheduled),
        "execution-id": _execution(schedule, scheduled, attempt),
        "attempt-number": str(attempt),
    }
    for name, value in values.items():
        text = text.replace(f"<aws.scheduler.{name}>", value)
    return text


def _event(schedule: Schedule, scheduled: datetime) -> dict[str, Any]:
    region, account = schedule.arn.split(":")[3:5]
    return {
        "version": "0",
        "id": str(uuid4()),
        "detail-type": "Scheduled Event",
        "source": "aws.scheduler",
        "account": account,
        "time": _text(scheduled),
        "region": region,
        "resources": [schedule.arn],
        "detail": "{}",
    }


def _execution(schedule: Schedule, scheduled: datetime, attempt: int) -> str:
    """Return the id of one attempt."""
    return _digest(schedule.arn, _text(scheduled), str(attempt))[:16]


def _digest(*texts: str) -> str:
    return hashlib.sha256(" ".join(texts).encode()).hexdigest()


def _text(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"
