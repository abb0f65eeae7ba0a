"""Start the ECS tasks that a run needs, and stop them."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cabstand import trace
from cabstand.errors import ConfigError, TaskError
from cabstand.io.aws import client, refusals

_log = logging.getLogger(__name__)

_BATCH = 10  # most tasks that one call can start
_CONTAINER = "task"


@dataclass(frozen=True)
class Fleet:
    """Where and how tasks of one kind run."""

    cluster: str
    definition: str  # family, or family:revision
    subnets: tuple[str, ...]  # AWS may use any of them
    security_group: str  # lets tasks of a run reach each other, and nobody else
    public_address: bool = True  # without one a task in a public subnet needs NAT to reach anything
    spot: bool = False  # spare capacity at about a third of the price, which AWS may reclaim
    lifetime_s: int = 7200  # hard limit of a task's life, even if its driver has died

    def __post_init__(self) -> None:
        missing = [name for name in ("cluster", "definition", "subnets", "security_group") if not getattr(self, name)]
        if missing:
            names = ", ".join(
                f"CABSTAND_ECS_{'WORKER_' if name == 'definition' else ''}{name.upper()}" for name in missing
            )
            raise ConfigError(f"cannot run tasks: {names} not set", hint="Terraform sets them in its own tasks")


def start(fleet: Fleet, count: int, environment: Mapping[str, str]) -> list[str]:
    """Start `count` tasks of one run and return their ARNs; either all start or none.

    `environment` is added to that of their definition; never put a secret there, because ECS shows it.
    """
    run = uuid.uuid4().hex[:12]
    started: list[str] = []
    try:
        while len(started) < count:
            batch = min(_BATCH, count - len(started))
            answer = _run_task(fleet, batch, environment, run, len(started))
            started += [task["taskArn"] for task in answer["tasks"]]
            if len(answer["tasks"]) < batch:
                reasons = {failure.get("reason", "unknown") for failure in answer.get("failures", [])}
                what = f"{len(started)} of {count} tasks started: {', '.join(reasons)}"
                raise TaskError(what, where=fleet.definition)
    except BaseException:
        stop(fleet.cluster, started, "not all of the run's tasks could be started")
        raise
    _log.info("run %s: %d tasks started", run, len(started))
    return started


def _run_task(fleet: Fleet, count: int, environment: Mapping[str, str], run: str, offset: int) -> Any:
    provider = "FARGATE_SPOT" if fleet.spot else "FARGATE"
    pairs = [{"name": name, "value": value} for name, value in sorted((trace.environment() | {**environment}).items())]
    pairs.append({"name": "CABSTAND_TASK_LIFETIME_S", "value": str(fleet.lifetime_s)})
    with refusals(f"tasks of {fleet.definition}"):
        return client("ecs").run_task(
            cluster=fleet.cluster,
            taskDefinition=fleet.definition,
            count=count,
            capacityProviderStrategy=[{"capacityProvider": provider, "weight": 1}],
            networkConfiguration={
                "awsvpcConfiguration": {
                    "subnets": list(fleet.subnets),
                    "securityGroups": [fleet.security_group],
                    "assignPublicIp": "ENABLED" if fleet.public_address else "DISABLED",
                }
            },
            overrides={"containerOverrides": [{"name": _CONTAINER, "environment": pairs}]},
            startedBy=f"cabstand-{run}",
            # A call repeated because its answer was lost must not start tasks twice.
            clientToken=f"{run}-{offset}",
            propagateTags="TASK_DEFINITION",
            tags=[{"key": "Run", "value": run}, {"key": "LifetimeSeconds", "value": str(fleet.lifetime_s)}],
        )


def stop(cluster: str, arns: Sequence[str], reason: str) -> None:
    """Stop tasks, each of them even if stopping another fails; a task that has ended already is not an error."""
    refused: list[TaskError] = []
    for arn in arns:
        ecs = client("ecs")
        try:
            with refusals(f"task {arn}"):
                ecs.stop_task(cluster=cluster, task=arn, reason=reason[:255])
        except TaskError as error:
            if "not found" not in str(error).lower():
                refused.append(error)
    if refused:
        raise refused[0]
