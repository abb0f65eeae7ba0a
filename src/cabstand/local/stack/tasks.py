"""Run a task definition of the account on this machine, and follow it to its end."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from cabstand.account import tasks
from cabstand.account.tasks import LIMIT_S, Ended, Show
from cabstand.errors import ConfigError, suggest
from cabstand.local.stack import terraform
from cabstand.local.stack.state import State

CHECK_S = 0.5


def run(state: State, task: str, command: Sequence[str], show: Show, limit_s: float = LIMIT_S) -> Ended:
    """Run a task, with another command than its definition's if one is given, and show its log as it comes.

    Raises
    ------
    ConfigError
        If there is no such task definition.
    TaskError
        If ECS does not accept the task, or as `follow` does.
    """
    batch = state.facts["outputs"]["batch"]
    if task not in batch["task_definition_arns"]:
        raise ConfigError("no such task", where=task, hint=suggest(task, list(batch["task_definition_arns"])))
    words = list(command[1:] if command[:1] == ["cabstand"] else command)  # the definition's entry point
    family = f"{batch['cluster_name']}-{task}"
    return follow(state, tasks.start(partial(terraform.client, state), family, words), show, limit_s)


def follow(state: State, task_id: str, show: Show, limit_s: float = LIMIT_S) -> Ended:
    """Show a task's log until the task has stopped, as `cabstand.account.tasks.follow` does."""
    cluster = state.facts["outputs"]["batch"]["cluster_name"]
    return tasks.follow(partial(terraform.client, state), cluster, task_id, show, limit_s, CHECK_S)
