"""The line that the alarms are made of."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest


def run(environment: dict[str, str], *words: str) -> tuple[int, list[str]]:
    import os

    done = subprocess.run(
        [sys.executable, "-m", "cabstand", *words],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stderr.splitlines()


@pytest.mark.parametrize(("words", "status"), [(["version"], "succeeded"), (["no-such-job"], "failed")])
def test_a_job_on_aws_tells_how_it_ended(words: list[str], status: str) -> None:
    _, lines = run({"CABSTAND_LOG_JSON": "true", "CABSTAND_LOG_LEVEL": "ERROR"}, *words)
    told = json.loads(lines[-1])
    assert told["event"] == "job_finished"
    assert told["job"] == words[0]
    assert told["status"] == status
    assert told["wall_s"] > 0
    assert told["peak_rss_mb"] > 10


def test_nobody_else_sees_it() -> None:
    assert run({}, "version") == (0, [])
