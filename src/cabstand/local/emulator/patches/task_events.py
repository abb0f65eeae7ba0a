"""The events that ECS sends about its tasks."""

from __future__ import annotations

import json
import logging
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from functools import cache
from typing import Any

from botocore import xform_name

_log = logging.getLogger(__name__)
# One thread keeps their order, and no caller waits for a target, which may be ECS itself.
_SENDER = ThreadPoolExecutor(max_workers=1, thread_name_prefix="task-events")


@cache
def _names() -> list[str]:
    """Return what an event tells of a task: all that DescribeTasks does, without tags, and the time of the change."""
    from botocore.session import get_session

    shown = get_session().get_service_model("ecs").shape_for("Task").members
    return [*(name for name in shown if name != "tags"), "updatedAt"]


def announce(task: Any) -> None:
    """Send an "ECS Task State Change" event with the present state of a task."""
    values = {name: getattr(task, xform_name(name), None) for name in _names()}
    detail = {name: value for name, value in values.items() if value is not None and value != ""}
    entry = {
        "Source": "aws.ecs",
        "DetailType": "ECS Task State Change",
        "Resources": [task.task_arn],
        "Detail": json.dumps(detail, default=_timestamp),
    }
    _SENDER.submit(_send, task._account_id, task.region_name, entry)


def _timestamp(value: datetime) -> str:
    return f"{value.replace(tzinfo=None).isoformat(timespec='milliseconds')}Z"


def _send(account: str, region: str, entry: dict[str, Any]) -> None:
    from moto.events import events_backends

    try:
        events_backends[account][region].put_events([entry])
    except Exception as error:  # a target that fails must not end the thread
        _log.warning("event of %s not delivered: %r", entry["Resources"][0], error)
