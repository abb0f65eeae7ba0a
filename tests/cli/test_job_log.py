"""The JSON log line with which a job ends on AWS."""

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
def test_a_job_on_aws_logs_its_end(words: list[str], status: str) -> None:
    _, lines = run({"CABSTAND_LOG_JSON": "true", "CABSTAND_LOG_LEVEL": "ERROR"}, *words)
    line = json.loads(lines[-1])
    assert line["event"] == "job_finished"
    assert line["job"] == words[0]
    assert line["status"] == status
    assert line["wall_s"] > 0
    assert line["peak_rss_mb"] > 10


def test_elsewhere_there_is_no_such_line() -> None:
    assert run({}, "version") == (0, [])
