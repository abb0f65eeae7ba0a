"""The plan that was approved is applied, once, and no other: on the account that test_account.py applied."""

from __future__ import annotations

import json
import re

import pytest

from cloud_account import Account

pytestmark = pytest.mark.cloud
BUCKET = "cabstand-state-123456789012"
TAG = "0123abcd"


def save(account: Account, tag: str = TAG) -> str:
    """Save a plan for dev and return its digest."""
    printed = account.script("plans.py", "save", "dev", TAG=tag)
    found = re.search(r"make plan-apply ENV=dev DIGEST=([0-9a-f]{64})$", printed, re.M)
    assert found, printed
    assert f"SHA-256 of the saved plan: `{found[1]}`" in printed
    return found[1]


def images(account: Account) -> set[str]:
    """Return the tags of the images that the tasks run."""
    ecs, tags = account.client("ecs"), set()
    state = json.loads(account.terraform("dev", "state", "pull"))["resources"]
    for one in (one for one in state if one["type"] == "aws_ecs_task_definition"):
        for instance in one["instances"]:
            task = ecs.describe_task_definition(taskDefinition=instance["attributes"]["arn"])["taskDefinition"]
            tags.add(task["containerDefinitions"][0]["image"].rpartition(":")[2])
    return tags


def test_the_approved_plan_is_applied_once_and_no_other(account: Account) -> None:
    s3, before = account.client("s3"), images(account)
    approved, other, changed = save(account), save(account), save(account)
    key = f"plans/dev/{changed}/plan"
    saved = s3.get_object(Bucket=BUCKET, Key=key)
    s3.put_object(Bucket=BUCKET, Key=key, Body=saved["Body"].read() + b"x", Metadata=saved["Metadata"])
    error = account.script("plans.py", "apply", "dev", code=1, DIGEST=changed)
    assert error.startswith(f"s3://{BUCKET}/{key}: is not the file that was planned; nothing was applied")
    error = account.script("plans.py", "apply", "dev", code=1, DIGEST="0" * 64)
    assert "is not there" in error
    assert images(account) == before

    package = account.tree / "dist/lambda-arm64.zip"
    package.unlink()  # as in the job that applies, which builds nothing
    printed = account.script("plans.py", "apply", "dev", DIGEST=approved)
    assert re.search(r"Apply complete! Resources: \d+ added, \d+ changed, \d+ destroyed", printed)
    assert images(account) == {TAG}
    account.terraform("dev", "plan", "-input=false", "-detailed-exitcode", code=0)

    error = account.script("plans.py", "apply", "dev", code=1, DIGEST=other)
    assert re.match(r"state of dev: has changed since the plan was made: then serial \d+ of .*, now serial ", error)
    assert len(error.splitlines()) == 1
    stale = account.tree / "stale.tfplan"
    stale.write_bytes(s3.get_object(Bucket=BUCKET, Key=f"plans/dev/{other}/plan")["Body"].read())
    assert "Saved plan is stale" in account.terraform("dev", "apply", str(stale), code=1), "Terraform refuses it, too"


def test_two_plans_of_one_change_have_the_same_digests(account: Account) -> None:
    first, second = (account.script("plans.py", "review", "dev", TAG=tag) for tag in ("aaaa1111", "bbbb2222"))
    lines = [re.findall(r"^[0-9a-f]{16} \w+ .*$", text, re.M) for text in (first, second)]
    assert lines[0] == lines[1] != []
    assert {"replace", "update"} == {line.split()[1] for line in lines[0]}
