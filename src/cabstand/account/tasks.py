"""Run a task of an environment by ECS's RunTask, and follow it to its end."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from cabstand.errors import LeftRunningError, TaskError
from cabstand.io.aws import refusals

CHECK_S = 2.0
LIMIT_S = 6 * 3600.0
_APPEARS_S = 60.0  # ECS answers from a copy of its records that may be behind
Clients = Callable[[str], Any]
Show = Callable[[str], None]


@dataclass(frozen=True)
class Ended:
    """How a task ended; `exit_code` is None if its container never ran, and `result` if the job printed none."""

    task_arn: str
    exit_code: int | None
    stop_code: str
    stopped_reason: str
    result: dict[str, Any] | None = None


def start(
    clients: Clients, family: str, command: Sequence[str] | None = None, added: Sequence[str] | None = None
) -> str:
    """Start a task where its definition says that tasks run, and return its ARN.

    `command` replaces the definition's, `added` is put behind it.

    Raises
    ------
    TaskError
        If there is no such definition, or ECS does not accept the task.
    """
    container = _container(clients, family)
    place = {one["name"]: one["value"] for one in container["environment"]}
    words = [*(command or container["command"]), *(added or [])]
    with refusals(family):
        answer = clients("ecs").run_task(
            cluster=place["CABSTAND_ECS_CLUSTER"],
            taskDefinition=family,
            networkConfiguration={
                "awsvpcConfiguration": {
                    "subnets": place["CABSTAND_ECS_SUBNETS"].split(","),
                    "securityGroups": [place["CABSTAND_ECS_SECURITY_GROUP"]],
                    "assignPublicIp": "ENABLED" if place["CABSTAND_ECS_PUBLIC_ADDRESS"] == "true" else "DISABLED",
                }
            },
            overrides={"containerOverrides": [{"name": container["name"], "command": words}]},
            propagateTags="TASK_DEFINITION",  # the budget counts a task by its tags
            enableECSManagedTags=True,
            startedBy="cabstand-run-task",
        )
    if not answer["tasks"]:
        raise TaskError(f"not accepted: {answer['failures']}", where=family)
    return str(answer["tasks"][0]["taskArn"])


def follow(
    clients: Clients, cluster: str, task_id: str, show: Show, limit_s: float = LIMIT_S, check_s: float = CHECK_S
) -> Ended:
    """Show a task's log until the task has stopped; `task_id` may be its ARN.

    Raises
    ------
    TaskError
        If the task has not stopped after `limit_s`; it goes on.
    LeftRunningError
        If this process is interrupted.
    """
    try:
        return _followed(clients, cluster, task_id, show, limit_s, check_s)
    except (KeyboardInterrupt, SystemExit) as error:
        task_id = task_id.rpartition("/")[2]
        hint = f"`aws ecs stop-task --cluster {cluster} --task {task_id}` ends it"
        raise LeftRunningError("interrupted; the task goes on", where=task_id, hint=hint) from error


def _followed(clients: Clients, cluster: str, task_id: str, show: Show, limit_s: float, check_s: float) -> Ended:
    began, log, result = time.monotonic(), Log(clients), None
    while True:
        task = _described(clients, cluster, task_id)
        for line in log.news(task):
            show(line)
            result = _result_in(line) or result
        if task.get("lastStatus") == "STOPPED":
            return _ended(task, result)
        waited_s = time.monotonic() - began
        if waited_s > (limit_s if task else min(limit_s, _APPEARS_S)):
            what = f"is {task.get('lastStatus', 'unknown to ECS')} after {waited_s:.0f} s, and is followed no longer"
            raise TaskError(what, where=task_id.rpartition("/")[2], hint="it goes on; its log is in CloudWatch")
        time.sleep(check_s)


class Log:
    """What a task writes, read from where the last reading ended."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients
        self._request: dict[str, Any] = {}

    def news(self, task: dict[str, Any]) -> Iterator[str]:
        """Yield the lines that have come since; none before there is a log."""
        if not task:
            return
        if not self._request:
            options = _container(self._clients, task["taskDefinitionArn"])["logConfiguration"]["options"]
            stream = f"{options['awslogs-stream-prefix']}/task/{task['taskArn'].rpartition('/')[2]}"
            self._request = {"logGroupName": options["awslogs-group"], "logStreamName": stream, "startFromHead": True}
        logs = self._clients("logs")
        while True:
            with refusals(self._request["logStreamName"]):
                try:
                    answer = logs.get_log_events(**self._request)
                except logs.exceptions.ResourceNotFoundException:
                    return
            yield from (event["message"].rstrip("\n") for event in answer["events"])
            self._request["nextToken"] = answer["nextForwardToken"]
            if not answer["events"]:
                return


def _container(clients: Clients, definition: str) -> dict[str, Any]:
    with refusals(f"task definition {definition}"):
        found = clients("ecs").describe_task_definition(taskDefinition=definition)["taskDefinition"]
    return dict(found["containerDefinitions"][0])


def _described(clients: Clients, cluster: str, task_id: str) -> dict[str, Any]:
    """Return a task as ECS describes it; nothing if ECS does not know it (yet)."""
    with refusals(task_id):
        found = clients("ecs").describe_tasks(cluster=cluster, tasks=[task_id])["tasks"]
    return dict(found[0]) if found else {}


def _result_in(line: str) -> dict[str, Any] | None:
    """Return a job's result: the one JSON object in its output that is no line of its log."""
    try:
        found = json.loads(line) if line.startswith("{") else None
    except ValueError:
        return None
    return found if isinstance(found, dict) and "logger" not in found else None


def _ended(task: dict[str, Any], result: dict[str, Any] | None) -> Ended:
    container = task["containers"][0]
    reason = container.get("reason") or task.get("stoppedReason", "")
    return Ended(task["taskArn"], container.get("exitCode"), task.get("stopCode", ""), reason, result)
