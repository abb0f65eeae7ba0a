"""Which images a task can be run from, and where they are."""

from __future__ import annotations

import re
from typing import Any

from botocore.exceptions import ClientError

from cabstand.errors import TaskError
from cabstand.local.runner.order import Clients, Order
from cabstand.local.runner.roles import TaskRole

_BATCH = ("cabstand/batch", "cabstand-batch")
_ECR = re.compile(r"\d{12}\.dkr\.ecr\.[a-z0-9-]+\.amazonaws\.com/")


def pull(client: Clients, order: Order, role: TaskRole | None) -> None:
    """Raise TaskError, worded as by AWS, unless the image is the batch image and the role may pull it.

    On a laptop nobody need push: any tag of a repository without images counts as there.
    """
    registry = _ECR.match(order.image)
    if registry and role:
        _authorize(role)
    name, tag = _parsed(order.image)
    if name not in _BATCH or (registry and not _pushed(client, name, tag)):
        raise TaskError(
            "CannotPullContainerError: pull image manifest has been retried 1 time(s): failed to resolve ref "
            f"{order.image}: {order.image}: not found"
        )


def _authorize(role: TaskRole) -> None:
    try:
        role.service("ecr").get_authorization_token()
    except ClientError as error:
        details = error.response["Error"]
        raise TaskError(
            "ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval "
            "failed: unable to retrieve ecr registry auth: service call has been retried 1 time(s): "
            f"{details['Code']}: {details['Message']}"
        ) from error


def _parsed(image: str) -> tuple[str, str]:
    """Return the repository without its registry, and the tag or digest."""
    name, _, digest = image.partition("@")
    first, slash, rest = name.partition("/")
    if slash and ("." in first or ":" in first or first == "localhost"):
        name = rest
    name, _, tag = name.partition(":")
    return name, digest or tag or "latest"


def _pushed(client: Clients, name: str, tag: str) -> bool:
    try:
        found: list[dict[str, Any]] = client("ecr").list_images(repositoryName=name)["imageIds"]
    except ClientError:
        return True
    return not found or any(tag in one.values() for one in found)
