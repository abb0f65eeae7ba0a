"""ECS tasks: started together or not at all, and stopped. A run whose tasks really run: tests/local/runner."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from cabstand.errors import ConfigError, TaskError
from cabstand.io import aws, ecs_tasks


class Ecs:
    """A cluster and a worker's definition on the emulator."""

    def __init__(self, client: Any) -> None:
        self.client = client
        ec2 = aws.client("ec2")
        vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        ec2.modify_vpc_attribute(VpcId=vpc, EnableDnsHostnames={"Value": True})
        subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.0.0/24")["Subnet"]["SubnetId"]
        group = ec2.create_security_group(GroupName=f"g{vpc}", Description="x", VpcId=vpc)["GroupId"]
        self.name = f"cabstand-{vpc}"
        client.create_cluster(clusterName=self.name)
        client.register_task_definition(
            family=f"{self.name}-dask-worker",
            networkMode="awsvpc",
            requiresCompatibilities=["FARGATE"],
            cpu="1024",
            memory="2048",
            containerDefinitions=[{"name": "task", "image": "example", "memory": 2048}],
        )
        self.fleet = ecs_tasks.Fleet(self.name, f"{self.name}-dask-worker", (subnet,), group, lifetime_s=600)

    def tasks(self, status: str = "RUNNING") -> list[dict[str, Any]]:
        arns = self.client.list_tasks(cluster=self.name, desiredStatus=status)["taskArns"]
        return self.client.describe_tasks(cluster=self.name, tasks=arns, include=["TAGS"])["tasks"] if arns else []  # type: ignore[no-any-return]


@pytest.fixture
def ecs(moto_server: str, bucket: str) -> Iterator[Ecs]:
    """The emulator's own state machine would end tasks by itself; here they end when they are stopped."""
    del bucket  # for the environment that it sets
    aws.client.cache_clear()
    yield Ecs(aws.client("ecs"))
    aws.client.cache_clear()


def test_tasks_are_started_and_stopped(ecs: Ecs) -> None:
    arns = ecs_tasks.start(ecs.fleet, 12, {"DASK_SCHEDULER_ADDRESS": "tls://10.0.0.5:8786"})
    assert len(set(arns)) == 12
    task = ecs.tasks()[0]
    (run,) = (tag["value"] for tag in task["tags"] if tag["key"] == "Run")
    assert {task["startedBy"] for task in ecs.tasks()} == {f"cabstand-{run}"}
    told = {pair["name"]: pair["value"] for pair in task["overrides"]["containerOverrides"][0]["environment"]}
    assert told == {"DASK_SCHEDULER_ADDRESS": "tls://10.0.0.5:8786", "CABSTAND_TASK_LIFETIME_S": "600"}
    assert {"key": "LifetimeSeconds", "value": "600"} in task["tags"]
    ecs_tasks.stop(ecs.name, arns, "the run has ended")
    ecs_tasks.stop(ecs.name, [*arns, arns[0]], "again")
    assert ecs.tasks() == []


def test_a_fleet_without_settings_is_refused() -> None:
    with pytest.raises(ConfigError, match="CABSTAND_ECS_CLUSTER, CABSTAND_ECS_SUBNETS not set"):
        ecs_tasks.Fleet("", "d", (), "sg")
    with pytest.raises(ConfigError, match="CABSTAND_ECS_WORKER_DEFINITION"):
        ecs_tasks.Fleet("c", "", ("s",), "sg")


def test_all_or_none(ecs: Ecs, monkeypatch: pytest.MonkeyPatch) -> None:
    real, calls = aws.client("ecs"), []

    class Poor:
        def run_task(self, **options: Any) -> Any:
            calls.append(options["clientToken"])
            if len(calls) == 2:
                return {"tasks": [], "failures": [{"reason": "Capacity is unavailable at this time"}]}
            return real.run_task(**options)

        def stop_task(self, **options: Any) -> Any:
            return real.stop_task(**options)

    monkeypatch.setattr(ecs_tasks, "client", lambda service: Poor())
    with pytest.raises(TaskError, match="Capacity is unavailable"):
        ecs_tasks.start(ecs.fleet, 15, {})
    assert len(set(calls)) == 2
    assert [task["desiredStatus"] for task in ecs.tasks()] == []
