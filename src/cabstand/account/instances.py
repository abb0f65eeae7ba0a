"""The EC2 instances and RDS databases of a deployment, and how to stop and start them."""

from __future__ import annotations

from typing import NamedTuple

from cabstand.account.deployment import Deployment
from cabstand.io.aws import call, items


class Instance(NamedTuple):
    """An EC2 instance or RDS database, with its state as AWS reports it."""

    name: str
    state: str


def servers(deployment: Deployment) -> list[Instance]:
    """Return the EC2 instances that are not terminated."""
    filters = [
        {"Name": "tag:Project", "Values": [deployment.project]},
        {"Name": "tag:Environment", "Values": [deployment.environment]},
        {"Name": "instance-state-name", "Values": ["pending", "running", "stopping", "stopped"]},
    ]
    found = items("ec2", "describe_instances", "Reservations[].Instances[]", Filters=filters)
    return [Instance(one["InstanceId"], one["State"]["Name"]) for one in found]


def databases(deployment: Deployment) -> list[Instance]:
    """Return the RDS databases."""
    found = items("rds", "describe_db_instances", "DBInstances[]")
    owned = [one for one in found if deployment.owns(one.get("TagList", []))]
    return [Instance(one["DBInstanceIdentifier"], one["DBInstanceStatus"]) for one in owned]


def stop(servers: list[str], databases: list[str]) -> None:
    """Stop EC2 instances and RDS databases."""
    if servers:
        call("ec2", "stop_instances", InstanceIds=servers)
    for name in databases:
        call("rds", "stop_db_instance", DBInstanceIdentifier=name)


def start(servers: list[str], databases: list[str]) -> None:
    """Start EC2 instances and RDS databases; databases first, because they take longer."""
    for name in databases:
        call("rds", "start_db_instance", DBInstanceIdentifier=name)
    if servers:
        call("ec2", "start_instances", InstanceIds=servers)
