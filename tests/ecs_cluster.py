"""A cluster on the emulator with a network and task definitions, made without Terraform, and a runner of its tasks."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import cache
from pathlib import Path
from typing import Any
from uuid import uuid4

from cabstand.local import runner
from cabstand.local.runner import processes
from cloud_account import client
from emulator import MODULE, role, started

IMAGE = "123456789012.dkr.ecr.us-east-1.amazonaws.com/cabstand/batch:test"


class Cluster:
    """A cluster of its own, in a subnet of its own."""

    def __init__(self, aws: Callable[[str], Any]) -> None:
        self.aws, self.ecs, self.roles = aws, aws("ecs"), dict[str, str]()
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

    def ended(self, arn: str, seconds: float = 60) -> dict[str, Any]:
        """Wait for the end, see that no process is left, and return the task."""
        task = self.until(arn, "STOPPED", seconds)
        assert list(processes.members(arn.rpartition("/")[2])) == []
        return task

    def logged(self) -> dict[str, Any]:
        """Return what a definition needs for logs in a group named like the cluster, and for a role."""
        if not self.roles:
            self.aws("logs").create_log_group(logGroupName=f"/{self.name}")
            for name in ("job", "execution"):
                self.roles[name] = role(self.aws, f"{name}-{self.name}")
        options = {"awslogs-group": f"/{self.name}", "awslogs-region": "us-east-1", "awslogs-stream-prefix": "run"}
        log = {"logDriver": "awslogs", "options": options}
        return {
            "logConfiguration": log,
            "executionRoleArn": self.roles["execution"],
            "taskRoleArn": self.roles["job"],
        }

    def lines(self, arn: str) -> list[str]:
        """Return what a task printed."""
        stream, found, token = f"run/task/{arn.rpartition('/')[2]}", list[str](), {}
        while True:
            answer = self.aws("logs").get_log_events(
                logGroupName=f"/{self.name}", logStreamName=stream, startFromHead=True, **token
            )
            if not answer["events"]:
                return found
            found += [event["message"] for event in answer["events"]]
            token = {"nextToken": answer["nextForwardToken"]}

    def up(self, family: str, program: list[str]) -> str:
        """Start a task and wait until it prints "up"."""
        arn = self.start(family, program)
        self.until(arn, "RUNNING")
        end = time.monotonic() + 30
        while self.lines(arn) != ["up"]:
            assert time.monotonic() < end
            time.sleep(0.1)
        return arn

    def until(self, arn: str, status: str, seconds: float = 60) -> dict[str, Any]:
        """Wait until the task has a status, and return it."""
        end = time.monotonic() + seconds
        while (task := self.task(arn))["lastStatus"] != status:
            assert task["lastStatus"] != "STOPPED", task
            assert time.monotonic() < end, task
            time.sleep(0.05)
        return task


def emulator(port: int = 0) -> AbstractContextManager[str]:
    """An emulator in a process of its own."""
    return started(MODULE, str(port))


def clients(url: str) -> Callable[[str], Any]:
    return cache(lambda service: client(url, service))


@contextmanager
def running(aws: Callable[[str], Any], folder: Path, **options: Any) -> Iterator[None]:
    """A runner in a thread, which ends its tasks at the end."""
    stop = threading.Event()
    chosen = runner.Options(**{"image": None, "look_s": 0.1, **options})
    thread = threading.Thread(target=runner.run, args=(aws, folder, stop, chosen))
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(30)
        assert not thread.is_alive()


def result_of(printed: list[str]) -> dict[str, Any]:
    """Return the result of a job, which is the only line of stdout, among those of its log."""
    found = [json.loads(line) for line in printed if line.startswith("{")]
    (result,) = (one for one in found if "logger" not in one)
    return dict(result)
