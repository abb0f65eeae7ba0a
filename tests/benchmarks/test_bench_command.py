"""A benchmark refuses what it cannot measure, in one line and before it begins."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nonsense"], "no such suite: nonsense"),
        (["--rounds", "0"], "--rounds must be at least 1, not 0"),
        (["--limit", "99999"], "--limit must be at least 100000, not 99999"),
    ],
)
@pytest.mark.parametrize("script", ["bench_dbscan.py", "bench_jobs.py"])
def test_what_cannot_be_measured_is_refused(script: str, words: list[str], said: str) -> None:
    command = [sys.executable, HERE / script, *words]
    asked = subprocess.run(command, check=False, capture_output=True, text=True, timeout=120)
    assert asked.returncode == 2
    assert asked.stderr.splitlines()[-1] == f"{script}: error: {said}"
