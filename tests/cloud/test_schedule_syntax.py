"""Terraform's check of schedule expressions accepts and refuses what the local clock does."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from schedule_expressions import ACCEPTED, REFUSED, UNKNOWN_ZONES

INFRA = Path(__file__).resolve().parents[2] / "infra"

pytestmark = pytest.mark.cloud


def evaluate(folder: Path, expression: str) -> list[bool]:
    """Return the value of a Terraform expression beside infra/schedule_syntax.tf."""
    for name in ("schedule_syntax.tf", "time_zones.txt"):
        shutil.copy(INFRA / name, folder)
    line = f"jsonencode({expression})\n"
    run = subprocess.run(["terraform", "console"], cwd=folder, input=line, capture_output=True, text=True, check=True)
    found: list[bool] = json.loads(json.loads(run.stdout))
    return found


def test_expressions(terraform_there: None, tmp_path: Path) -> None:
    given = [*ACCEPTED, *REFUSED]
    found = evaluate(tmp_path, f"[for one in {json.dumps(given)} : can(regex(local.schedule_pattern, one))]")
    assert [one for one, right in zip(given, found, strict=True) if right] == ACCEPTED


def test_time_zones(terraform_there: None, tmp_path: Path) -> None:
    given = ["America/New_York", "UTC", *UNKNOWN_ZONES]
    found = evaluate(tmp_path, f"[for one in {json.dumps(given)} : contains(local.time_zones, one)]")
    assert found == [True, True] + [False] * len(UNKNOWN_ZONES)
