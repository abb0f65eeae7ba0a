"""Read an environment's Terraform state and its lock from the state bucket."""

from __future__ import annotations

import json
from typing import Any

from cabstand.account.root import Root
from cabstand.errors import TaskError
from cabstand.io.aws import call, refusals


def resources(root: Root) -> list[dict[str, Any]]:
    """Return the managed resources in the state, as Terraform stores them; none if there is no state."""
    state = _read(root, root.state_key) or {"resources": []}
    return [one for one in state["resources"] if one["mode"] == "managed"]


def image_tag(root: Root) -> str:
    """Return the tag of the batch image that the environment's tasks run; empty before the first apply."""
    for resource in resources(root):
        if resource["type"] == "aws_ecs_task_definition":
            definition = resource["instances"][0]["attributes"]["container_definitions"]
            return str(json.loads(definition)[0]["image"].rpartition(":")[2])
    return ""


def moment(root: Root) -> str:
    """Return which version of which state is the present one: Terraform's serial and lineage, or `none`."""
    saved = _read(root, root.state_key)
    return f"serial {saved['serial']} of {saved['lineage']}" if saved else "none"


def lock(root: Root) -> dict[str, Any] | None:
    """Return the lock on the state as Terraform stores it, or None if nobody holds it."""
    return _read(root, f"{root.state_key}.tflock")


def refuse_locked(root: Root) -> None:
    """Raise a TaskError if another run holds the state's lock: who, since when, and what to do."""
    if held := lock(root):
        raise TaskError(
            f"is locked by {held.get('Who', '?')} since {str(held.get('Created', '?'))[:19]}"
            f" ({str(held.get('Operation', '?')).removeprefix('OperationType').lower()})",
            where=f"state of {root.environment}",
            hint=f"wait for that run; if it is dead: make unlock ENV={root.environment} LOCK={held.get('ID', '?')}",
        )


def _read(root: Root, key: str) -> dict[str, Any] | None:
    saved = call("s3", "get_object", missing_ok=True, Bucket=root.state_bucket, Key=key)
    if not saved:
        return None
    with refusals(f"state of {root.environment}"):
        content: dict[str, Any] = json.loads(saved["Body"].read())
    return content
