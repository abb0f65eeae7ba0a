"""What of an environment runs in the AWS account, found by its tags and names, and how to stop and start it."""

from __future__ import annotations

import json
from dataclasses import dataclass

from cabstand.errors import TaskError
from cabstand.io.aws import client, refusals

_MEMORY_VERSION = 1


@dataclass(frozen=True)
class Scope:
    """One environment of one project: tagged `Project` and `Environment`, named `<project>-<environment>-...`."""

    project: str
    environment: str

    @property
    def name(self) -> str:
        """The common beginning of names, and the name of the schedule group."""
        return f"{self.project}-{self.environment}"

    @property
    def keeper(self) -> str:
        """The schedule that is enabled while the environment sleeps, and stops a database that RDS has started."""
        return f"{self.name}-stay-asleep"

    def owns(self, tags: list[dict[str, str]]) -> bool:
        """Say whether a resource with these tags belongs here."""
        found = {tag["Key"]: tag["Value"] for tag in tags}
        return found.get("Project") == self.project and found.get("Environment") == self.environment


@dataclass(frozen=True)
class Machine:
    """An EC2 instance or RDS database and the state that AWS tells."""

    name: str
    state: str


def instances(scope: Scope) -> list[Machine]:
    """Return the EC2 instances that are not terminated."""
    filters = [
        {"Name": "tag:Project", "Values": [scope.project]},
        {"Name": "tag:Environment", "Values": [scope.environment]},
        {"Name": "instance-state-name", "Values": ["pending", "running", "stopping", "stopped"]},
    ]
    with refusals("EC2 instances"):
        pages = client("ec2").get_paginator("describe_instances").paginate(Filters=filters)
        return [
            Machine(instance["InstanceId"], instance["State"]["Name"])
            for page in pages
            for reservation in page["Reservations"]
            for instance in reservation["Instances"]
        ]


def databases(scope: Scope) -> list[Machine]:
    """Return the RDS databases."""
    with refusals("RDS databases"):
        pages = client("rds").get_paginator("describe_db_instances").paginate()
        return [
            Machine(database["DBInstanceIdentifier"], database["DBInstanceStatus"])
            for page in pages
            for database in page["DBInstances"]
            if scope.owns(database.get("TagList", []))
        ]


def schedules(scope: Scope) -> dict[str, bool]:
    """Return the schedules of the environment's group, and whether each is enabled; none where there is no group."""
    scheduler = client("scheduler")
    with refusals(f"schedule group {scope.name}"):
        try:
            pages = scheduler.get_paginator("list_schedules").paginate(GroupName=scope.name)
            return {item["Name"]: item["State"] == "ENABLED" for page in pages for item in page["Schedules"]}
        except scheduler.exceptions.ResourceNotFoundException:
            return {}


def set_schedule(scope: Scope, name: str, *, enabled: bool) -> None:
    """Enable or disable a schedule and leave the rest of it as it is."""
    scheduler = client("scheduler")
    with refusals(f"schedule {name}"):
        present = scheduler.get_schedule(GroupName=scope.name, Name=name)
        kept = {key: value for key, value in present.items() if key not in _NOT_GIVEN_BACK}
        scheduler.update_schedule(**kept, State="ENABLED" if enabled else "DISABLED")


_NOT_GIVEN_BACK = {"Arn", "CreationDate", "LastModificationDate", "ResponseMetadata", "State"}


def remember(scope: Scope, names: list[str]) -> None:
    """Keep the names of schedules that sleep disabled, in a parameter that costs nothing."""
    content = json.dumps({"schema_version": _MEMORY_VERSION, "schedules": sorted(set(names))})
    with refusals("sleep's parameter"):
        client("ssm").put_parameter(Name=_parameter(scope), Value=content, Type="String", Overwrite=True)


def remembered(scope: Scope) -> list[str]:
    """Return the names of schedules that sleep disabled.

    Raises
    ------
    TaskError
        If another version of cabstand wrote them.
    """
    ssm = client("ssm")
    with refusals("sleep's parameter"):
        try:
            content = json.loads(ssm.get_parameter(Name=_parameter(scope))["Parameter"]["Value"])
        except ssm.exceptions.ParameterNotFound:
            return []
    if content.get("schema_version") != _MEMORY_VERSION:
        raise TaskError(f"written by another version: {content.get('schema_version')}", where=_parameter(scope))
    return list(content["schedules"])


def forget(scope: Scope) -> None:
    """Remove what `remember` kept."""
    ssm = client("ssm")
    with refusals("sleep's parameter"):
        try:
            ssm.delete_parameter(Name=_parameter(scope))
        except ssm.exceptions.ParameterNotFound:
            return


def _parameter(scope: Scope) -> str:
    return f"/{scope.project}/{scope.environment}/sleep"
