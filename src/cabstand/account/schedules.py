"""The EventBridge schedules of a deployment, and the list of those that `sleep` disabled."""

from __future__ import annotations

import json

from cabstand.account.deployment import Deployment
from cabstand.errors import TaskError
from cabstand.io.aws import client, items, refusals

_SCHEMA_VERSION = 1
_READ_ONLY = {"Arn", "CreationDate", "LastModificationDate", "ResponseMetadata", "State"}


def states(deployment: Deployment) -> dict[str, bool]:
    """Return whether each schedule of the deployment's group is enabled; empty if there is no such group."""
    with refusals(f"schedule group {deployment.name}"):
        try:
            found = items("scheduler", "list_schedules", "Schedules[]", GroupName=deployment.name)
            return {one["Name"]: one["State"] == "ENABLED" for one in found}
        except client("scheduler").exceptions.ResourceNotFoundException:
            return {}


def switch(deployment: Deployment, name: str, *, enabled: bool) -> None:
    """Enable or disable a schedule and keep everything else about it."""
    scheduler = client("scheduler")
    with refusals(f"schedule {name}"):
        current = scheduler.get_schedule(GroupName=deployment.name, Name=name)
        kept = {key: value for key, value in current.items() if key not in _READ_ONLY}
        scheduler.update_schedule(**kept, State="ENABLED" if enabled else "DISABLED")


def save_disabled(deployment: Deployment, names: list[str]) -> None:
    """Save the names of the schedules that `sleep` disables, in an SSM parameter, which is free."""
    content = json.dumps({"schema_version": _SCHEMA_VERSION, "schedules": sorted(set(names))})
    with refusals("sleep's parameter"):
        client("ssm").put_parameter(Name=_parameter(deployment), Value=content, Type="String", Overwrite=True)


def load_disabled(deployment: Deployment) -> list[str]:
    """Return the names that `save_disabled` saved.

    Raises
    ------
    TaskError
        If another version of cabstand saved them.
    """
    ssm = client("ssm")
    with refusals("sleep's parameter"):
        try:
            content = json.loads(ssm.get_parameter(Name=_parameter(deployment))["Parameter"]["Value"])
        except ssm.exceptions.ParameterNotFound:
            return []
    if content.get("schema_version") != _SCHEMA_VERSION:
        what = f"written by another version of cabstand (schema version {content.get('schema_version')})"
        raise TaskError(what, where=_parameter(deployment))
    return list(content["schedules"])


def delete_disabled(deployment: Deployment) -> None:
    """Delete what `save_disabled` saved."""
    ssm = client("ssm")
    with refusals("sleep's parameter"):
        try:
            ssm.delete_parameter(Name=_parameter(deployment))
        except ssm.exceptions.ParameterNotFound:
            return


def _parameter(deployment: Deployment) -> str:
    return f"/{deployment.project}/{deployment.environment}/sleep"
