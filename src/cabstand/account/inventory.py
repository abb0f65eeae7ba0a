"""What an environment left in the account.

Two nets: the tagging API finds what Terraform tagged, whatever its kind; each billable kind is listed directly too, by
name, for what was made by hand, what never had tags, and because the tagging API still tells of things for hours after
they are gone: a kind that is listed directly is believed there alone.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from cabstand.account.resources import Scope
from cabstand.io.aws import client, refusals


@dataclass(frozen=True, order=True)
class Leftover:
    """Something that is still there."""

    kind: str
    name: str
    billable: bool


def find(scope: Scope) -> list[Leftover]:
    """Return everything of the environment that is still there, billable things first.

    Raises
    ------
    TaskError
        If AWS refuses to list a kind: a receipt must not be clean for want of looking.
    """
    found = set()
    for kind, listing in _LISTINGS.items():
        with refusals(f"listing of {kind}"):
            found |= {Leftover(kind, name, billable=True) for name in listing(scope)}
    with refusals("resources by tag"):
        found |= set(_tagged(scope))
    return sorted(found, key=lambda one: (not one.billable, one))


def _tagged(scope: Scope) -> Iterator[Leftover]:
    wanted = [{"Key": "Project", "Values": [scope.project]}, {"Key": "Environment", "Values": [scope.environment]}]
    pages = client("resourcegroupstaggingapi").get_paginator("get_resources").paginate(TagFilters=wanted)
    for page in pages:
        for item in page["ResourceTagMappingList"]:
            kind, name = _kind(item["ResourceARN"])
            if kind not in _LISTED:
                yield Leftover(kind, name, billable=kind not in _FREE)


def _kind(arn: str) -> tuple[str, str]:
    """Split an ARN into `service/type` and the resource's name."""
    service, rest = arn.split(":")[2], ":".join(arn.split(":")[5:])
    kind, _, name = rest.replace(":", "/", 1).partition("/")
    return (f"{service}/{kind}", name) if name else (service, kind)


def _named(scope: Scope, names: Iterator[str]) -> Iterator[str]:
    """Keep the names in which the environment's name stands as a whole."""
    whole = re.compile(rf"(^|[/:_!-]){re.escape(scope.name)}($|[/:_.-])")
    yield from (name for name in names if whole.search(name))


def _pages(service: str, operation: str, **options: Any) -> Iterator[dict[str, Any]]:
    yield from client(service).get_paginator(operation).paginate(**options)


def _ours(scope: Scope, items: Iterator[dict[str, Any]], identity: str) -> Iterator[str]:
    """Keep EC2's things that are tagged as ours, or named so in the tag `Name`."""
    for item in items:
        tags = item.get("Tags", [])
        label = next((tag["Value"] for tag in tags if tag["Key"] == "Name"), "")
        if scope.owns(tags) or any(_named(scope, iter([label]))):
            yield item[identity]


def _instances(scope: Scope) -> Iterator[str]:
    for page in _pages("ec2", "describe_instances"):
        there = (one for group in page["Reservations"] for one in group["Instances"])
        yield from _ours(scope, (one for one in there if one["State"]["Name"] != "terminated"), "InstanceId")


def _ec2(operation: str, key: str, identity: str, **options: Any) -> Callable[[Scope], Iterator[str]]:
    def listing(scope: Scope) -> Iterator[str]:
        for page in _pages("ec2", operation, **options):
            gone = {"deleted", "deleting"}
            yield from _ours(scope, (one for one in page[key] if one.get("State") not in gone), identity)

    return listing


def _addresses(scope: Scope) -> Iterator[str]:
    yield from _ours(scope, iter(client("ec2").describe_addresses()["Addresses"]), "PublicIp")


def _databases(operation: str, key: str, identity: str) -> Callable[[Scope], Iterator[str]]:
    def listing(scope: Scope) -> Iterator[str]:
        for page in _pages("rds", operation):
            for one in page[key]:
                if scope.owns(one.get("TagList", [])) or any(_named(scope, iter([one[identity]]))):
                    yield one[identity]

    return listing


def _by_name(service: str, operation: str, key: str, identity: str) -> Callable[[Scope], Iterator[str]]:
    def listing(scope: Scope) -> Iterator[str]:
        for page in _pages(service, operation):
            yield from _named(scope, (one[identity] for one in page[key]))

    return listing


def _buckets(scope: Scope) -> Iterator[str]:
    yield from _named(scope, (one["Name"] for one in client("s3").list_buckets()["Buckets"]))


def _tasks(scope: Scope) -> Iterator[str]:
    for page in _pages("ecs", "list_clusters"):
        for cluster in _named(scope, iter(page["clusterArns"])):
            for tasks in _pages("ecs", "list_tasks", cluster=cluster):
                yield from tasks["taskArns"]


def _streams(scope: Scope) -> Iterator[str]:
    yield from _named(scope, iter(client("firehose").list_delivery_streams()["DeliveryStreamNames"]))


def _keys(scope: Scope) -> Iterator[str]:
    """Find customer keys that are not on their way out, by tag: a key has no name."""
    kms = client("kms")
    for page in _pages("kms", "list_keys"):
        for key in page["Keys"]:
            known = kms.describe_key(KeyId=key["KeyId"])["KeyMetadata"]
            if known["KeyManager"] != "CUSTOMER" or known["KeyState"] == "PendingDeletion":
                continue
            tags = kms.list_resource_tags(KeyId=key["KeyId"])["Tags"]
            if scope.owns([{"Key": tag["TagKey"], "Value": tag["TagValue"]} for tag in tags]):
                yield key["KeyId"]


_LISTINGS: dict[str, Callable[[Scope], Iterator[str]]] = {
    "ec2/instance": _instances,
    "ec2/volume": _ec2("describe_volumes", "Volumes", "VolumeId"),
    "ec2/snapshot": _ec2("describe_snapshots", "Snapshots", "SnapshotId", OwnerIds=["self"]),
    "ec2/natgateway": _ec2("describe_nat_gateways", "NatGateways", "NatGatewayId"),
    "ec2/vpc-endpoint": _ec2("describe_vpc_endpoints", "VpcEndpoints", "VpcEndpointId"),
    "ec2/elastic-ip": _addresses,
    "rds/db": _databases("describe_db_instances", "DBInstances", "DBInstanceIdentifier"),
    "rds/snapshot": _databases("describe_db_snapshots", "DBSnapshots", "DBSnapshotIdentifier"),
    "s3": _buckets,
    "ecr/repository": _by_name("ecr", "describe_repositories", "repositories", "repositoryName"),
    "ecs/task": _tasks,
    "secretsmanager/secret": _by_name("secretsmanager", "list_secrets", "SecretList", "Name"),
    "cloudwatch/alarm": _by_name("cloudwatch", "describe_alarms", "MetricAlarms", "AlarmName"),
    "cloudwatch/dashboard": _by_name("cloudwatch", "list_dashboards", "DashboardEntries", "DashboardName"),
    "logs/log-group": _by_name("logs", "describe_log_groups", "logGroups", "logGroupName"),
    "lambda/function": _by_name("lambda", "list_functions", "Functions", "FunctionName"),
    "elasticloadbalancing/loadbalancer": _by_name(
        "elbv2", "describe_load_balancers", "LoadBalancers", "LoadBalancerName"
    ),
    "route53/hostedzone": _by_name("route53", "list_hosted_zones", "HostedZones", "Name"),
    "firehose/deliverystream": _streams,
    "kms/key": _keys,
}
_LISTED = frozenset(_LISTINGS)

# Kinds that the tagging API tells of and that bill nothing by being there.
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
