"""What CI is allowed to do."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


def steps(workflow: dict[str, Any]) -> list[dict[str, Any]]:
    return [step for job in workflow["jobs"].values() for step in job["steps"]]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_a_workflow_has_no_right_by_default_and_pins_what_it_uses(path: Path) -> None:
    workflow = yaml.safe_load(path.read_text())
    assert workflow["permissions"] == {}
    for step in steps(workflow):
        if "uses" in step:
            assert re.fullmatch(r"[\w./-]+@[0-9a-f]{40}", step["uses"]), step["uses"]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_a_step_runs_a_make_target_that_exists(path: Path) -> None:
    makefile = (ROOT / "Makefile").read_text()
    for step in steps(yaml.safe_load(path.read_text())):
        for target in re.findall(r"\bmake ([a-z][a-z-]*)", step.get("run", "")):
            assert re.search(rf"^{target}:", makefile, re.M), f"no target {target}"


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_no_expression_is_pasted_into_a_script(path: Path) -> None:
    # An expression inside `run` is text that an outsider may choose; it belongs into `env`.
    for step in steps(yaml.safe_load(path.read_text())):
        assert "${{" not in step.get("run", "")
