"""The monthly pipeline with its real steps: killed in each of them, it goes on there and publishes one model."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import fast_problem
from cabstand.io import runs
from cabstand.jobs import synth
from cabstand.settings import load
from cabstand.trips.synthetic.generator import Plan
from cabstand.workflows import definitions
from waiting import until


@pytest.mark.slow
def test_killed_in_each_step_it_publishes_one_model(tmp_path: Path) -> None:
    problem, settings = tmp_path / "fast.py", load()
    problem.write_text(Path(fast_problem.__file__).read_text())
    place = load(home=settings.home / "synthetic")
    synth.run(place, synth.Params(Plan(trips=4000, era="zones", month="2024-01")))
    words = ["--dataset", "synth", "--newest", "1", "--problem", str(problem), "--min-samples", "40", "--no-track"]
    workflow = ["workflow", "run", "monthly-pipeline", "--no-track"]
    command = [sys.executable, "-m", "cabstand", *workflow, "--", *words]

    def steps() -> dict[str, Any]:
        found = runs.listed(settings.lake_uri, "monthly-pipeline")
        return dict(found[0].manifest["steps"]) if found else {}

    names = list(definitions.find("monthly-pipeline").commands())
    for name in names:
        process = subprocess.Popen(command, env=os.environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        until(lambda name=name: steps().get(name, {}).get("status") == "running", 180)  # type: ignore[misc]
        process.send_signal(signal.SIGKILL)
        assert process.wait(60) == -signal.SIGKILL
        assert [run.state for run in runs.listed(settings.lake_uri)] == ["interrupted"]
    done = subprocess.run(command, env=os.environ, capture_output=True, text=True, check=True)
    result = json.loads(done.stdout.splitlines()[-1])
    assert {name: step["attempts"] for name, step in result["steps"].items()} == dict.fromkeys(names, 2)
    assert result["results"]["report"]["decision"] == "promoted"
    [pipeline] = runs.listed(place.lake_uri)
    assert (pipeline.state, pipeline.key) == ("done", result["results"]["ingest"]["run_key"])
    assert len(list((place.home / "artifacts").glob("*/bundles/*/manifest.json"))) == 1
