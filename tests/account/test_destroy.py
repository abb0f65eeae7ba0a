"""`cabstand destroy`: what it empties, finds and refuses."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from account.conftest import pairs
from cabstand import cli
from cabstand.account import emptying, inventory
from cabstand.account.deployment import Deployment
from cabstand.account.root import Root
from cabstand.errors import ConfigError, TaskError
from cabstand.jobs import destroy
from cabstand.settings import Settings

KIND = "application/vnd.docker.distribution.manifest.v2+json"
Aws = Callable[[str], Any]
CONFIRMED = destroy.Params(confirmation="destroy cabstand-dev", infra=None)


@pytest.fixture
def full_bucket(aws: Aws) -> str:
    """A versioned bucket with 2,000 versions, delete markers and unfinished uploads."""
    s3, name = aws("s3"), "cabstand-dev-lake-123456789012"
    s3.create_bucket(Bucket=name)
    s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    for number in range(2000):
        s3.put_object(Bucket=name, Key=f"trips/{number % 500}", Body=b"x")
    for number in range(100):
        s3.delete_object(Bucket=name, Key=f"trips/{number}")
    for number in range(3):
        s3.create_multipart_upload(Bucket=name, Key=f"unfinished/{number}")
    return name


@pytest.mark.slow
def test_a_versioned_bucket_is_emptied(aws: Aws, full_bucket: str) -> None:
    assert emptying.empty_bucket(full_bucket) == 2103
    assert "Versions" not in aws("s3").list_object_versions(Bucket=full_bucket)
    assert "Uploads" not in aws("s3").list_multipart_uploads(Bucket=full_bucket)
    assert emptying.empty_bucket(full_bucket) == 0
    aws("s3").delete_bucket(Bucket=full_bucket)


@pytest.fixture
def small_bucket(aws: Aws) -> str:
    name = "cabstand-dev-site-123456789012"
    aws("s3").create_bucket(Bucket=name)
    aws("s3").put_object(Bucket=name, Key="index.html", Body=b"x")
    return name


def test_a_repository_is_emptied(aws: Aws) -> None:
    ecr = aws("ecr")
    for name in ("cabstand-batch", "cabstand/mlflow", "cabstandards"):
        ecr.create_repository(repositoryName=name)
    for number in range(3):
        manifest = {"schemaVersion": 2, "mediaType": KIND, "config": {"digest": f"sha256:{number:064d}"}, "layers": []}
        image = {
            "imageManifest": json.dumps(manifest),
            "imageTag": f"v{number}",
            "imageDigest": f"sha256:{number:064d}",
        }
        ecr.put_image(repositoryName="cabstand-batch", **image)
    assert emptying.repositories("cabstand") == ["cabstand-batch", "cabstand/mlflow"]
    assert emptying.empty_repository("cabstand-batch") == 3
    assert ecr.list_images(repositoryName="cabstand-batch")["imageIds"] == []


def test_nothing_is_left_of_an_empty_account(aws: Aws) -> None:
    result = destroy.run(Settings(), CONFIRMED)
    assert result["clean"]
    assert result["left"] == []


def test_what_terraform_does_not_know_is_found(aws: Aws, environment: dict[str, str]) -> None:
    # Created by hand: no tags, but the project's name.
    aws("logs").create_log_group(logGroupName="/aws/lambda/cabstand-dev-api")
    aws("cloudwatch").put_dashboard(DashboardName="cabstand-dev", DashboardBody='{"widgets": []}')
    aws("s3").create_bucket(Bucket="cabstand-dev-forgotten")
    volume = aws("ec2").create_volume(AvailabilityZone="us-east-1a", Size=1)["VolumeId"]
    aws("ec2").create_tags(Resources=[volume], Tags=[{"Key": "Name", "Value": "cabstand-dev-scratch"}])
    aws("secretsmanager").create_secret(Name="cabstand-dev/mlflow/server", SecretString="x")  # pragma: allowlist secret
    # Of other environments, with similar names.
    aws("logs").create_log_group(logGroupName="/aws/lambda/cabstand-development-api")
    aws("s3").create_bucket(Bucket="cabstand-prod-lake")
    left = {(one.kind, one.name) for one in inventory.find(Deployment("cabstand", "dev")) if one.billable}
    assert left == {
        ("logs/log-group", "/aws/lambda/cabstand-dev-api"),
        ("cloudwatch/dashboard", "cabstand-dev"),
        ("s3", "cabstand-dev-forgotten"),
        ("ec2/volume", volume),
        ("secretsmanager/secret", "cabstand-dev/mlflow/server"),
        ("ec2/instance", environment["server"]),
        ("rds/db", "server-db"),
    }


def test_what_is_gone_is_not_left(aws: Aws, environment: dict[str, str]) -> None:
    aws("ec2").terminate_instances(InstanceIds=[environment["server"]])
    aws("rds").delete_db_instance(DBInstanceIdentifier="server-db", SkipFinalSnapshot=True)
    key = aws("kms").create_key(Tags=[{"TagKey": name, "TagValue": value} for name, value in pairs_of().items()])
    key_id = key["KeyMetadata"]["KeyId"]
    assert {one.kind for one in inventory.find(Deployment("cabstand", "dev")) if one.billable} == {"kms/key"}
    aws("kms").schedule_key_deletion(KeyId=key_id)
    assert not [one for one in inventory.find(Deployment("cabstand", "dev")) if one.billable]


def pairs_of() -> dict[str, str]:
    return {pair["Key"]: pair["Value"] for pair in pairs()}


def test_prod_requires_a_second_switch(aws: Aws, small_bucket: str) -> None:
    params = destroy.Params(environment="prod", confirmation="destroy cabstand-prod", infra=None)
    with pytest.raises(ConfigError, match="--prod-too"):
        destroy.run(Settings(), params)
    assert cli.run(["destroy", "-e", "prod", "--confirm", "destroy cabstand-prod", "--sweep-only"]) == 2


@pytest.mark.parametrize("typed", ["", "yes", "destroy", "destroy cabstand-prod", "Destroy cabstand-dev"])
def test_unconfirmed_touches_nothing(aws: Aws, small_bucket: str, typed: str) -> None:
    with pytest.raises(ConfigError, match="not confirmed"):
        destroy.run(Settings(), destroy.Params(confirmation=typed, infra=None))
    assert aws("s3").get_object(Bucket=small_bucket, Key="index.html")["Body"].read() == b"x"


def test_a_dry_run_changes_nothing(aws: Aws, environment: dict[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["destroy", "--dry-run"]) == 1
    result = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert result["n_billable_left"] == 2
    assert result["emptied"] == {}
    assert aws("scheduler").get_schedule(GroupName="cabstand-dev", Name="cabstand-dev-sweep")["State"] == "ENABLED"


FAKE_TERRAFORM = """#!/usr/bin/env python3
import json, os, sys
open(os.environ["CALLS"], "a").write(json.dumps(sys.argv[1:]) + "\\n")
if sys.argv[2] == "init":
    os.makedirs(os.environ["TF_DATA_DIR"], exist_ok=True)
    open(os.environ["TF_DATA_DIR"] + "/terraform.tfstate", "w").close()
