"""`cabstand unlock`: the lock of a dead run, and the resources it created but did not write to the state."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from account.conftest import STATE
from cabstand import cli
from cabstand.account import existing, terraform
from cabstand.account.root import Root
from cabstand.errors import ConfigError, TaskError
from cabstand.jobs import unlock
from cabstand.settings import Settings

Aws = Callable[[str], Any]


def planned(*resources: tuple[str, dict[str, Any]], **more: Any) -> dict[str, Any]:
    """Return a plan that would create resources, each an address and its known values."""
    changes = []
    for address, values in resources:
        change = {"actions": ["create"], "after": values} | more
        changes.append({"address": address, "type": address.split(".")[-2], "change": change})
    return {"resource_changes": changes}


def test_only_existing_resources_are_found(aws: Aws) -> None:
    trust = json.dumps({"Version": "2012-10-17", "Statement": []})
    aws("iam").create_role(RoleName="cabstand-dev-x", AssumeRolePolicyDocument=trust)
    aws("logs").create_log_group(logGroupName="/cabstand/dev/tasks/train-again")
    aws("s3").create_bucket(Bucket="cabstand-dev-lake")
    secret = aws("secretsmanager").create_secret(Name="cabstand-dev/keys", SecretString="x")["ARN"]
    vpc = aws("ec2").create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    aws("ec2").create_tags(Resources=[vpc], Tags=[{"Key": "Name", "Value": "cabstand-dev"}])
    plan = planned(
        ("module.a.aws_iam_role.x", {"name": "cabstand-dev-x"}),
        ("aws_iam_role.y", {"name": "cabstand-dev-y"}),
        ("aws_cloudwatch_log_group.short", {"name": "/cabstand/dev/tasks/train"}),
        ("aws_cloudwatch_log_group.whole", {"name": "/cabstand/dev/tasks/train-again"}),
        ("aws_s3_bucket.lake", {"bucket": "cabstand-dev-lake"}),
        ("aws_s3_bucket.site", {"bucket": "cabstand-dev-site"}),
        ("aws_secretsmanager_secret.keys", {"name": "cabstand-dev/keys"}),
        ("aws_db_instance.main", {"identifier": "cabstand-dev-mlflow"}),
        ("aws_vpc.main", {"tags": {"Name": "cabstand-dev"}}),
        ("aws_sns_topic.alarms", {"name": "cabstand-dev-alarms"}),  # AWS accepts its name again
    )
    assert existing.find(plan) == {
        "module.a.aws_iam_role.x": "cabstand-dev-x",
        "aws_cloudwatch_log_group.whole": "/cabstand/dev/tasks/train-again",
        "aws_s3_bucket.lake": "cabstand-dev-lake",
        "aws_secretsmanager_secret.keys": secret,
        "aws_vpc.main": vpc,
    }


def test_a_resource_is_found_once_what_it_refers_to_is_known(aws: Aws) -> None:
    ec2 = aws("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    table = ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
    gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(VpcId=vpc, InternetGatewayId=gateway)
    ec2.create_route(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway)
    group = ec2.create_security_group(GroupName="tasks", Description="tasks", VpcId=vpc)["GroupId"]
    peer = {"GroupId": group, "Description": "Dask"}
    pair = {"IpProtocol": "tcp", "FromPort": 8786, "ToPort": 8786, "UserIdGroupPairs": [peer]}
    made = ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[pair])["SecurityGroupRules"][0]
    route = {"destination_cidr_block": "0.0.0.0/0"}
    rule = {"description": "Dask", "ip_protocol": "tcp", "from_port": 8786, "to_port": 8786, "cidr_ipv4": None}
    assert existing.find(planned(("aws_route.internet", route), ("aws_vpc_security_group_ingress_rule.x", rule))) == {}
    route |= {"route_table_id": table}
    rule |= {"security_group_id": group, "referenced_security_group_id": group}
    other = rule | {"from_port": 9000, "to_port": 9099}
    plan = planned(
        ("aws_route.internet", route),
        ("aws_route.other", route | {"destination_cidr_block": "10.0.0.0/8"}),
        ("aws_vpc_security_group_ingress_rule.x", rule),
        ("aws_vpc_security_group_ingress_rule.y", other),
    )
    found = existing.find(plan)
    assert found["aws_route.internet"] == f"{table}_0.0.0.0/0"
    assert found.keys() == {"aws_route.internet", "aws_vpc_security_group_ingress_rule.x"}
    assert found["aws_vpc_security_group_ingress_rule.x"] == made["SecurityGroupRuleId"]


def test_two_of_one_name_are_refused(aws: Aws) -> None:
    for number in range(2):
        vpc = aws("ec2").create_vpc(CidrBlock=f"10.{number}.0.0/16")["Vpc"]["VpcId"]
        aws("ec2").create_tags(Resources=[vpc], Tags=[{"Key": "Name", "Value": "cabstand-dev"}])
    with pytest.raises(TaskError, match="there are 2 of one name"):
        existing.find(planned(("aws_vpc.main", {"tags": {"Name": "cabstand-dev"}})))


def test_resources_in_the_state_or_being_imported_are_skipped(aws: Aws) -> None:
    aws("s3").create_bucket(Bucket="cabstand-dev-lake")
    lake = ("aws_s3_bucket.lake", {"bucket": "cabstand-dev-lake"})
    assert existing.find(planned(lake)) == {"aws_s3_bucket.lake": "cabstand-dev-lake"}
    assert existing.find(planned(lake, actions=["no-op"])) == {}
    assert existing.find(planned(lake, importing={"id": "cabstand-dev-lake"})) == {}


@pytest.fixture
def locked(aws: Aws, root: Path) -> Path:
    """The root, a bucket that is in no state, and a lock."""
    aws("s3").create_bucket(Bucket="cabstand-dev-lake")
    lock = json.dumps({"ID": "1f0c", "Operation": "OperationTypeApply", "Who": "ann@laptop"}).encode()
    aws("s3").put_object(Bucket=STATE, Key="dev/terraform.tfstate.tflock", Body=lock)
    return root


@pytest.fixture
def freeing(monkeypatch: pytest.MonkeyPatch, aws: Aws) -> None:
    """Let `force-unlock` release the lock: the fake terraform cannot reach the account in this process."""
    stock = terraform.execute

    def execute(root: Root, command: str, *words: str, quiet: bool = False) -> int:
        if command == "force-unlock":
            aws("s3").delete_object(Bucket=STATE, Key="dev/terraform.tfstate.tflock")
        return stock(root, command, *words, quiet=quiet)

    monkeypatch.setattr(terraform, "execute", execute)


def test_the_next_apply_imports_what_a_dead_run_created(
    locked: Path, freeing: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = Root(locked, "dev")
    with pytest.raises(TaskError, match="ann@laptop"):
        terraform.run(root, "apply")
    result = unlock.run(Settings(), unlock.Params("1f0c", infra=locked))
    assert result["adopted"] == {"aws_s3_bucket.lake": "cabstand-dev-lake"}
    assert not (locked / "adopted.tf").exists()  # another environment's plan must not see it
    monkeypatch.setenv("APPLY_FAILS", "1")
    assert terraform.run(root, "apply") == 1
    monkeypatch.delenv("APPLY_FAILS")
    assert terraform.run(root, "apply") == 0
    assert (locked / "applied").read_text() == 'import {\n  to = aws_s3_bucket.lake\n  id = "cabstand-dev-lake"\n}\n'
    assert not (locked / "adopted.tf").exists()
    assert not root.imports.exists()


def test_another_lock_is_not_released(locked: Path, aws: Aws, capfd: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["unlock", "0000", "--infra", str(locked)]) == 2
    assert "state of dev: is held by another lock, 1f0c" in capfd.readouterr().err.splitlines()[-1]
    aws("s3").delete_object(Bucket=STATE, Key="dev/terraform.tfstate.tflock")
    with pytest.raises(ConfigError, match="is not locked"):
        unlock.run(Settings(), unlock.Params("1f0c", infra=locked))
