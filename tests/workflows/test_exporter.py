"""The exporter of runs says what CloudWatch would of the same jobs, and answers as Prometheus asks."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cabstand.local.metrics import filters, queries
from cabstand.observability import catalogue
from cabstand.workflows import definitions
from cabstand.workflows.exporter import Look
from journals import write_run
from serving import get

NAMES = [*definitions.load(), "pipeline"]
JOBS = st.lists(
    st.tuples(
        st.sampled_from(NAMES), st.sampled_from(["done", "failed", "interrupted", "nothing to do"]),
        st.integers(1, 2_000), st.integers(50, 20_000), st.booleans(),
    ),
    max_size=12,
)  # fmt: skip


def values(text: str) -> dict[str, float]:
    """Return the value of each series."""
    return {name: float(value) for name, value in re.findall(r"^(cabstand_\S+) (\S+)$", text, re.M)}


def on_cloudwatch(jobs: list[tuple[str, str, int, int, bool]]) -> dict[str, dict[str, float]]:
    """Return the statistics of a day that CloudWatch makes of the lines with which these jobs end."""
    data, now = [], datetime.now(UTC)
    for name, status, seconds, memory, is_old in jobs:
        task = definitions.load()[name].task if name != "pipeline" else name
        failed = status in {"failed", "interrupted"}
        ending = {"event": "job_finished", "status": "failed" if failed else "succeeded", "wall_s": seconds}
        line = json.dumps(ending | {"peak_rss_mb": memory})
        for measure, how in catalogue()["measures"].items():
            metric = f"{catalogue()['kinds'][task]}{measure}"
            transformed = {"metricNamespace": "n", "metricName": metric, "metricValue": how["value"]}
            one = {"filterPattern": how["pattern"], "metricTransformations": [transformed]}
            at = now - timedelta(hours=25 if is_old else 1)
            for namespace, datum in filters.datums(one, line):
                value = datum["Value"]
                key = queries.key(namespace, metric, [])
                data.append(queries.Datum(key, at, value, value, value, 1, "None"))
    wanted = {"Runs": "Sum", "Failures": "Sum", "WallSeconds": "p95", "PeakMemoryMiB": "Maximum"}
    asked = [
        {"Id": f"{kind.lower()}{name}", "MetricStat": {
            "Metric": {"Namespace": "n", "MetricName": f"{kind}{name}"}, "Period": 86_400, "Stat": stat}}
        for kind in ("Workflow", "Experiment") for name, stat in wanted.items()
    ]  # fmt: skip
    found = queries.results(asked, data, now - timedelta(days=1), now)
    return {
        kind: {name: next(iter(found[f"{kind}{name}"].values()), 0.0) for name in wanted}
        for kind in ("workflow", "experiment")
    }


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(JOBS)
def test_it_agrees_with_cloudwatch(tmp_path_factory: pytest.TempPathFactory, jobs: Any) -> None:
    lake = tmp_path_factory.mktemp("lake")
    for number, (name, status, seconds, memory, is_old) in enumerate(jobs):
        ended = time.time() - (25 if is_old else 1) * 3600
        write_run(lake, name, number, ended=ended, seconds=seconds, status=status, peak_rss_mb=memory)
    told = values(Look(str(lake), 0).text())
    for kind, expected in on_cloudwatch(jobs).items():
        succeeded, failed = (told[f'cabstand_runs{{kind="{kind}",state="{one}"}}'] for one in ("succeeded", "failed"))
        assert (succeeded + failed, failed) == (expected["Runs"], expected["Failures"])
        assert told[f'cabstand_run_p95_seconds{{kind="{kind}"}}'] == pytest.approx(expected["WallSeconds"], abs=0.01)
        peak = told[f'cabstand_run_peak_memory_bytes{{kind="{kind}"}}']
        assert peak == expected["PeakMemoryMiB"] * 2**20


def test_a_pipeline_inside_a_workflow_is_no_job_of_its_own(tmp_path: Path) -> None:
    now = time.time()
    write_run(tmp_path, "monthly-pipeline", ended=now, seconds=60, command="pipeline")
    write_run(tmp_path, "pipeline", 1, ended=now - 1, seconds=50)
    write_run(tmp_path, "pipeline", 2, ended=now - 3600, seconds=50)
    assert values(Look(str(tmp_path), 0).text())['cabstand_runs{kind="workflow",state="succeeded"}'] == 2


def test_a_run_that_goes_on_is_not_counted_yet(tmp_path: Path) -> None:
    manifest = write_run(tmp_path, "daily-comparison", status="running", ended=time.time())
    step = manifest["steps"]["only"]
    del step["ended"]
    from cabstand.io import run_owner

    manifest["owner"] = run_owner.tags()
    (tmp_path / "runs" / manifest["run_key"] / "manifest.json").write_text(json.dumps(manifest))
    told = values(Look(str(tmp_path), 0).text())
    assert {told[name] for name in told if name.startswith("cabstand_runs{")} == {0.0}


def test_it_exports_what_the_catalogue_declares_and_nothing_else(tmp_path: Path) -> None:
    write_run(tmp_path, "daily-monitor")
    text = Look(str(tmp_path), 0).text()
    declared = catalogue()["metrics"]["exporter"]
    assert dict(re.findall(r"^# TYPE (\S+) (\S+)$", text, re.M)) == {n: one["type"] for n, one in declared.items()}
    assert {name.partition("{")[0] for name in values(text)} == set(declared)


def test_the_lake_is_read_no_more_often_than_asked(tmp_path: Path) -> None:
    look = Look(str(tmp_path), 3600)
    before = look.text()
    write_run(tmp_path, "daily-monitor")
    assert 'workflow="daily-monitor"' not in before + look.text()


def test_the_command_answers_until_it_is_ended(tmp_path: Path) -> None:
    env = os.environ | {"CABSTAND_HOME": str(tmp_path)}
    command = [sys.executable, "-m", "cabstand", "runs", "exporter", "--port", "0"]
    with subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        line = next(line for line in process.stderr if "http://" in line)
        url = re.findall(r"http://\S+/metrics", line)[0]
        assert values(get(url)[1].decode())["cabstand_cpus"] == os.cpu_count()
        assert get(url.removesuffix("metrics"))[0] == 404
        process.send_signal(signal.SIGTERM)
        out, _ = process.communicate(timeout=30)
    assert process.returncode == 0
    assert json.loads(out.splitlines()[-1]) == {"scrapes": 1}


def test_a_taken_port_is_one_line(tmp_path: Path) -> None:
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        command = [sys.executable, "-m", "cabstand", "runs", "exporter", "--port", str(taken.getsockname()[1])]
        done = subprocess.run(
            command, env=os.environ | {"CABSTAND_HOME": str(tmp_path)}, capture_output=True, text=True, check=False
        )
    assert done.returncode == 1
    assert "cannot listen" in done.stderr.splitlines()[-1]