failures = int(open(os.environ["FAILURES"]).read() or 0)
if sys.argv[2] == "destroy" and failures:
    open(os.environ["FAILURES"], "w").write(str(failures - 1))
    sys.exit(1)
"""


@pytest.fixture
def fake_terraform(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A terraform that records its arguments and fails as many times as the file `failures` says."""
    program = tmp_path / "bin/terraform"
    program.parent.mkdir()
    program.write_text(FAKE_TERRAFORM)
    program.chmod(0o755)
    (tmp_path / "infra").mkdir()
    (tmp_path / "infra/main.tf").write_text("")
    (tmp_path / "failures").write_text("0")
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("CALLS", str(tmp_path / "calls"))
    monkeypatch.setenv("FAILURES", str(tmp_path / "failures"))
    return tmp_path


def test_order_and_second_try(aws: Aws, small_bucket: str, fake_terraform: Path) -> None:
    (fake_terraform / "failures").write_text("1")
    params = destroy.Params(confirmation="destroy cabstand-dev", infra=fake_terraform / "infra")
    result = destroy.run(Settings(), params)
    calls = [json.loads(line)[1:] for line in (fake_terraform / "calls").read_text().splitlines()]
    assert [call[0] for call in calls] == ["init", "destroy", "destroy"]
    assert "-backend-config=bucket=cabstand-state-123456789012" in calls[0]
    assert any(word.startswith("-var-file=") and word.endswith("environments/dev.tfvars") for word in calls[1])
    assert result["emptied"][small_bucket] == 1
    assert not result["clean"]  # the fake deletes nothing: the bucket itself is left
    assert result["left"] == [{"kind": "s3", "name": small_bucket, "billable": True}]


def test_a_terraform_that_keeps_failing_is_reported(aws: Aws, fake_terraform: Path) -> None:
    (fake_terraform / "failures").write_text("5")
    with pytest.raises(TaskError, match="terraform destroy failed"):
        destroy.run(Settings(), destroy.Params(confirmation="destroy cabstand-dev", infra=fake_terraform / "infra"))
    with pytest.raises(ConfigError, match="no Terraform here"):
        Root(fake_terraform / "bin", "dev")


def test_a_held_lock_is_one_line_and_nothing_is_emptied(
    aws: Aws, small_bucket: str, fake_terraform: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    state = "cabstand-state-123456789012"
    lock = {
        "ID": "1f0c", "Operation": "OperationTypeApply", "Who": "ann@laptop", "Created": "2026-01-02T03:04:05.6Z",
    }  # fmt: skip
    aws("s3").create_bucket(Bucket=state)
    aws("s3").put_object(Bucket=state, Key="dev/terraform.tfstate.tflock", Body=json.dumps(lock).encode())
    words = ["destroy", "--confirm", "destroy cabstand-dev", "--infra", str(fake_terraform / "infra")]
    assert cli.run(words) == 1
    assert (
        capfd.readouterr()
        .err.splitlines()[-1]
        .endswith(
            "state of dev: is locked by ann@laptop since 2026-01-02T03:04:05 (apply)"
            " (wait for that run; if it is dead: make unlock ENV=dev LOCK=1f0c)"
        )
    )
    assert aws("s3").get_object(Bucket=small_bucket, Key="index.html")["Body"].read() == b"x"
    aws("s3").delete_object(Bucket=state, Key="dev/terraform.tfstate.tflock")
    assert destroy.run(Settings(), destroy.Params(confirmation=words[2], infra=fake_terraform / "infra"))["emptied"]
