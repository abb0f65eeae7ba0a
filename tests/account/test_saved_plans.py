"""A saved plan is applied as it is, or not at all."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from account.conftest import STATE
from cabstand.account import saved_plans
from cabstand.account.root import Root
from cabstand.account.saved_plans import Plan
from cabstand.errors import ConfigError, TaskError

Aws = Callable[[str], Any]
ZIP = b"the function"


@pytest.fixture
def dev(aws: Aws, root: Path) -> Root:
    """An environment with a state and the zip of a function."""
    found = Root(root, "dev")
    put_state(aws, found, 7)
    (root.parent / "dist").mkdir()
    (root.parent / "dist/lambda.zip").write_bytes(ZIP)
    package = {"key": "setup/lambda/api.zip", "source_hash": hashlib.sha256(ZIP).hexdigest()}
    shown = {
        "variables": {"api_package_path": {"value": "../dist/lambda.zip"}},
        "resource_changes": [
            {"type": "aws_s3_object", "change": {"after": None}},
            {"type": "aws_s3_object", "change": {"after": package}},
        ],
    }
    (root / "shown.json").write_text(json.dumps(shown))
    return found


def put_state(aws: Aws, root: Root, serial: int) -> None:
    state = {"serial": serial, "lineage": "ab", "resources": []}
    aws("s3").put_object(Bucket=STATE, Key=root.state_key, Body=json.dumps(state))


@pytest.fixture
def plan(dev: Root, tmp_path: Path) -> Plan:
    made = saved_plans.make(dev, tmp_path, tag="abc")
    saved_plans.save(dev, made)
    return made


def key(plan: Plan, part: str = "plan") -> str:
    return f"plans/dev/{plan.digest}/{part}"


def refused(dev: Root, digest: str) -> str:
    """Return why a plan is not applied, and check that nothing was."""
    with pytest.raises(TaskError) as error:
        saved_plans.apply(dev, digest)
    assert not (dev.folder / "applied").exists()
    return str(error.value)


def test_a_plan_only_reads(plan: Plan) -> None:
    assert {"-refresh=false", "-lock=false", "-var=batch_image_tag=abc"} <= set(plan.file.read_text().split())


def test_exactly_the_saved_files_are_applied(aws: Aws, dev: Root, plan: Plan) -> None:
    zipped = dev.folder.parent / "dist/lambda.zip"
    zipped.write_bytes(b"built again, with other bytes")
    assert saved_plans.apply(dev, plan.digest) == 0
    assert zipped.read_bytes() == ZIP
    words = (dev.folder / "words").read_text().split()
    assert words[0] == "-input=false"
    assert len(words) == 2, "no variable changes a saved plan"
    assert not Path(words[1]).exists(), "a plan contains the state: none is left on the machine"


def test_another_digest_is_refused(dev: Root, plan: Plan) -> None:
    message = refused(dev, "0" * 64)
    assert message.startswith(f"s3://{STATE}/plans/dev/{'0' * 64}/plan: is not there (plans are kept for 35 days;")
    with pytest.raises(ConfigError, match=r"^DIGEST: must be the SHA-256 of a saved plan, not ''"):
        saved_plans.apply(dev, "")
    with pytest.raises(ConfigError):
        saved_plans.apply(dev, f"../prod/{plan.digest}")


@pytest.mark.parametrize("part", ["plan", "package"])
def test_a_changed_file_is_refused(aws: Aws, dev: Root, plan: Plan, part: str) -> None:
    saved = aws("s3").get_object(Bucket=STATE, Key=key(plan, part))
    aws("s3").put_object(
        Bucket=STATE, Key=key(plan, part), Body=b"x" + saved["Body"].read(), Metadata=saved["Metadata"]
    )
    assert refused(dev, plan.digest).startswith(
        f"s3://{STATE}/{key(plan, part)}: is not the file that was planned; nothing was applied (run the workflow again"
    )


def test_another_environments_plan_is_refused(dev: Root, plan: Plan) -> None:
    (dev.folder / "environments").mkdir(exist_ok=True)
    assert "is not there" in refused(Root(dev.folder, "prod"), plan.digest)


def test_a_moved_state_is_refused(aws: Aws, dev: Root, plan: Plan) -> None:
    put_state(aws, dev, 8)
    assert refused(dev, plan.digest).startswith(
        "state of dev: has changed since the plan was made: then serial 7 of ab, now serial 8 of ab (run the workflow"
    )
    aws("s3").delete_object(Bucket=STATE, Key=dev.state_key)
    assert "now none" in refused(dev, plan.digest)
