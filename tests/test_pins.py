"""Everything that is pinned is renewed by somebody, and pre-commit runs what CI runs."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[1]
WORKFLOWS = "".join(path.read_text() for path in (ROOT / ".github/workflows").glob("*.yml"))


def read(name: str) -> Any:
    return yaml.safe_load((ROOT / name).read_text())


def folders(pattern: str) -> set[str]:
    """Return the folders with such a file, as Dependabot names them."""
    found = [path.relative_to(ROOT).parent for path in ROOT.glob(pattern)]
    return {f"/{one}" for one in found if not {"node_modules", ".terraform"} & set(one.parts)}


def test_dependabot_renews_every_lock() -> None:
    updates = read(".github/dependabot.yml")["updates"]
    told = {
        one["package-ecosystem"]: {*one.get("directories", []), *filter(None, [one.get("directory")])}
        for one in updates
    }
    assert told == {
        "github-actions": {"/"},
        "npm": folders("scripts/*/package-lock.json"),
        "terraform": folders("infra/**/.terraform.lock.hcl"),
        "pip": {"/requirements"},
    }
    assert all(one["cooldown"]["default-days"] >= 7 for one in updates), "a new release may be a stolen one"


def test_pre_commit_runs_targets_that_ci_runs() -> None:
    [local] = read(".pre-commit-config.yaml")["repos"]
    assert local["repo"] == "local", "hooks from elsewhere have pins of their own"
    for hook in local["hooks"]:
        assert re.fullmatch(r"make [a-z-]+", hook["entry"])
        assert hook["pass_filenames"] is False
        ran = hook["entry"].replace("make lint", "make test")  # which begins with it
        assert re.search(rf"run: {ran}$", WORKFLOWS, re.M), hook["id"]
