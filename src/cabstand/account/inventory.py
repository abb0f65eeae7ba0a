"""What exists of a deployment in the AWS account.

Resources are searched in two ways. The tagging API finds everything that Terraform tagged, whatever its kind. Each
billable kind is also listed directly, by tag and name: that finds what was created by hand or cannot be tagged. For the
kinds listed directly the tagging API is ignored, because it still reports resources for hours after they are deleted.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from cabstand.account.deployment import Deployment
from cabstand.io.aws import call, items


class Resource(NamedTuple):
    """Something that exists, and whether it is billed while nobody uses it."""

    kind: str
    name: str
    billable: bool


def find(deployment: Deployment) -> list[Resource]:
    """Return everything of the deployment that exists, billable resources first.

    A kind that AWS refuses to list is an error: the result would look complete without being so.
    """
    found = set()
    for kind, (service, operation, expression, identity) in _LISTINGS.items():
        for item in items(service, operation, expression, **_OPTIONS.get(kind, {})):
            if name := _identify(deployment, item, identity):
                found.add(Resource(kind, name, billable=True))
    found |= {Resource("ecs/task", arn, billable=True) for arn in _tasks(deployment)}
    found |= {Resource("kms/key", key, billable=True) for key in _keys(deployment)}
    found |= set(_tagged(deployment))
    return sorted(found, key=lambda one: (not one.billable, one))


def _identify(deployment: Deployment, item: Any, identity: str) -> str:
    """Return an item's identity if its tags, its tag `Name` or the identity itself belong to the deployment."""
    if isinstance(item, str):
        return item if is_named_after(deployment, item) else ""
    tags = item.get("Tags") or item.get("TagList") or []
    names = [item[identity], *(tag["Value"] for tag in tags if tag["Key"] == "Name")]
    belongs = deployment.owns(tags) or any(is_named_after(deployment, name) for name in names)
    return str(item[identity]) if belongs else ""


def is_named_after(deployment: Deployment, name: str) -> bool:
    """Return whether the deployment's name is a whole part of a name: cabstand-dev is not in cabstand-development."""
    return re.search(rf"(^|[/:_!-]){re.escape(deployment.name)}($|[/:_.-])", name) is not None


def _tasks(deployment: Deployment) -> Iterator[str]:
    for cluster in items("ecs", "list_clusters", "clusterArns[]"):
        if is_named_after(deployment, cluster):
            yield from items("ecs", "list_tasks", "taskArns[]", cluster=cluster)


def _keys(deployment: Deployment) -> Iterator[str]:
    """Yield the customer keys that are not about to be deleted; found by tag alone, because a key has no name."""
    for key in items("kms", "list_keys", "Keys[].KeyId"):
        metadata = call("kms", "describe_key", KeyId=key)["KeyMetadata"]
        if metadata["KeyManager"] == "CUSTOMER" and metadata["KeyState"] != "PendingDeletion":
            tags = call("kms", "list_resource_tags", KeyId=key)["Tags"]
            if deployment.owns([{"Key": tag["TagKey"], "Value": tag["TagValue"]} for tag in tags]):
                yield key


def _tagged(deployment: Deployment) -> Iterator[Resource]:
    tags = {"Project": deployment.project, "Environment": deployment.environment}
    filters = [{"Key": key, "Values": [value]} for key, value in tags.items()]
    arns = "ResourceTagMappingList[].ResourceARN"
    for arn in items("resourcegroupstaggingapi", "get_resources", arns, TagFilters=filters):
        kind, name = _parse(arn)
        if kind not in {*_LISTINGS, "ecs/task", "kms/key"}:
            yield Resource(kind, name, billable=kind not in _FREE)


def _parse(arn: str) -> tuple[str, str]:
    """Split an ARN into `service/type` and the resource's name."""
    _, _, service, _, _, rest = arn.split(":", 5)
    kind, _, name = rest.replace(":", "/", 1).partition("/")
    return (f"{service}/{kind}", name) if name else (service, kind)


# Kind => service, operation, items of its answer, and the field that identifies an item (empty if it is a string).
_LISTINGS = {
    "ec2/instance": (
        "ec2", "describe_instances", "Reservations[].Instances[] | [?State.Name != 'terminated']", "InstanceId"
    ),
    "ec2/volume": ("ec2", "describe_volumes", "Volumes[?State != 'deleting']", "VolumeId"),
    "ec2/snapshot": ("ec2", "describe_snapshots", "Snapshots[]", "SnapshotId"),
    "ec2/natgateway": (
        "ec2", "describe_nat_gateways", "NatGateways[?!contains(['deleting', 'deleted'], State)]", "NatGatewayId"
    ),
    "ec2/vpc-endpoint": (
        "ec2", "describe_vpc_endpoints", "VpcEndpoints[?!contains(['deleting', 'deleted'], State)]", "VpcEndpointId"
    ),
    "ec2/elastic-ip": ("ec2", "describe_addresses", "Addresses[]", "PublicIp"),
    "rds/db": ("rds", "describe_db_instances", "DBInstances[]", "DBInstanceIdentifier"),
    "rds/snapshot": ("rds", "describe_db_snapshots", "DBSnapshots[]", "DBSnapshotIdentifier"),
    "s3": ("s3", "list_buckets", "Buckets[].Name", ""),
    "ecr/repository": ("ecr", "describe_repositories", "repositories[].repositoryName", ""),
    "secretsmanager/secret": ("secretsmanager", "list_secrets", "SecretList[].Name", ""),
    "cloudwatch/alarm": ("cloudwatch", "describe_alarms", "MetricAlarms[].AlarmName", ""),
    "cloudwatch/dashboard": ("cloudwatch", "list_dashboards", "DashboardEntries[].DashboardName", ""),
    "logs/log-group": ("logs", "describe_log_groups", "logGroups[].logGroupName", ""),
    "lambda/function": ("lambda", "list_functions", "Functions[].FunctionName", ""),
    "elasticloadbalancing/loadbalancer": (
        "elbv2", "describe_load_balancers", "LoadBalancers[].LoadBalancerName", ""
    ),
    "route53/hostedzone": ("route53", "list_hosted_zones", "HostedZones[].Name", ""),
    "firehose/deliverystream": ("firehose", "list_delivery_streams", "DeliveryStreamNames[]", ""),
}  # fmt: skip
_OPTIONS: dict[str, dict[str, Any]] = {"ec2/snapshot": {"OwnerIds": ["self"]}}

# Kinds that the tagging API reports and that cost nothing by existing.
_FREE = frozenset(
    f"{service}/{kind}"
    for service, kinds in {
        "ec2": "dhcp-options internet-gateway network-acl network-interface route-table security-group "
        "security-group-rule subnet vpc vpc-flow-log",
        "rds": "subgrp pg og",
        "iam": "role policy instance-profile oidc-provider",
        "ecs": "cluster task-definition service",
        "scheduler": "schedule-group",
        "events": "rule event-bus",
        "ssm": "parameter",
        "apigateway": "apis",
        "codedeploy": "application deploymentgroup",
        "budgets": "budget",
    }.items()
    for kind in kinds.split()
) | {"sns", "sqs", "apigateway"}
