"""The steps of the workflows that plan: a release that makes unreviewed changes is not saved."""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from account.conftest import STATE
from cabstand.account.plan_changes import Change

Aws = Callable[[str], Any]
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def plans(aws: Aws, root: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The script, on an environment whose plan updates one resource and leaves the zip."""
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    module = importlib.import_module("plans")
    monkeypatch.setattr(module, "INFRA", root)
    for folder, name in (("environments", "dev.tfvars"), (".", "lambda.zip")):
        (root / folder).mkdir(exist_ok=True)
        (root / folder / name).touch()
    changed = {"address": "aws_x.secret", "type": "aws_x", "mode": "managed"}
    change = {"actions": ["update"], "before": {"value": "old"}, "after": {"value": "hidden", "image": "batch:abc"}}
    variables = {"api_package_path": {"value": "lambda.zip"}}
    (root / "shown.json").write_text(
        json.dumps({"variables": variables, "resource_changes": [changed | {"change": change}]})
    )
    for name in ("COMMIT", "ACCEPT", "PULL_REQUEST"):
        monkeypatch.delenv(name, raising=False)
    for name, file in (("GITHUB_STEP_SUMMARY", "summary"), ("GITHUB_OUTPUT", "output")):
        monkeypatch.setenv(name, str(root / file))
    monkeypatch.setenv("TAG", "abc")
    return module


@pytest.fixture
def comments(plans: ModuleType, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Comments that were written; a commit's changes were reviewed if one lists them."""
    written: list[str] = []

    def unreviewed(commit: str, environment: str, changes: list[Change]) -> tuple[list[Change], str]:
        return [one for one in changes if one.digest not in "".join(written)], "reviewed in #1"

    monkeypatch.setattr(plans.reviews, "comment", lambda number, environment, text: written.append(text))
    monkeypatch.setattr(plans.reviews, "unreviewed", unreviewed)
    return written


def saved(aws: Aws) -> set[str]:
    listed = aws("s3").list_objects_v2(Bucket=STATE, Prefix="plans/")
    return {one["Key"] for one in listed.get("Contents", [])}


def test_a_review_tells_names_and_no_values(
    plans: ModuleType, comments: list[str], aws: Aws, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert plans.main(["review", "dev"]) == 0
    assert comments == []
    monkeypatch.setenv("PULL_REQUEST", "1")
    assert plans.main(["review", "dev"]) == 0
    assert comments[0].startswith("### Plan of dev: 1 to update\n")
    assert "update  aws_x.secret  (image, value)" in comments[0]
    assert "hidden" not in comments[0]
    assert comments[0] in (root / "summary").read_text()
    assert saved(aws) == set()


def test_a_reviewed_release_is_saved_under_its_digest(
    plans: ModuleType, comments: list[str], aws: Aws, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PULL_REQUEST", "1")
    plans.main(["review", "dev"])
    monkeypatch.setenv("COMMIT", "123")
    assert plans.main(["save", "dev"]) == 0
    digest = (root / "output").read_text().strip().removeprefix("digest=")
    assert saved(aws) == {f"plans/dev/{digest}/{part}" for part in ("plan", "package")}
    assert f"SHA-256 of the saved plan: `{digest}`" in (root / "summary").read_text()
    assert "reviewed in #1\n" in (root / "summary").read_text()


def test_an_unreviewed_change_stops_a_release_unless_accepted(
    plans: ModuleType,
    comments: list[str],
    aws: Aws,
    root: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("COMMIT", "123")
    assert plans.main(["save", "dev"]) == 1
    assert capsys.readouterr().err == (
        "plan of dev: makes changes that were not reviewed in #1: update aws_x.secret "
        "(look at them, then start the workflow by hand and accept them)\n"
    )
    assert saved(aws) == set()
    assert not (root / "output").exists()
    assert "reviewed in #1, except:" in (root / "summary").read_text()
    monkeypatch.setenv("ACCEPT", "true")
    assert plans.main(["save", "dev"]) == 0
    assert len(saved(aws)) == 2


def test_by_hand_nothing_is_compared(plans: ModuleType, aws: Aws) -> None:
    assert plans.main(["save", "dev"]) == 0
    assert len(saved(aws)) == 2


def test_wrong_words_get_the_usage(plans: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    for words in ([], ["save"], ["save", "nowhere"], ["forget", "dev"]):
        assert plans.main(words) == 2
        assert "plans.py review | save | apply" in capsys.readouterr().err
    assert plans.main(["apply", "dev"]) == 2
    assert "DIGEST: must be the SHA-256 of a saved plan" in capsys.readouterr().err
