"""What the GitHub workflows may do in the account, and in which order; workflow_rules.py holds the general rules."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[1]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
# Jobs with a token of GitHub's that have a test of their own.
OTHERS = {"release.publish", "images.push", "images.sign", "batch.run"}


def steps(workflow: dict[str, Any]) -> list[dict[str, Any]]:
    return [step for job in workflow["jobs"].values() for step in job.get("steps", [])]


def read(name: str) -> dict[str, Any]:
    workflow: dict[str, Any] = yaml.safe_load((ROOT / f".github/workflows/{name}.yml").read_text())
    return workflow


def roles_of(job: dict[str, Any]) -> list[str]:
    given = [step["with"] for step in job["steps"] if "role-to-assume" in step.get("with", {})]
    return [one["role-to-assume"].rpartition("/")[2] for one in given]


def test_images_are_pushed_from_main_alone() -> None:
    workflow = read("images")
    assert workflow[True]["push"] == {"branches": ["main"]}  # YAML reads the key `on` as true
    jobs = workflow["jobs"]
    assert jobs["push"]["if"] == "github.event_name == 'push'"
    assert jobs["sign"]["needs"] == "push"
    assert [roles_of(jobs[name]) for name in ("push", "sign")] == [["cabstand-images"]] * 2
    ran = [step["run"].split()[1] for step in jobs["push"]["steps"] if "run" in step]
    assert ran == ["setup", "images", "check-images", "publish-images"], "checked before they are pushed"


def test_a_person_starts_a_task_and_the_environment_approves_it() -> None:
    workflow = read("batch")
    assert list(workflow[True]) == ["workflow_dispatch"]
    job = workflow["jobs"]["run"]
    assert job["environment"] == "${{ inputs.environment }}"
    assert "github.ref == 'refs/heads/main'" in job["if"]
    assert roles_of(job) == ["cabstand-run"]


def test_only_the_upload_can_publish() -> None:
    workflow = read("release")
    assert workflow[True] == {"push": {"tags": ["v*"]}}
    job = workflow["jobs"]["publish"]
    assert job["environment"] == "pypi"
    assert job["needs"] == ["check", "build"]
    assert roles_of(job) == []
    assert [step["run"] for step in job["steps"] if "run" in step] == ["make publish"]


def test_the_account_is_reached_by_its_three_roles_alone() -> None:
    # The deploy role needs a protected environment; jobs without one get roles that change nothing.
    roles = {}
    for path in WORKFLOWS:
        workflow = yaml.safe_load(path.read_text())
        for name, job in workflow["jobs"].items():
            if f"{path.stem}.{name}" in OTHERS:
                continue
            taken = [
                step["with"]["role-to-assume"]
                for step in job.get("steps", [])
                if "role-to-assume" in step.get("with", {})
            ]
            assert ("id-token" in job["permissions"]) == bool(taken), name
            roles |= {role.rsplit("/")[-1]: (workflow, job) for role in taken if path.stem != "rollback"}
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
    order = ["lambda", "plan-save", "push-images", "plan-apply", "release", "release-abort"]
    assert [step for step in taken if step in order] == order
    abort = next(step for step in steps(workflow) if "release-abort" in step.get("run", ""))
    assert abort["if"] == "failure() || cancelled()"


def test_a_rollback_waits_for_a_release_and_takes_its_role() -> None:
    release, rollback = (
        yaml.safe_load((ROOT / f".github/workflows/{name}.yml").read_text()) for name in ("deploy", "rollback")
    )
    assert list(rollback[True]) == ["workflow_dispatch"]
    assert rollback["concurrency"]["group"] == release["concurrency"]["group"].replace(" || 'dev'", "")
    job = rollback["jobs"]["rollback"]
    assert job["environment"] == "${{ inputs.environment }}", "its protection asks for an approval, as for a release"
    [role] = [step["with"]["role-to-assume"] for step in steps(rollback) if "role-to-assume" in step.get("with", {})]
    assert role.endswith(":role/cabstand-deploy")
