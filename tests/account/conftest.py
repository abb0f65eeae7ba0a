"""An environment in an emulated account, as Terraform would leave it."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest

STATE = "cabstand-state-123456789012"
TAGS = {"Project": "cabstand", "Environment": "dev"}


def pairs(tags: dict[str, str] = TAGS, *, lower: bool = False) -> list[dict[str, str]]:
    key, value = ("key", "value") if lower else ("Key", "Value")
    return [{key: name, value: content} for name, content in tags.items()]


@pytest.fixture(autouse=True)
def _own_log() -> Iterator[None]:
    """Undo the log configuration of command lines that run in this process."""
    before = logging.getLogger().handlers[:]
    yield
    logging.getLogger().handlers[:] = before


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], Any]]:
    """Clients of an empty account in this process."""
    import boto3
    from moto import mock_aws

    from cabstand.io import aws

    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("MOTO_EC2_LOAD_DEFAULT_AMIS", "false")
    aws.client.cache_clear()
    with mock_aws():
        yield lru_cache(boto3.client)
    aws.client.cache_clear()


@pytest.fixture
def environment(aws: Callable[[str], Any]) -> dict[str, str]:
    """A server, a database and schedules of dev, and a server and a database of another project."""
    made = {}
    ec2, rds, scheduler = aws("ec2"), aws("rds"), aws("scheduler")
    image = ec2.register_image(Name="linux", RootDeviceName="/dev/xvda")["ImageId"]
    for key, tags in {"server": TAGS, "other": {"Project": "other", "Environment": "dev"}}.items():
        specification = [{"ResourceType": "instance", "Tags": pairs(tags)}]
        answer = ec2.run_instances(ImageId=image, MinCount=1, MaxCount=1, TagSpecifications=specification)
        made[key] = answer["Instances"][0]["InstanceId"]
        rds.create_db_instance(
            DBInstanceIdentifier=f"{key}-db",
            Engine="postgres",
            DBInstanceClass="db.t4g.micro",
            AllocatedStorage=20,
            MasterUsername="cabstand",
            MasterUserPassword="test-password",  # pragma: allowlist secret
            Tags=pairs(tags),
        )
    scheduler.create_schedule_group(Name="cabstand-dev", Tags=pairs())
    for name, state in {
        "compare": "ENABLED",
        "sweep": "ENABLED",
        "pipeline": "DISABLED",
        "stay-asleep": "DISABLED",
    }.items():
        scheduler.create_schedule(
            Name=f"cabstand-dev-{name}",
            GroupName="cabstand-dev",
            State=state,
            ScheduleExpression="cron(0 6 * * ? *)",
            ScheduleExpressionTimezone="America/New_York",
            FlexibleTimeWindow={"Mode": "OFF"},
            Target={
                "Arn": "arn:aws:scheduler:::aws-sdk:rds:stopDBInstance",
                "RoleArn": "arn:aws:iam::123456789012:role/x",
                "Input": json.dumps({"name": name}),
                "RetryPolicy": {"MaximumRetryAttempts": 3, "MaximumEventAgeInSeconds": 600},
            },
        )
    return made


FAKE_TERRAFORM = """#!/usr/bin/env python3
import json, os, pathlib, sys
folder, command, *words = sys.argv[1:]
folder = pathlib.Path(folder.removeprefix("-chdir="))
adopted = folder / "adopted.tf"
if command == "init":
    os.makedirs(os.environ["TF_DATA_DIR"], exist_ok=True)
    open(os.environ["TF_DATA_DIR"] + "/terraform.tfstate", "w").close()
elif command == "plan":
    (folder / "seen").write_text(adopted.read_text() if adopted.exists() else "")
    for word in words:
        if word.startswith("-out="):
            pathlib.Path(word.removeprefix("-out=")).write_text("the plan " + " ".join(words))
elif command == "show" and (folder / "shown.json").exists():
    print((folder / "shown.json").read_text())
elif command == "show":
    change = {"actions": ["create"], "after": {"bucket": "cabstand-dev-lake"}}
    if "aws_s3_bucket.lake" in (folder / "seen").read_text():
        change["importing"] = {"id": "cabstand-dev-lake"}
    resource = {"address": "aws_s3_bucket.lake", "type": "aws_s3_bucket", "change": change}
    print(json.dumps({"resource_changes": [resource]}))
elif command == "apply":
    (folder / "words").write_text(" ".join(words))
    (folder / "applied").write_text(adopted.read_text() if adopted.exists() else "")
    sys.exit(int(os.environ.get("APPLY_FAILS", "0")))
"""


@pytest.fixture
def root(aws: Callable[[str], Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A Terraform root, a fake terraform that writes what it sees, and the state bucket; returns the root's folder."""
    program = tmp_path / "bin/terraform"
    program.parent.mkdir()
    program.write_text(FAKE_TERRAFORM)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
    (tmp_path / "infra").mkdir()
    (tmp_path / "infra/main.tf").write_text("")
    aws("s3").create_bucket(Bucket=STATE)
    return tmp_path / "infra"
