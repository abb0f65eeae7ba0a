"""What a task is to run, from its definition and its overrides."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from cabstand.errors import TaskError

Clients = Callable[[str], Any]
STOP_TIMEOUT_S = 30  # of ECS, for a container that names none


@dataclass(frozen=True)
class Order:
    """A task of one container; sizes and roles are the definition's unless RunTask overrode them."""

    cluster: str
    arn: str
    container: str
    image: str
    entry_point: tuple[str, ...]  # empty: that of the image
    command: tuple[str, ...]
    environment: dict[str, str]
    secrets: dict[str, str]  # name in the environment: ARN or name of the secret
    vcpu: float
    memory_mib: int
    stop_timeout_s: float
    folders: tuple[str, ...]  # paths in the container where a volume of the task's own is mounted
    log_options: dict[str, str] | None  # of the driver awslogs
    task_role: str | None
    execution_role: str | None
    definition: str

    @property
    def id(self) -> str:
        """The last part of the ARN, which no other task of the account has."""
        return self.arn.rpartition("/")[2]


def read(client: Clients, task: dict[str, Any]) -> Order:
    """Return the order of a task as DescribeTasks shows it; TaskError if this runner cannot run such a task."""
    arn = task["taskDefinitionArn"]
    definition = client("ecs").describe_task_definition(taskDefinition=arn)["taskDefinition"]
    if len(definition["containerDefinitions"]) != 1:
        raise TaskError("CannotCreateContainerError: this runner runs tasks of one container")
    (container,) = definition["containerDefinitions"]
    overrides = task.get("overrides", {})
    changed: dict[str, Any] = next(
        (one for one in overrides.get("containerOverrides", []) if one["name"] == container["name"]), {}
    )
    pairs = [*container.get("environment", []), *changed.get("environment", [])]
    logs = container.get("logConfiguration") or {}
    memory = task.get("memory") or changed.get("memory") or container.get("memory") or 512
    return Order(
        cluster=task["clusterArn"],
        arn=task["taskArn"],
        container=container["name"],
        image=container["image"],
        entry_point=tuple(container.get("entryPoint") or ()),
        command=tuple(changed.get("command") or container.get("command") or ()),
        environment={pair["name"]: pair["value"] for pair in pairs},
        secrets={one["name"]: one["valueFrom"] for one in container.get("secrets", [])},
        vcpu=int(task.get("cpu") or container.get("cpu") or 256) / 1024,
        memory_mib=int(memory),
        stop_timeout_s=container.get("stopTimeout", STOP_TIMEOUT_S),
        folders=tuple(one["containerPath"] for one in container.get("mountPoints", [])),
        log_options=logs.get("options") if logs.get("logDriver") == "awslogs" else None,
        task_role=overrides.get("taskRoleArn") or definition.get("taskRoleArn"),
        execution_role=overrides.get("executionRoleArn") or definition.get("executionRoleArn"),
        definition=arn,
    )
