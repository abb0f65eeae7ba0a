"""ECS tasks: start, watch and stop those that a run needs, and leave none behind."""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cabstand.errors import ConfigError, TaskError
from cabstand.io.aws import client, refusals

_log = logging.getLogger(__name__)

_AT_ONCE = 10  # most tasks that one call starts
_CONTAINER = "task"


@dataclass(frozen=True)
class Fleet:
    """Where tasks of one kind run.

    Parameters
    ----------
    cluster, definition : str
        ECS cluster and task definition (family, or family:revision).
    subnets : tuple of str
        Subnets, of which AWS takes any.
    security_group : str
        What lets tasks of one run reach each other, and nobody else.
    public_address : bool
        Give each a public address: without one and without NAT a task in a public subnet reaches nothing.
    spot : bool
        Run on spare capacity, at about a third of the price; AWS may take it back.
    lifetime_s : int
        Hard limit of a task's life in seconds, whatever becomes of its driver.
    """

    cluster: str
    definition: str
    subnets: tuple[str, ...]
    security_group: str
    public_address: bool = True
    spot: bool = False
    lifetime_s: int = 7200

    def __post_init__(self) -> None:
        missing = [name for name in ("cluster", "definition", "subnets", "security_group") if not getattr(self, name)]
        if missing:
            names = ", ".join(
                f"CABSTAND_ECS_{'WORKER_' if name == 'definition' else ''}{name.upper()}" for name in missing
            )
            raise ConfigError(f"no place to run tasks: {names} not set", hint="Terraform sets them in its own tasks")


def start(fleet: Fleet, count: int, environment: Mapping[str, str], run: str = "") -> list[str]:
    """Start `count` tasks and return their ARNs; all of them or none.

    Parameters
    ----------
    fleet : Fleet
        Where.
    count : int
        How many.
    environment : mapping of str to str
        What they find in their environment besides what their definition says; never a secret: ECS shows it.
    run : str
        Name of the run, by which its tasks are found again; a new one by default.

    Raises
    ------
    TaskError
        If AWS refuses, or has no capacity.
    """
    run = run or uuid.uuid4().hex[:12]
    started: list[str] = []
    try:
        while len(started) < count:
            started += _start(fleet, min(_AT_ONCE, count - len(started)), environment, run, len(started))
    except BaseException:
        stop(fleet.cluster, started, "not all of the run's tasks could be started")
        raise
    _log.info("run %s: %d tasks started", run, len(started))
    return started


def _start(fleet: Fleet, count: int, environment: Mapping[str, str], run: str, offset: int) -> list[str]:
    provider = "FARGATE_SPOT" if fleet.spot else "FARGATE"
    pairs = [{"name": name, "value": value} for name, value in sorted(environment.items())]
    pairs.append({"name": "CABSTAND_TASK_LIFETIME_S", "value": str(fleet.lifetime_s)})
    with refusals(f"tasks of {fleet.definition}"):
        answer = client("ecs").run_task(
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
            # A call that is repeated because its answer was lost starts nothing twice.
            clientToken=f"{run}-{offset}",
            propagateTags="TASK_DEFINITION",
            tags=[{"key": "Run", "value": run}, {"key": "LifetimeSeconds", "value": str(fleet.lifetime_s)}],
        )
    arns = [task["taskArn"] for task in answer["tasks"]]
    if len(arns) < count:
        reasons = {failure.get("reason", "unknown") for failure in answer.get("failures", [])}
        stop(fleet.cluster, arns, "not all of the run's tasks could be started")
        raise TaskError(f"{len(arns)} of {count} tasks started: {', '.join(reasons)}", where=fleet.definition)
    return arns


def states(cluster: str, arns: Sequence[str]) -> dict[str, str]:
    """Return the last known status of each task; one that ECS has forgotten is `GONE`."""
    found = dict.fromkeys(arns, "GONE")
    for start_at in range(0, len(arns), 100):
        with refusals(f"cluster {cluster}"):
            answer = client("ecs").describe_tasks(cluster=cluster, tasks=list(arns[start_at : start_at + 100]))
        found |= {task["taskArn"]: task["lastStatus"] for task in answer["tasks"]}
    return found


def wait_until(
    cluster: str, arns: Sequence[str], wanted: frozenset[str], *, timeout_s: float, every_s: float = 5
) -> None:
    """Wait until every task has one of the wanted states.

    Raises
    ------
    TaskError
        If they have not in time.
    """
    end = time.monotonic() + timeout_s
    while missing := {arn: state for arn, state in states(cluster, arns).items() if state not in wanted}:
        if time.monotonic() > end:
            first = next(iter(missing.items()))
            raise TaskError(f"is {first[1]} after {timeout_s:g} s, with {len(missing)} tasks in all", where=first[0])
        time.sleep(every_s)


def stop(cluster: str, arns: Sequence[str], reason: str) -> None:
    """Stop tasks; one that has ended, or is forgotten, is fine. Each is tried, whatever becomes of the others.

    Raises
    ------
    TaskError
        If AWS refuses to stop one.
    """
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
