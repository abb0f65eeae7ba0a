"""Run a task definition of the account by ECS's RunTask, and follow it to its end."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from cabstand.errors import ConfigError, TaskError, suggest
from cabstand.local.stack import logs, terraform
from cabstand.local.stack.state import State

CHECK_S = 0.5


@dataclass(frozen=True)
class Ended:
    """How a task ended; `exit_code` is None if its container never ran."""

    task_arn: str
    exit_code: int | None
    stop_code: str
    stopped_reason: str


def run(state: State, task: str, command: Sequence[str], show: Callable[[str], None]) -> Ended:
    """Run a task, with another command than its definition's if one is given, and show its log as it comes.

    Raises
    ------
    ConfigError
        If there is no such task definition.
    TaskError
        If ECS does not accept the task.
    """
    batch = state.facts["outputs"]["batch"]
    definitions: dict[str, str] = batch["task_definition_arns"]
    if task not in definitions:
        raise ConfigError("no such task", where=task, hint=suggest(task, list(definitions)))
    words = list(command[1:] if command[:1] == ["cabstand"] else command)  # the definition's entry point
    override = [{"name": "task", "command": words}] if words else []
    answer = terraform.client(state, "ecs").run_task(
        cluster=batch["cluster_name"],
        taskDefinition=definitions[task],
        networkConfiguration={
            "awsvpcConfiguration": {
                "subnets": batch["subnet_ids"],
                "securityGroups": [batch["security_group_id"]],
                "assignPublicIp": "ENABLED" if batch["assign_public_ip"] else "DISABLED",
            }
        },
        overrides={"containerOverrides": override},
    )
    if not answer["tasks"]:
        raise TaskError(f"not accepted: {answer['failures']}", where=task)
    return follow(state, task, answer["tasks"][0]["taskArn"], show)


def follow(state: State, task: str, arn: str, show: Callable[[str], None]) -> Ended:
    """Show a task's log until the task has stopped."""
    ecs, cluster = terraform.client(state, "ecs"), state.facts["outputs"]["batch"]["cluster_name"]
    stream, shown = f"run/task/{arn.rpartition('/')[2]}", 0
    while True:
        (found,) = ecs.describe_tasks(cluster=cluster, tasks=[arn])["tasks"]
        lines = logs.of_stream(state, logs.group_of_task(state, task), stream)
        for line in lines[shown:]:
            show(line)
        shown = len(lines)
        if found["lastStatus"] == "STOPPED":
            return _ended(found)
        time.sleep(CHECK_S)


def _ended(task: dict[str, Any]) -> Ended:
    container = task["containers"][0]
    reason = container.get("reason") or task.get("stoppedReason", "")
    return Ended(task["taskArn"], container.get("exitCode"), task.get("stopCode", ""), reason)
