"""Rules for every statement that allows something, whatever its role."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from cabstand.local.permissions.conditions import listed
from cabstand.local.permissions.decision import Document, Policies

LISTED = tomllib.loads((Path(__file__).resolve().parents[1] / "infra/iam_wildcards.toml").read_text())
# Statements that may cover every resource, each listed with its reason.
ANY_RESOURCE = {key.split()[1] for key in LISTED}
# Other resources must be the project's own, or one of these whose names AWS chooses.
OWN = re.compile(r"arn:aws:[a-z0-9-]+:[a-z0-9-]*:\d*:.*cabstand")
NAMED_BY_AWS = re.compile(
    r":secret:rds!db-|:(og|pg):default|:kms:.*:key/|:parameter/aws/service/ami-|:role/aws-service-role/|:apigateway:|^arn:aws:xray"
)
# Actions that need a condition, because they are powerful or cannot be limited to a resource.
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
    "kms:DescribeKey": "kms:ResourceAliases",
    "sns:Unsubscribe": "aws:RequestedRegion",
}


def broken_rules(found: Policies) -> list[str]:
    """Return what the role's own policies allow too broadly."""
    statements = [one for document in found.own for one in listed(document["Statement"]) if one["Effect"] == "Allow"]
    return [problem for statement in statements for problem in _broken(statement)]


def _broken(statement: Document) -> list[str]:
    name = statement.get("Sid", "?")
    foreign = [
        f"{name}: of {resource}"
        for resource in listed(statement["Resource"])
        if not (name in ANY_RESOURCE if resource == "*" else OWN.match(resource) or NAMED_BY_AWS.search(resource))
    ]
    given = {key for keys in statement.get("Condition", {}).values() for key in keys}
    return foreign + [
        f"{name}: {action} without {CONDITIONS[action]}"
        for action in listed(statement["Action"])
        if CONDITIONS.get(action, "") not in given | {""}
    ]
