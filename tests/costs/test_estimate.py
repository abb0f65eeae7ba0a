"""Estimates of a plan's price, and what has none."""

from __future__ import annotations

import copy
import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from cabstand.costs import charges, table
from cabstand.costs.estimate import estimate
from cabstand.costs.schedules import runs_a_month
from cabstand.errors import ConfigError, DataError

EXAMPLE = Path(__file__).parent / "example/plan.json"


@pytest.fixture
def plan() -> dict[str, Any]:
    """A plan of `example/main.tf` by Terraform 1.11."""
    return json.loads(EXAMPLE.read_text())  # type: ignore[no-any-return]


def values_of(plan: dict[str, Any], address: str) -> dict[str, Any]:
    resources = plan["planned_values"]["root_module"]["resources"]
    return next(resource["values"] for resource in resources if resource["address"] == address)  # type: ignore[no-any-return]


def test_every_price_has_a_source_and_a_date() -> None:
    prices = table.load()
    assert len(prices.prices) > 50
    for key, price in prices.prices.items():
        assert price.usd > 0, key
        assert price.source.startswith("https://aws.amazon.com/"), key
        assert date.fromisoformat(price.as_of) >= date(2025, 1, 1), key
    assert prices.oldest == min(price.as_of for price in prices.prices.values())


def test_unknown_region_and_format_are_refused() -> None:
    with pytest.raises(ConfigError, match="no prices for region eu-north-9"):
        table.load("eu-north-9")
    with pytest.raises(ConfigError, match="schema version 9"):
        table.parse('{"schema_version": 9}')


def test_the_example_by_hand(plan: dict[str, Any]) -> None:
    found = estimate(plan, table.load())
    assert found.unpriced == []
    server = 730 * (0.0168 + 0.005)
    database = 730 * 0.016
    kept = 16 * 0.08 + 10 * 0.08 + 20 * 0.115 + 2 * 0.40 + 2 * 0.023
    snapshot = 0.5 * 730 * 3600 * 0.0000015046
    images = 2 * 1.5 * 0.1
    # A version to go back to is kept beside the live one, but not asleep.
    assert found.idle_usd_month == pytest.approx(server + database + kept + images + 2 * snapshot, abs=0.01)
    assert found.asleep_usd_month == pytest.approx(kept + images + snapshot, abs=0.01)
    (run,) = found.runs
    assert run.usd_hour == pytest.approx(8 * 0.04048 + 16 * 0.004445 + 0.005, abs=1e-4)
    assert run.usd_run == pytest.approx(run.usd_hour / 6, abs=1e-4)
    assert found.million_predictions_usd == pytest.approx(1.2 + 5000 * 0.0000133334 + 0.529, abs=0.01)
    assert found.by_use == ["aws_cloudwatch_log_group", "aws_ecs_task_definition"]


@pytest.mark.parametrize(
    ("address", "name", "value", "more"),
    [
        ("aws_instance.server", "instance_type", "t4g.medium", 730 * 0.0168),
        ("aws_instance.server", "associate_public_ip_address", False, -730 * 0.005),
        ("aws_db_instance.main", "instance_class", "db.t4g.small", 730 * 0.016),
        ("aws_db_instance.main", "multi_az", True, 730 * 0.016 + 20 * 0.115),
        ("aws_db_instance.main", "allocated_storage", 120, 100 * 0.115),
        ("aws_lambda_function.api", "snap_start", [], -2 * 0.5 * 730 * 3600 * 0.0000015046),
    ],
)
def test_the_price_follows_a_size(plan: dict[str, Any], address: str, name: str, value: object, more: float) -> None:
    before = estimate(plan, table.load()).idle_usd_month
    changed = copy.deepcopy(plan)
    values_of(changed, address)[name] = value
    assert estimate(changed, table.load()).idle_usd_month - before == pytest.approx(more, abs=0.011)


