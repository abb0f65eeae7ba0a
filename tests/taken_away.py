"""Take one action away from a role for a while."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from cabstand.local.permissions import applied
from cabstand.local.permissions.conditions import listed


@contextmanager
def without(iam: Any, role: str, action: str) -> Iterator[None]:
    """Take one action away from a role's policies for a while."""
    before = applied.of_role(iam, role).own
    managed = [one["PolicyArn"] for one in iam.list_attached_role_policies(RoleName=role)["AttachedPolicies"]]
    for arn in managed:
        iam.detach_role_policy(RoleName=role, PolicyArn=arn)
    inline = iam.list_role_policies(RoleName=role)["PolicyNames"]
    kept = {name: iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"] for name in inline}
    for name in inline:
        iam.delete_role_policy(RoleName=role, PolicyName=name)
    for number, document in enumerate(before):
        left = [lesser for one in listed(document["Statement"]) if (lesser := lessened(one, action))]
        text = json.dumps({**document, "Statement": left or [NOTHING]})
        iam.put_role_policy(RoleName=role, PolicyName=f"lessened-{number}", PolicyDocument=text)
    try:
        yield
    finally:
        for number in range(len(before)):
            iam.delete_role_policy(RoleName=role, PolicyName=f"lessened-{number}")
        for name, document in kept.items():
            iam.put_role_policy(RoleName=role, PolicyName=name, PolicyDocument=json.dumps(document))
        for arn in managed:
            iam.attach_role_policy(RoleName=role, PolicyArn=arn)


NOTHING = {"Effect": "Deny", "Action": "none:None", "Resource": "*"}


def lessened(statement: dict[str, Any], action: str) -> dict[str, Any] | None:
    """Return a statement without an action; None if nothing is left of it."""
    actions = [one for one in listed(statement["Action"]) if one != action or statement["Effect"] == "Deny"]
    return {**statement, "Action": actions} if actions else None
