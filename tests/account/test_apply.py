"""Checks around an apply: a sleeping environment is refused, default egress rules of a killed run are revoked."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from account.conftest import STATE
from cabstand.account import terraform
from cabstand.account.root import Root
from cabstand.errors import TaskError
from cabstand.jobs import sleep, wake
from cabstand.settings import Settings

Aws = Callable[[str], Any]


def test_a_sleeping_environment_is_woken_first(aws: Aws, environment: dict[str, str], root: Path) -> None:
    dev = Root(root, "dev")
    sleep.run(Settings(), sleep.Params())
    with pytest.raises(TaskError, match=r"^cabstand-dev: is asleep \(make wake ENV=dev first\)$"):
        terraform.run(dev, "apply")
    assert not (root / "applied").exists()
    assert terraform.run(dev, "plan") == 0
    wake.run(Settings(), sleep.Params())
    assert terraform.run(dev, "apply") == 0


def test_a_deploy_keeps_the_images_that_run(aws: Aws, root: Path) -> None:
    dev = Root(root, "dev")
    assert terraform.run(dev, "apply") == 0
    assert "batch_image_tag" not in (root / "words").read_text()
    definition = json.dumps(
        [{"name": "task", "image": "123456789012.dkr.ecr.us-east-1.amazonaws.com/cabstand/batch:abc"}]
    )
    task = {"attributes": {"id": "cabstand-dev-compare", "container_definitions": definition}}
    state = {"resources": [{"mode": "managed", "type": "aws_ecs_task_definition", "instances": [task]}]}
    aws("s3").put_object(Bucket=STATE, Key=dev.state_key, Body=json.dumps(state))
    assert terraform.run(dev, "apply", "-var=batch_image_tag=def") == 0
    words = (root / "words").read_text().split()
    assert words.index("-var=batch_image_tag=abc") < words.index("-var=batch_image_tag=def"), "the last one counts"


def egress_rules(aws: Aws, group: str) -> dict[str, str]:
    """Return the protocol of each egress rule of a group, by id."""
    only = [{"Name": "group-id", "Values": [group]}]
    rules = aws("ec2").describe_security_group_rules(Filters=only)["SecurityGroupRules"]
    return {rule["SecurityGroupRuleId"]: rule["IpProtocol"] for rule in rules if rule["IsEgress"]}


def test_default_egress_rules_of_a_killed_run_are_revoked(
    aws: Aws, root: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """EC2 creates each group with an open egress rule; the provider was killed before it revoked the rule."""
    ec2 = aws("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    names = ("database", "tasks", "server", "somebody-else")
    groups = {name: ec2.create_security_group(GroupName=name, Description=name, VpcId=vpc)["GroupId"] for name in names}
    https = {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
    ec2.authorize_security_group_egress(GroupId=groups["server"], IpPermissions=[https])
    open_to_all = {name: set(egress_rules(aws, group)) for name, group in groups.items() if name != "server"}
    held = {
        "aws_security_group": [groups[name] for name in ("database", "tasks", "server")],
        "aws_vpc_security_group_egress_rule": list(open_to_all["tasks"]),  # managed by Terraform
    }
    state = {
        "resources": [
            {"mode": "managed", "type": kind, "instances": [{"attributes": {"id": one}} for one in ids]}
            for kind, ids in held.items()
        ]
    }
    aws("s3").put_object(Bucket=STATE, Key="dev/terraform.tfstate", Body=json.dumps(state).encode())
    monkeypatch.setenv("APPLY_FAILS", "1")
    assert terraform.run(Root(root, "dev"), "apply") == 1
    assert list(egress_rules(aws, groups["database"]).values()) == ["-1"]  # Terraform has not finished
    monkeypatch.delenv("APPLY_FAILS")
    assert terraform.run(Root(root, "dev"), "apply") == 0
    assert egress_rules(aws, groups["database"]) == {}
    assert list(egress_rules(aws, groups["server"]).values()) == ["tcp"]
    for name in ("tasks", "somebody-else"):
        assert set(egress_rules(aws, groups[name])) == open_to_all[name]
    assert [groups["database"] in line or groups["server"] in line for line in caplog.messages] == [True, True]
    caplog.clear()
    assert terraform.run(Root(root, "dev"), "apply") == 0
    assert caplog.messages == []