def test_schedules_cost_their_runs(plan: dict[str, Any]) -> None:
    task = estimate(plan, table.load()).runs[0]
    name = task.task.rpartition("-")[2]
    schedule = {"task": name, "expression": "cron(0 6 * * ? *)", "timezone": "UTC", "enabled": True}
    before = estimate(plan, table.load())
    plan["planned_values"]["outputs"] = {"schedules": {"value": {"daily": schedule}}}
    found = estimate(plan, table.load())
    assert found.idle_usd_month - before.idle_usd_month == pytest.approx(365 / 12 * task.usd_run, abs=0.011)
    assert found.asleep_usd_month == before.asleep_usd_month
    schedule["enabled"] = False
    assert estimate(plan, table.load()) == before


@pytest.mark.parametrize(
    ("expression", "runs"),
    [
        ("rate(1 day)", 730 / 24),
        ("rate(12 hours)", 730 / 12),
        ("rate(30 minutes)", 1460),
        ("at(2027-01-01T00:00:00)", 0),
        ("cron(0 6 * * ? *)", 365 / 12),
        ("cron(0 5 ? * SUN *)", 365 / 84),
        ("cron(0/15 8-17 ? * MON-FRI *)", 4 * 10 * 5 * 365 / 84),
        ("cron(0 7 20 * ? *)", 1),
        ("cron(0 7 1,15 JAN-MAR ? *)", 2 * 3 / 12),
        ("cron(5,35 */2 LW * ? *)", 24),
        ("cron(0 9 ? * MON#1 *)", 1),
        ("cron(0 9 ? * FRIL *)", 1),
    ],
)
def test_runs_of_a_month(expression: str, runs: float) -> None:
    assert runs_a_month(expression) == pytest.approx(runs)


@pytest.mark.parametrize("expression", ["daily", "cron(0 6 * * ?)", "rate(5 weeks)"])
def test_what_is_no_schedule_is_refused(expression: str) -> None:
    with pytest.raises(DataError, match="not a schedule"):
        runs_a_month(expression)


def test_what_has_no_price_is_named(plan: dict[str, Any]) -> None:
    resources = plan["planned_values"]["root_module"]["resources"]
    resources.append({"address": "aws_emr_cluster.x", "mode": "managed", "type": "aws_emr_cluster", "values": {}})
    resources.append({"address": "data.aws_vpc.x", "mode": "data", "type": "aws_emr_cluster", "values": {}})
    values_of(plan, "aws_instance.server")["instance_type"] = "u7in-32tb.224xlarge"
    del values_of(plan, "aws_db_instance.main")["instance_class"]
    assert sorted(estimate(plan, table.load()).unpriced) == [
        "aws_db_instance.main: its size is not known before it is made",
        "aws_emr_cluster.x: no rule for aws_emr_cluster",
        "aws_instance.server: no price for ec2/u7in-32tb.224xlarge",
    ]


def test_a_type_is_in_one_list_alone() -> None:
    for kind in charges.RULES:
        assert not charges.is_by_use(kind), kind
        # aws_secretsmanager_secret_ and aws_s3_bucket_ are families beside a billed type of the shorter name
        assert not charges.is_free(kind), kind
    assert charges.is_free("aws_s3_bucket_policy")
    assert not charges.is_free("aws_routes")


def test_traces_have_a_price_where_they_are_on(plan: dict[str, Any]) -> None:
    before = estimate(plan, table.load()).million_predictions_usd
    values_of(plan, "aws_lambda_function.api")["tracing_config"] = [{"mode": "Active"}]
    traced = estimate(plan, table.load()).million_predictions_usd
    assert before is not None
    assert traced == pytest.approx(before + 0.05 * 5, abs=0.011)


@pytest.mark.parametrize("wrong", [{}, {"planned_values": {}}, {"planned_values": {"root_module": 3}}])
def test_not_a_plan(wrong: dict[str, Any]) -> None:
    with pytest.raises(DataError, match="not a plan"):
        estimate(wrong, table.load())
