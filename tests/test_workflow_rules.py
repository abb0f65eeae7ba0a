"""The GitHub workflows keep the rules of workflow_rules.py, and each rule notices what it is there for."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from workflow_rules import faults

ROOT = Path(__file__).resolve().parents[1]
TEXTS = {path.stem: path.read_text() for path in sorted((ROOT / ".github/workflows").glob("*.yml"))}
MAKEFILE = (ROOT / "Makefile").read_text()
TABLE = tomllib.loads((ROOT / "tests/workflow_permissions.toml").read_text())
PERMISSIONS = {f"{name}.{job}": may for name, jobs in TABLE.items() for job, may in jobs.items()}
MUTANTS = tomllib.loads((ROOT / "tests/workflow_mutants.toml").read_text())


def test_the_workflows_have_no_fault() -> None:
    assert faults(TEXTS, MAKEFILE, PERMISSIONS) == []


@pytest.mark.parametrize("mutant", MUTANTS.values(), ids=list(MUTANTS))
def test_a_fault_is_noticed(mutant: dict[str, str]) -> None:
    name = mutant["in"]
    text, n_changed = re.subn(mutant["old"], mutant["new"].lstrip("\n"), TEXTS[name], count=1)
    assert n_changed
    found = faults(TEXTS | {name: text}, MAKEFILE, PERMISSIONS)
    assert [fault for fault in found if fault.startswith(mutant["says"])], found
