"""A cluster on the emulator with a network and task definitions, made without Terraform."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any
from uuid import uuid4

IMAGE = "123456789012.dkr.ecr.us-east-1.amazonaws.com/cabstand/batch:test"


class Cluster:
    """A cluster of its own, in a subnet of its own."""

    def __init__(self, aws: Callable[[str], Any]) -> None:
        self.aws, self.ecs = aws, aws("ecs")
        self.name = f"cluster-{uuid4().hex[:8]}"
        self.ecs.create_cluster(clusterName=self.name)
        ec2 = aws("ec2")
        vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        ec2.modify_vpc_attribute(VpcId=vpc, EnableDnsHostnames={"Value": True})
        self.subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.0.0/24")["Subnet"]["SubnetId"]
        self.group = ec2.create_security_group(GroupName=f"g{vpc}", Description="x", VpcId=vpc)["GroupId"]

    def define(self, name: str = "job", cpu: int = 256, memory: int = 512, **container: Any) -> str:
        """Register a Fargate task of one container, named `task`; the arguments of ECS for that container join in."""
        task = {key: container.pop(key) for key in ("taskRoleArn", "executionRoleArn", "tags") if key in container}
        family = f"{self.name}-{name}"
        definition = {"name": "task", "image": IMAGE, "essential": True, "memory": memory, **container}
        self.ecs.register_task_definition(
            family=family,
            networkMode="awsvpc",
            requiresCompatibilities=["FARGATE"],
            cpu=str(cpu),
            memory=str(memory),
            containerDefinitions=[definition],
            **task,
        )
        return family

    def start(self, family: str, command: list[str] | None = None, **request: Any) -> str:
        """Run a task and return its ARN."""
        return str(self.ecs.run_task(**self.request(family, command, **request))["tasks"][0]["taskArn"])

    def request(self, family: str, command: list[str] | None = None, **request: Any) -> dict[str, Any]:
        override = {"name": "task", "command": command} if command else {"name": "task"}
        network = {"subnets": [self.subnet], "securityGroups": [self.group]}
        return {
            "cluster": self.name,
            "taskDefinition": family,
            "capacityProviderStrategy": [{"capacityProvider": "FARGATE", "weight": 1}],
            "networkConfiguration": {"awsvpcConfiguration": network},
            "overrides": {"containerOverrides": [override]},
        } | request

    def task(self, arn: str) -> dict[str, Any]:
        (found,) = self.ecs.describe_tasks(cluster=self.name, tasks=[arn], include=["TAGS"])["tasks"]
        return dict(found)

    def stop(self, arn: str, reason: str = "test") -> None:
        self.ecs.stop_task(cluster=self.name, task=arn, reason=reason)

    def until(self, arn: str, status: str, seconds: float = 60) -> dict[str, Any]:
        """Wait until the task has a status, and return it."""
        end = time.monotonic() + seconds
        while (task := self.task(arn))["lastStatus"] != status:
            assert task["lastStatus"] != "STOPPED", task
            assert time.monotonic() < end, task
            time.sleep(0.05)
        return task
