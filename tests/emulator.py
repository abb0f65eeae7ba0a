"""The emulator in a process of its own, and clients of it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from typing import Any

from cabstand.local.events import Deliveries
from cloud_account import client

Clients = Callable[[str], Any]
MODULE = "cabstand.local.emulator"


@contextmanager
def started(module: str, *options: str, kill: bool = False, **env: str) -> Iterator[str]:
    """Run a module that prints its address, for the duration of the block; yield the address."""
    command = [sys.executable, "-m", module, *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=os.environ | env) as server:
        assert server.stdout is not None
        try:
            yield server.stdout.readline().strip()
        finally:
            server.send_signal(signal.SIGKILL if kill else signal.SIGTERM)
            server.wait(20)


@contextmanager
def emulator() -> Iterator[Clients]:
    """Serve an empty account; yield what makes clients by service name."""
    with started(MODULE) as url:
        yield cache(lambda service: client(url, service))


def queue(aws: Clients, name: str, **attributes: str) -> str:
    """Make a queue; return its ARN."""
    url = aws("sqs").create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]
    found = aws("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
    arn: str = found["Attributes"]["QueueArn"]
    return arn


def messages(aws: Clients, arn: str) -> list[dict[str, Any]]:
    """Take all messages out of a queue."""
    url = aws("sqs").get_queue_url(QueueName=arn.rsplit(":", 1)[-1])["QueueUrl"]
    found = []
    while (
        taken := aws("sqs")
        .receive_message(QueueUrl=url, MaxNumberOfMessages=10, MessageAttributeNames=["All"], AttributeNames=["All"])
        .get("Messages")
    ):
        found += taken
        for one in taken:
            aws("sqs").delete_message(QueueUrl=url, ReceiptHandle=one["ReceiptHandle"])
    return found


def deliver(aws: Clients) -> None:
    """Let the deliverer work once; an unpatched moto delivers by itself."""
    with suppress(ValueError):
        Deliveries(aws).tick()


def texts(message: dict[str, Any]) -> dict[str, str]:
    """Return the attributes of a message."""
    return {name: value["StringValue"] for name, value in message.get("MessageAttributes", {}).items()}


def role(aws: Clients, name: str) -> str:
    """Make a role that may do everything; return its ARN."""
    trust = json.dumps({"Version": "2012-10-17", "Statement": []})
    arn: str = aws("iam").create_role(RoleName=name, AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    allow = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [allow]})
    aws("iam").put_role_policy(RoleName=name, PolicyName="all", PolicyDocument=policy)
    return arn


def cluster(aws: Clients, name: str) -> dict[str, str]:
    """Make a cluster, a network and a task definition; return what a target names of them."""
    vpc = aws("ec2").create_vpc(CidrBlock="10.7.0.0/16")["Vpc"]["VpcId"]
    aws("ec2").modify_vpc_attribute(VpcId=vpc, EnableDnsHostnames={"Value": True})
    subnet = aws("ec2").create_subnet(VpcId=vpc, CidrBlock="10.7.0.0/24")["Subnet"]["SubnetId"]
    group = aws("ec2").create_security_group(GroupName=name, Description=name, VpcId=vpc)["GroupId"]
    arn = aws("ecs").create_cluster(clusterName=name)["cluster"]["clusterArn"]
    task = aws("ecs").register_task_definition(
        family=name,
        taskRoleArn=role(aws, f"{name}-task"),
        executionRoleArn=role(aws, f"{name}-execution"),
        containerDefinitions=[{"name": "task", "image": "image", "memory": 512}],
        requiresCompatibilities=["FARGATE"],
        networkMode="awsvpc",
        cpu="256",
        memory="512",
    )["taskDefinition"]["taskDefinitionArn"]
    return {"cluster": arn, "task": task, "subnet": subnet, "group": group}


def ecs_parameters(made: dict[str, str]) -> dict[str, Any]:
    """Return a target's parameters for a task of `cluster`."""
    network = {"Subnets": [made["subnet"]], "SecurityGroups": [made["group"]], "AssignPublicIp": "ENABLED"}
    return {
        "TaskDefinitionArn": made["task"],
        "TaskCount": 1,
        "CapacityProviderStrategy": [{"capacityProvider": "FARGATE", "weight": 1}],
        "NetworkConfiguration": {"awsvpcConfiguration": network},
        "PropagateTags": "TASK_DEFINITION",
        "EnableECSManagedTags": True,
    }


def tasks(aws: Clients, made: dict[str, str]) -> list[dict[str, Any]]:
    """Describe the tasks of a cluster."""
    arns = aws("ecs").list_tasks(cluster=made["cluster"])["taskArns"]
    found: list[dict[str, Any]] = (
        aws("ecs").describe_tasks(cluster=made["cluster"], tasks=arns)["tasks"] if arns else []
    )
    return found
