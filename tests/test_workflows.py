"""What the GitHub workflows may do."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


def steps(workflow: dict[str, Any]) -> list[dict[str, Any]]:
    return [step for job in workflow["jobs"].values() for step in job.get("steps", [])]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_a_workflow_has_no_right_by_default_and_pins_what_it_uses(path: Path) -> None:
    workflow = yaml.safe_load(path.read_text())
    assert workflow["permissions"] == {}
    for step in steps(workflow):
        if "uses" in step:
            assert re.fullmatch(r"[\w./-]+@[0-9a-f]{40}", step["uses"]), step["uses"]
            assert not step["uses"].startswith("actions/checkout@") or step["with"]["persist-credentials"] is False


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_a_step_runs_a_make_target_that_exists(path: Path) -> None:
    makefile = (ROOT / "Makefile").read_text()
    for step in steps(yaml.safe_load(path.read_text())):
        if "run" in step:
            told = re.fullmatch(r"make ([a-z][a-z-]*)( .*)?", step["run"])
            assert told, step["run"]
            assert re.search(rf"^{told[1]}:", makefile, re.M), f"no target {told[1]}"


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_no_expression_is_pasted_into_a_script(path: Path) -> None:
    # An outsider may choose the text of an expression; in `run` it would be executed, in `env` it is not.
    for step in steps(yaml.safe_load(path.read_text())):
        assert "${{" not in step.get("run", "")


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_a_job_ends_and_says_what_it_may(path: Path) -> None:
    workflow = yaml.safe_load(path.read_text())
    assert workflow["concurrency"]["group"]
    for name, job in workflow["jobs"].items():
        assert "uses" in job or 0 < job["timeout-minutes"] <= 90, name
        assert set(job["permissions"]) <= {"contents", "id-token", "pull-requests"}, name
        assert job["permissions"]["contents"] == "read", name
        assert job["permissions"].get("pull-requests") in {None, "read", "write" if path.stem == "plan" else None}, name


def test_a_version_stands_beside_each_pin_and_one_action_has_one_pin() -> None:
    pins: dict[str, set[str]] = {}
    for path in WORKFLOWS:
        for action, pin in re.findall(r"uses: ([\w-]+/[\w./-]+)@(.*)", path.read_text()):
            assert re.fullmatch(r"[0-9a-f]{40} # v\d+\.\d+\.\d+", pin), f"{path.name}: {action}@{pin}"
            pins.setdefault(action, set()).add(pin)
    assert pins
    assert all(len(found) == 1 for found in pins.values()), pins


def test_the_account_is_reached_by_its_three_roles_alone() -> None:
    # The deploy role needs a protected environment; jobs without one get roles that change nothing.
    roles = {}
    for path in WORKFLOWS:
        workflow = yaml.safe_load(path.read_text())
        for name, job in workflow["jobs"].items():
            taken = [
                step["with"]["role-to-assume"]
                for step in job.get("steps", [])
                if "role-to-assume" in step.get("with", {})
            ]
            assert ("id-token" in job["permissions"]) == bool(taken), name
            roles |= {role.rsplit("/")[-1]: (workflow, job) for role in taken}
    assert set(roles) == {"cabstand-plan", "cabstand-release-plan", "cabstand-deploy"}
    workflow, job = roles["cabstand-plan"]
    assert list(workflow[True]) == ["pull_request"]  # YAML reads the key `on` as true
    assert "head.repo.full_name == github.repository" in job["if"]
    assert "environment" not in job
    workflow, job = roles["cabstand-release-plan"]
    assert "github.ref == 'refs/heads/main'" in job["if"]
    assert job["needs"] == "check"
    assert "environment" not in job
    workflow, job = roles["cabstand-deploy"]
    assert "pull_request" not in workflow[True]
    assert job["environment"]
    assert job["needs"] == "plan"
    assert workflow["concurrency"]["cancel-in-progress"] is False


def test_what_is_applied_is_what_was_planned_and_reviewed() -> None:
    workflow = yaml.safe_load((ROOT / ".github/workflows/deploy.yml").read_text())
    saves = next(step for step in workflow["jobs"]["plan"]["steps"] if "plan-save" in step.get("run", ""))
    assert "COMMIT=" in saves["run"], "compared with the pull request's plan"
    assert saves["id"] == "save"
    assert workflow["jobs"]["plan"]["outputs"] == {"digest": "${{ steps.save.outputs.digest }}"}
    applies = next(step for step in workflow["jobs"]["release"]["steps"] if "plan-apply" in step.get("run", ""))
    assert applies["env"] == {"DIGEST": "${{ needs.plan.outputs.digest }}"}
    assert not [step for step in steps(workflow) if "auto-approve" in step.get("run", "")]


def test_a_release_is_undone_whenever_it_does_not_end_well() -> None:
    workflow = yaml.safe_load((ROOT / ".github/workflows/deploy.yml").read_text())
    taken = [step["run"].split()[1] for step in steps(workflow) if "run" in step]
    order = [
        "lambda",
        "plan-save",
        "push-images",
        "release-begin",
        "plan-apply",
        "release-check",
        "release-undo",
        "release-prune",
    ]
    assert [step for step in taken if step in order] == order
    undo = next(step for step in steps(workflow) if "release-undo" in step.get("run", ""))
    assert undo["if"] == "failure() || cancelled()"
