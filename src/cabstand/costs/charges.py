"""What each kind of resource costs while nobody uses it.

A rule turns the planned values of one resource into charges: a key of the price table, and how many units of it are
billed a month, awake and asleep. A month has 730 hours, as in AWS's own calculator.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from functools import cache
from importlib import resources
from typing import Any, NamedTuple

HOURS = 730.0
SECONDS = HOURS * 3600
ASSUMED_BUCKET_GB = 2.0  # a year of green trips with labels and bundles is about 1 GB
ASSUMED_REPOSITORY_GB = 1.5  # ten images of one base, compressed and sharing layers
# After a release the version before it is kept to go back to; `cabstand sleep` keeps the live one alone.
KEPT_VERSIONS = 2
# CloudWatch gives these to every account each month, permanently; no other free tier is counted.
ALWAYS_FREE = {"cloudwatch/alarm": 10.0, "cloudwatch/dashboard": 3.0}

Values = Mapping[str, Any]


class Charge(NamedTuple):
    """`quantity` units of the price `key` a month; `asleep` of them are still billed after `cabstand sleep`."""

    key: str
    quantity: float
    asleep: float


def always(key: str, quantity: float = 1.0) -> Charge:
    """Return a charge that sleep does not stop."""
    return Charge(key, quantity, quantity)


def awake(key: str, quantity: float = HOURS) -> Charge:
    """Return a charge that sleep stops."""
    return Charge(key, quantity, 0.0)


def _instance(values: Values) -> list[Charge]:
    found = [awake(f"ec2/{values['instance_type']}")]
    for disk in [*(values.get("root_block_device") or []), *(values.get("ebs_block_device") or [])]:
        found.append(always(f"ebs/{disk.get('volume_type') or 'gp3'}", float(disk.get("volume_size") or 8)))
    if values.get("associate_public_ip_address"):
        found.append(awake("ipv4/public"))  # released while the instance is stopped
    if values.get("monitoring"):
        found.append(awake("ec2/detailed-monitoring", 7.0))
    return found


def _database(values: Values) -> list[Charge]:
    copies = 2.0 if values.get("multi_az") else 1.0
    disk = f"rds/{values.get('storage_type') or 'gp2'}"
    found = [awake(f"rds/{values['instance_class']}", HOURS * copies)]
    found.append(always(disk, float(values["allocated_storage"]) * copies))
    if values.get("manage_master_user_password"):
        found.append(always("secretsmanager/secret"))
    return found


def _alarm(values: Values) -> list[Charge]:
    queries = values.get("metric_query") or []
    metrics = sum(1 for query in queries if query.get("metric")) or 1
    periods = [query["metric"][0].get("period") for query in queries if query.get("metric")] or [values.get("period")]
    quick = any(period is not None and int(period) < 60 for period in periods)
    return [always("cloudwatch/alarm-high-resolution" if quick else "cloudwatch/alarm", float(metrics))]


def _function(values: Values) -> list[Charge]:
    snap = any(block.get("apply_on") == "PublishedVersions" for block in values.get("snap_start") or [])
    gb_seconds = float(values.get("memory_size") or 128) / 1024 * SECONDS
    return [Charge("lambda/snapstart-cache", gb_seconds * KEPT_VERSIONS, gb_seconds)] if snap else []


def _endpoint(values: Values) -> list[Charge]:
    if values.get("vpc_endpoint_type") != "Interface":
        return []
    return [always("endpoint/interface", HOURS * max(1, len(values.get("subnet_ids") or [])))]


def _setup_file(values: Values) -> list[Charge]:
    # The server's heartbeat is one custom metric, sent every minute.
    if not str(values.get("key", "")).endswith("heartbeat.sh"):
        return []
    return [awake("cloudwatch/metric", 1.0), awake("cloudwatch/put-metric-data", HOURS * 60 / 1000)]


def _firewall(values: Values) -> list[Charge]:
    return [always("waf/acl"), always("waf/rule", float(len(values.get("rule") or [])))]


def _fixed(key: str, quantity: float = 1.0) -> Callable[[Values], list[Charge]]:
    return lambda values: [always(key, quantity)]


RULES: dict[str, Callable[[Values], list[Charge]]] = {
    "aws_instance": _instance,
    "aws_db_instance": _database,
    "aws_cloudwatch_metric_alarm": _alarm,
    "aws_lambda_function": _function,
    "aws_vpc_endpoint": _endpoint,
    "aws_s3_object": _setup_file,
    "aws_wafv2_web_acl": _firewall,
    "aws_ebs_volume": lambda values: [always(f"ebs/{values.get('type') or 'gp3'}", float(values["size"]))],
    "aws_cloudwatch_composite_alarm": _fixed("cloudwatch/alarm-composite"),
    "aws_cloudwatch_dashboard": _fixed("cloudwatch/dashboard"),
    "aws_ecr_repository": _fixed("ecr/storage", ASSUMED_REPOSITORY_GB),
    "aws_eip": _fixed("ipv4/public", HOURS),
    "aws_kms_key": _fixed("kms/key"),
    "aws_lb": _fixed("elb/application", HOURS),
    "aws_nat_gateway": _fixed("nat/gateway", HOURS),
    "aws_route53_zone": _fixed("route53/zone"),
    "aws_s3_bucket": _fixed("s3/standard", ASSUMED_BUCKET_GB),
    "aws_secretsmanager_secret": _fixed("secretsmanager/secret"),
}


@cache
def _without_price() -> dict[str, tuple[str, ...]]:
    text = resources.files("cabstand.costs").joinpath("kinds.toml").read_text(encoding="utf-8")
    return {name: tuple(kinds) for name, kinds in tomllib.loads(text).items()}


def is_free(kind: str) -> bool:
    """Return whether resources of this type are free: listed by name, or by prefix where the entry ends in `_`."""
    return any(kind == name or (name.endswith("_") and kind.startswith(name)) for name in _without_price()["free"])


def is_by_use(kind: str) -> bool:
    """Return whether resources of this type are billed by use alone, and free while idle."""
    return kind in _without_price()["by_use"]
