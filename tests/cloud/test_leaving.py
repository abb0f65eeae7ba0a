"""Sleep, wake and destroy the account that test_account.py applied."""

from __future__ import annotations

import json
import re

import pytest

from cloud_account import Account

pytestmark = pytest.mark.cloud


def test_asleep_and_awake_again(account: Account) -> None:
    slept, _ = account.cabstand("sleep")
    assert len(slept["instances_stopped"]) == len(slept["databases_stopped"]) == 1
    assert len(slept["schedules_disabled"]) == 4
    assert slept["stays_asleep"]
    keeper = account.client("scheduler").get_schedule(Name="cabstand-dev-stay-asleep", GroupName="cabstand-dev")
    assert keeper["State"] == "ENABLED"
    assert json.loads(keeper["Target"]["Input"]) == {"DbInstanceIdentifier": slept["databases_stopped"][0]}
    woken, _ = account.cabstand("wake")
    assert woken["instances_started"] == slept["instances_stopped"]
    assert woken["databases_started"] == slept["databases_stopped"]
    assert sorted(woken["schedules_enabled"]) == sorted(slept["schedules_disabled"])
    account.terraform("dev", "plan", "-input=false", "-detailed-exitcode", code=0)


SENTENCE = ("destroy", "--environment", "dev", "--confirm", "destroy cabstand-dev")
BY_HAND = {"s3": "cabstand-dev-by-hand", "logs/log-group": "/cabstand/cabstand-dev/by-hand"}


def test_an_unconfirmed_destroy_touches_nothing(account: Account) -> None:
    _, error = account.cabstand("destroy", code=2, typed="yes\n")
    assert "not confirmed; nothing was touched" in error
    _, error = account.cabstand("destroy", "--environment", "prod", "--confirm", "destroy cabstand-prod", code=2)
    assert "--prod-too" in error


def test_the_bootstrap_stays_while_an_environment_exists(account: Account) -> None:
    error = account.terraform("leave", "-y", code=2)
    assert re.search(r"^state of dev: holds \d+ resources \(make destroy ENV=dev first\)$", error)


def test_a_killed_destroy_can_be_continued(account: Account) -> None:
    """With 2,000 versions, delete markers, unfinished uploads, untagged resources, and the lock of a dead run."""
    fill(account, account.outputs["buckets"]["lake"])
    account.client("s3").create_bucket(Bucket=BY_HAND["s3"])
    account.client("logs").create_log_group(logGroupName=BY_HAND["logs/log-group"])
    account.killed("-m", "cabstand", *SENTENCE, when="Destruction complete")
    _, error = account.cabstand(*SENTENCE, code=1)
    assert account.unlocked(error) == {}
    _, error = account.cabstand(*SENTENCE, code=1)
    assert "billable resources left: 2" in error


def test_the_receipt_names_what_is_left_and_then_nothing(account: Account) -> None:
    result, _ = account.cabstand("destroy", "--dry-run", code=1)
    assert {one["kind"]: one["name"] for one in result["left"] if one["billable"]} == BY_HAND
    account.client("s3").delete_bucket(Bucket=BY_HAND["s3"])
    account.client("logs").delete_log_group(logGroupName=BY_HAND["logs/log-group"])
    result, _ = account.cabstand("destroy", code=0, typed="destroy cabstand-dev\n")
    assert result["clean"]
    # ECS still reports inactive clusters and task definitions for a while; they are free.
    assert {one["kind"] for one in result["left"]} <= {"ecs/cluster", "ecs/task-definition"}
    assert account.terraform("dev", "state", "list").strip() == ""
    assert leftovers(account) == []


def test_the_account_is_left_as_it_was(account: Account) -> None:
    account.terraform("leave", "-y")
    assert account.client("s3").list_buckets()["Buckets"] == []
    assert account.client("ecr").describe_repositories()["repositories"] == []
    iam = account.client("iam")
    assert [one["RoleName"] for one in iam.list_roles()["Roles"] if one["RoleName"].startswith("cabstand")] == []


def fill(account: Account, bucket: str) -> None:
    """Put 2,000 versions of 40 objects, 20 delete markers and three unfinished uploads into a bucket."""
    s3 = account.client("s3")
    for number in range(2000):
        s3.put_object(Bucket=bucket, Key=f"trips/{number % 40}", Body=b"x")
    for number in range(20):
        s3.delete_object(Bucket=bucket, Key=f"trips/{number}")
    for number in range(3):
        s3.create_multipart_upload(Bucket=bucket, Key=f"unfinished/{number}")


def leftovers(account: Account) -> list[str]:
    """Return billable resources that still exist, found without Terraform."""
    buckets = [
        b["Name"] for b in account.client("s3").list_buckets()["Buckets"] if b["Name"].startswith("cabstand-dev")
    ]
    reservations = account.client("ec2").describe_instances()["Reservations"]
    servers = [i["InstanceId"] for r in reservations for i in r["Instances"] if i["State"]["Name"] != "terminated"]
    databases = [d["DBInstanceIdentifier"] for d in account.client("rds").describe_db_instances()["DBInstances"]]
    addresses = [a["AllocationId"] for a in account.client("ec2").describe_addresses()["Addresses"]]
    functions = [f["FunctionName"] for f in account.client("lambda").list_functions()["Functions"]]
    secrets = [s["Name"] for s in account.client("secretsmanager").list_secrets()["SecretList"]]
    alarms = [a["AlarmName"] for a in account.client("cloudwatch").describe_alarms()["MetricAlarms"]]
    return buckets + servers + databases + addresses + functions + secrets + alarms
