"""Rules for every statement that allows something, in any role of the applied environment."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

from policy_evaluation import Policies, listed

LISTED = tomllib.loads((Path(__file__).resolve().parents[1] / "infra/iam_wildcards.toml").read_text())
# Statements that may name all resources; the file gives the reason for each.
OF_EVERYTHING = {place.split()[1] for place in LISTED}
# A resource must be the project's, or one of those whose names AWS chooses.
OWN = re.compile(r"arn:aws:[a-z0-9-]+:[a-z0-9-]*:\d*:.*cabstand")
NAMED_BY_AWS = re.compile(
    r":secret:rds!db-|:parameter/aws/service/ami-|:role/aws-service-role/|:apigateway:|^arn:aws:xray"
)
# Actions that need a condition: too powerful, or without a resource to limit them to.
CONDITIONS = {
    "cloudwatch:PutMetricData": "cloudwatch:namespace",
    "ec2:RunInstances": "aws:RequestedRegion",
    "ecs:RegisterTaskDefinition": "aws:RequestedRegion",
    "ecs:RunTask": "ecs:cluster",
    "ecs:StopTask": "ecs:cluster",
    "iam:CreateRole": "iam:PermissionsBoundary",
    "iam:CreateServiceLinkedRole": "iam:AWSServiceName",
    "iam:PassRole": "iam:PassedToService",
    "iam:PutRolePolicy": "iam:PermissionsBoundary",
}


def broken_rules(found: Policies) -> list[str]:
    """Return the statements of the role's own policies that allow too much."""
    statements = [one for document in found.own for one in listed(document["Statement"]) if one["Effect"] == "Allow"]
    return [told for statement in statements for told in _broken(statement)]


def _broken(statement: dict[str, Any]) -> list[str]:
    name = statement.get("Sid", "?")
    foreign = [
        f"{name}: of {resource}"
        for resource in listed(statement["Resource"])
        if not (name in OF_EVERYTHING if resource == "*" else OWN.match(resource) or NAMED_BY_AWS.search(resource))
    ]
    given = {key for keys in statement.get("Condition", {}).values() for key in keys}
    return foreign + [
        f"{name}: {action} without {CONDITIONS[action]}"
        for action in listed(statement["Action"])
        if CONDITIONS.get(action, "") not in given | {""}
    ]
