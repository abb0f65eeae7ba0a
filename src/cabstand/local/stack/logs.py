"""What the parts, the tasks and the function have logged."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from botocore.exceptions import ClientError

from cabstand.errors import ConfigError, suggest
from cabstand.local.stack import terraform
from cabstand.local.stack.state import State

GROUPS = ("task", "function", "access")


def run(state: State, name: str, n_lines: int) -> list[str]:
    """Return the last lines of a part's log file, or of the log groups of the tasks, the function or one task.

    Raises
    ------
    ConfigError
        If nothing of that name has a log.
    """
    files = {file.stem: file for file in (state.folder / "logs").glob("*.log")}
    if name in files:
        return files[name].read_text(encoding="utf-8", errors="replace").splitlines()[-n_lines:]
    groups = _groups(state, name)
    if not groups:
        known = sorted([*files, *GROUPS, *state.facts["outputs"]["batch"]["task_definition_arns"]])
        raise ConfigError("nothing of that name has a log", where=name, hint=suggest(name, known))
    events = sorted((event for group in groups for event in _events(state, group)), key=lambda one: one["timestamp"])
    return [event["message"].rstrip("\n") for event in events[-n_lines:]]


def group_of_task(state: State, task: str) -> str:
    """Return the log group of a task."""
    definition = state.facts["outputs"]["batch"]["task_definition_arns"][task]
    found = terraform.client(state, "ecs").describe_task_definition(taskDefinition=definition)["taskDefinition"]
    return str(found["containerDefinitions"][0]["logConfiguration"]["options"]["awslogs-group"])


def _groups(state: State, name: str) -> list[str]:
    tasks = state.facts["outputs"]["batch"]["task_definition_arns"]
    if name in tasks:
        return [group_of_task(state, name)]
    pages = terraform.client(state, "logs").get_paginator("describe_log_groups").paginate()
    names = [group["logGroupName"] for page in pages for group in page["logGroups"]]
    part = {"task": "/tasks/", "function": "/aws/lambda/", "access": "/access"}.get(name)
    return [group for group in names if part and part in group]


def _events(state: State, group: str, **request: Any) -> Iterator[dict[str, Any]]:
    client = terraform.client(state, "logs")
    try:
        for page in client.get_paginator("filter_log_events").paginate(logGroupName=group, **request):
            yield from page["events"]
    except ClientError as error:
        if error.response["Error"]["Code"] != "ResourceNotFoundException":
            raise
