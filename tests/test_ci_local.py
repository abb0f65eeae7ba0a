"""What `make ci-local` replaces and skips is what the workflows use; its stand-ins do what GitHub does."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
import yaml

from cabstand.account import reviews
from cabstand.account.plan_changes import Change, listing
from ci_lanes import ci_targets

ROOT = Path(__file__).resolve().parents[1]
SCRIPTS = ROOT / "scripts"
WORKFLOWS = {path.stem: yaml.safe_load(path.read_text()) for path in (ROOT / ".github/workflows").glob("*.yml")}
JOBS = {name: job for workflow in WORKFLOWS.values() for name, job in workflow["jobs"].items()}
STEPS = [step for workflow in WORKFLOWS.values() for job in workflow["jobs"].values() for step in job.get("steps", [])]


@pytest.fixture
def local(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(SCRIPTS))
    return importlib.import_module("ci_local")


@pytest.fixture
def steps(local: ModuleType) -> ModuleType:
    return importlib.import_module("ci_steps")


def test_each_workflow_is_started_by_an_event_of_its_own(local: ModuleType) -> None:
    assert local.EVENTS.keys() == WORKFLOWS.keys()
    for name, event in local.EVENTS.items():
        assert event in WORKFLOWS[name][True], name  # YAML reads the key `on` as true


def test_each_action_has_a_stand_in_that_takes_its_inputs(local: ModuleType, tmp_path: Path) -> None:
    used = {"/".join(filter(None, (action, inside))): (action, inside) for action, inside, _ in local.used()}
    for step in STEPS:
        name = step.get("uses", "").partition("@")[0]
        if name and name != "actions/checkout":
            action, inside = used[name]
            folder = local.stand_in(tmp_path, action, inside) / inside
            stand_in = yaml.safe_load((folder / "action.yml").read_text())
            assert step.get("with", {}).keys() <= stand_in["inputs"].keys(), name


def test_what_is_skipped_is_run_by_a_workflow_and_elsewhere(steps: ModuleType) -> None:
    run = {step["run"].split()[1] for step in STEPS if "run" in step}
    assert set(steps.IMPOSSIBLE) | set(steps.OWN_LANES) <= run
    assert set(steps.OWN_LANES) <= set(ci_targets())


def step(tmp_path: Path, *words: str) -> str:
    """Run a step as the shim of `make` does, with a `make` that prints its arguments; return what it prints."""
    env = os.environ | {
        "CI_LOCAL_SKIPPED": str(tmp_path / "skipped"),
        "CI_LOCAL_MAKE": "echo",
        "CI_LOCAL_GITHUB_API": "",
    }
    env.pop("ALL", None)
    line = [sys.executable, str(SCRIPTS / "ci_steps.py"), *words]
    return subprocess.run(line, env=env, capture_output=True, text=True, check=True, cwd=tmp_path).stdout


def test_a_skipped_target_is_said_and_recorded(tmp_path: Path) -> None:
    assert step(tmp_path, "make", "push-images", "TAG=1").startswith("skipped: make push-images: needs a container")
    step(tmp_path, "make", "test")
    recorded = (tmp_path / "skipped").read_text().splitlines()
    assert [line.partition(": ")[0] for line in recorded] == ["make push-images", "make test"]


def test_another_target_is_made_with_what_is_installed(tmp_path: Path) -> None:
    said = step(tmp_path, "make", "plan-save", "ENV=dev")
    assert said.split()[0] == f"VENV={sys.prefix}"
    assert said.endswith(" plan-save ENV=dev\n")
    assert not (tmp_path / "skipped").exists()


CLAIMS = {
    ("plan", "pull_request", "refs/pull/1/merge"): "pull_request",
    ("plan", "push", "refs/heads/main"): "ref:refs/heads/main",
    ("release", "push", "refs/heads/main"): "environment:prod",
    ("rollback", "workflow_dispatch", "refs/heads/main"): "environment:prod",
}


@pytest.mark.parametrize(("job", "event", "ref"), CLAIMS)
def test_a_token_is_github_s(
    steps: ModuleType, monkeypatch: pytest.MonkeyPatch, job: str, event: str, ref: str
) -> None:
    for name, value in {"GITHUB_REF": ref, "GITHUB_EVENT_NAME": event, "ENV": "prod"}.items():
        monkeypatch.setenv(name, value)
    claims = steps.token_claims(JOBS[job])
    assert claims["sub"] == f"repo:example@456/cabstand@789:{CLAIMS[job, event, ref]}"
    assert claims.get("environment") == ("prod" if job in {"release", "rollback"} else None)
    with pytest.raises(SystemExit, match="no permission id-token"):
        steps.token_claims(JOBS["test"])


def test_comments_are_found_again(local: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    api = importlib.import_module("github_api")
    monkeypatch.setenv("GITHUB_API_URL", api.serve())
    monkeypatch.setenv("GITHUB_REPOSITORY", "example/cabstand")
    monkeypatch.setenv("GITHUB_TOKEN", "local")
    changes = [Change("aws_x.a", "create", (), digit * 16) for digit in "ab"]
    reviews.comment("1", "dev", listing(changes))
    reviews.comment("1", "dev", listing(changes[:1]))
    reviews.comment("1", "prod", "")
    assert reviews.unreviewed("abc", "dev", changes) == ([changes[1]], "reviewed in #1")
