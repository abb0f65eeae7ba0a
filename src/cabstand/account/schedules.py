"""The EventBridge schedules of a deployment, and the list of those that `sleep` disabled."""

from __future__ import annotations

import json

from cabstand.account.deployment import Deployment
from cabstand.errors import TaskError
from cabstand.io.aws import call, items

_SCHEMA_VERSION = 1
_NOT_KEPT = {"Arn", "CreationDate", "LastModificationDate", "Name", "ResponseMetadata", "State"}


def states(deployment: Deployment) -> dict[str, bool]:
    """Return whether each schedule of the deployment's group is enabled; empty if there is no such group."""
    found = items("scheduler", "list_schedules", "Schedules[]", missing_ok=True, GroupName=deployment.name)
    return {one["Name"]: one["State"] == "ENABLED" for one in found}


def switch(deployment: Deployment, name: str, *, enabled: bool) -> None:
    """Enable or disable a schedule and keep everything else about it."""
    current = call("scheduler", "get_schedule", Name=name, GroupName=deployment.name)
    kept = {key: value for key, value in current.items() if key not in _NOT_KEPT}
    call("scheduler", "update_schedule", Name=name, State="ENABLED" if enabled else "DISABLED", **kept)


def save_disabled(deployment: Deployment, names: list[str]) -> None:
    """Save the names of the schedules that `sleep` disables, in an SSM parameter, which is free."""
    content = json.dumps({"schema_version": _SCHEMA_VERSION, "schedules": sorted(set(names))})
    call("ssm", "put_parameter", Name=_parameter(deployment), Value=content, Type="String", Overwrite=True)


def load_disabled(deployment: Deployment) -> list[str]:
    """Return the names that `save_disabled` saved."""
    saved = call("ssm", "get_parameter", missing_ok=True, Name=_parameter(deployment))
    if not saved:
        return []
    content = json.loads(saved["Parameter"]["Value"])
    if content.get("schema_version") != _SCHEMA_VERSION:
        what = f"written by another version of cabstand (schema version {content.get('schema_version')})"
        raise TaskError(what, where=_parameter(deployment))
    return list(content["schedules"])


def delete_disabled(deployment: Deployment) -> None:
    """Delete what `save_disabled` saved."""
    call("ssm", "delete_parameter", missing_ok=True, Name=_parameter(deployment))


def _parameter(deployment: Deployment) -> str:
    return f"/{deployment.project}/{deployment.environment}/sleep"
