"""The JSON log line with which a job ends on AWS."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest


def run(environment: dict[str, str], *words: str) -> tuple[int, list[str]]:
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


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_job_that_is_terminated_says_so_and_publishes_nothing(tmp_path: Path, number: signal.Signals) -> None:
    """ECS sends SIGTERM two minutes before it takes a Spot task away."""
    environment = {"CABSTAND_LOG_JSON": "true", "CABSTAND_HOME": str(tmp_path / "home")}
    words = [sys.executable, "-m", "cabstand", "synth", "--trips", "40000000"]
    with subprocess.Popen(words, env=os.environ | environment, stderr=subprocess.PIPE, text=True) as job:
        assert job.stderr is not None
        first = job.stderr.readline()  # a sign of life
        job.send_signal(number)
        lines = [first, *job.stderr.read().splitlines()]
    assert job.returncode == 128 + number
    assert lines[-2] == f"error: stopped by {number.name}; no partial results were left behind"
    line = json.loads(lines[-1])
    assert (line["event"], line["status"], line["exit_code"]) == ("job_finished", "failed", 128 + number)
    assert line["reason"] == lines[-2].removeprefix("error: ")
    assert not [path for path in tmp_path.rglob("*.parquet") if "trips" in path.parts]
