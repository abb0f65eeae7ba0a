"""promtool's tests of the rules: each alarm is quiet, rings, goes on over a failed scrape, and falls silent again.

promtool takes a file that is not there for one without rules, and says nothing about an alarm that does not exist, so
both are compared here.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

from cabstand.observability import catalogue

pytestmark = pytest.mark.prometheus
ROOT = Path(__file__).resolve().parents[2]
RULES = ROOT / "observability/rules.yml"
# In minutes. One before the alarm is due and one while it rings is a failed scrape, which promtool calls `stale`.
FAILED_EARLY, BEGIN, FAILED, END, LAST = 5, 10, 40, 50, 75
QUIET_AT, RINGING_AT = (4, FAILED_EARLY, FAILED_EARLY + 1, LAST), (FAILED - 1, FAILED, FAILED + 1)
DAYS = 86_400


class Values(NamedTuple):
    """A series' value while the alarm is quiet and while it rings, or its growth a minute if it counts."""

    quiet: float
    ringing: float
    counts: bool = False

    def at(self) -> Iterator[float]:
        """Yield the value of each minute."""
        total = 0.0
        for minute in range(LAST + 1):
            value = self.ringing if BEGIN <= minute < END else self.quiet
            total += value
            yield total if self.counts else value


def growth(quiet: float, ringing: float) -> Values:
    return Values(quiet, ringing, counts=True)


RUNS, SECONDS = "cabstand_runs", "cabstand_request_seconds_bucket"
SUCCESS = "cabstand_run_last_success_timestamp_seconds"  # in promtool, time begins at 0
CASES: dict[str, dict[str, Values]] = {
    "WorkflowFailures": {
        f'{RUNS}{{kind="workflow",state="failed"}}': Values(1, 2),
        f'{RUNS}{{kind="workflow",state="succeeded"}}': Values(9, 9),
    },
    "WorkflowSlow": {'cabstand_run_p95_seconds{kind="workflow"}': Values(300, 301)},
    "ExperimentFailures": {
        f'{RUNS}{{kind="experiment",state="failed"}}': Values(1, 2),
        f'{RUNS}{{kind="experiment",state="succeeded"}}': Values(19, 19),
    },
    "ExperimentSlow": {'cabstand_run_p95_seconds{kind="experiment"}': Values(600, 601)},
    "JobMemory": {'cabstand_run_peak_memory_bytes{kind="workflow"}': Values(8 * 2**30, 8 * 2**30 + 1)},
    "ServerCpu": {  # of two CPUs
        'cabstand_cpu_busy_seconds_total{instance="a"}': growth(1.59 * 60, 1.61 * 60),
        'cabstand_cpus{instance="a"}': Values(2, 2),
    },
    "ExporterSilent": {'up{job="cabstand-runs"}': Values(1, 0)},
    "MonitorSilent": {f'{SUCCESS}{{workflow="daily-monitor"}}': Values(LAST * 60 - 2 * DAYS + 1, -2 * DAYS)},
    "ApiErrors": {'cabstand_request_errors_total{class="5xx",route="a"}': growth(0.8, 1)},
    "ApiSlow": {
        f'{SECONDS}{{le="0.5"}}': growth(0, 0),
        f'{SECONDS}{{le="1.0"}}': growth(100, 98),
        f'{SECONDS}{{le="2.5"}}': growth(100, 100),
        f'{SECONDS}{{le="+Inf"}}': growth(100, 100),
    },
    "BundleRefused": {'cabstand_bundle_fallback{problem="a"}': Values(0, 1)},
    "BundlesUnread": {"cabstand_store_unread_total": growth(0, 1)},
    "PredictionsDropped": {"cabstand_log_dropped": growth(0, 1)},
}  # fmt: skip


def written(name: str, values: Values) -> dict[str, str]:
    """Return a series as promtool reads it; a failed scrape has a value of its own in `up`."""
    points = [format(value, "f") for value in values.at()]
    for minute in (FAILED_EARLY, FAILED):
        points[minute] = "0" if name.startswith("up{") else "stale"
    return {"series": name, "values": " ".join(points)}


def document(alarm: str, series: dict[str, Values]) -> dict[str, Any]:
    """Return promtool's test of one alarm; no other may ring."""
    every = {'up{job="cabstand-service"}': Values(1, 1), **series}
    return {
        "rule_files": [str(RULES)],
        "tests": [{
            "name": alarm,
            "interval": "1m",
            "input_series": [written(name, values) for name, values in every.items()],
            "promql_expr_test": [
                {
                    "expr": 'sum by (alertname) (ALERTS{alertstate="firing"})',
                    "eval_time": f"{minute}m",
                    "exp_samples": [{"labels": f'{{alertname="{alarm}"}}', "value": 1}] if minute in RINGING_AT else [],
                }
                for minute in (*QUIET_AT, *RINGING_AT)
            ],
        }],
    }  # fmt: skip


def run_tests(promtool: str, folder: Path, content: dict[str, Any]) -> subprocess.CompletedProcess[str]:
    file = folder / "test.yml"
    file.write_text(yaml.safe_dump(content))
    return subprocess.run([promtool, "test", "rules", file], capture_output=True, text=True, check=False)


def rules() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = yaml.safe_load(RULES.read_text())["groups"][0]["rules"]
    return found


def test_promtool_finds_nothing_wrong(promtool: str) -> None:
    done = subprocess.run([promtool, "check", "rules", RULES], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    n_declared = sum("prometheus" in alarm for alarm in catalogue()["alarms"].values())
    assert f"SUCCESS: {n_declared} rules found" in done.stdout


def test_the_example_configuration_is_valid(promtool: str, tmp_path: Path) -> None:
    for name in ("prometheus.yml", "rules.yml"):
        (tmp_path / name).write_text((RULES.parent / name).read_text())
    (tmp_path / "metrics.key").touch()
    command = [promtool, "check", "config", tmp_path / "prometheus.yml"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "1 rule files found" in done.stdout


def test_every_rule_has_a_case_and_every_case_a_rule() -> None:
    assert RULES.is_file()
    assert sorted(rule["alert"] for rule in rules()) == sorted(CASES)


@pytest.mark.parametrize("alarm", CASES)
def test_it_rings_and_falls_silent_and_a_failed_scrape_does_not_matter(
    promtool: str, tmp_path: Path, alarm: str
) -> None:
    done = run_tests(promtool, tmp_path, document(alarm, CASES[alarm]))
    assert done.returncode == 0, done.stdout + done.stderr


def test_targets_that_are_gone_ring_as_well(promtool: str, tmp_path: Path) -> None:
    content = document("ExporterSilent", {})
    content["tests"][0]["input_series"] = [{"series": 'up{job="other"}', "values": "1x75"}]
    content["tests"][0]["promql_expr_test"] = [
        one for one in content["tests"][0]["promql_expr_test"] if one["exp_samples"]
    ]
    done = run_tests(promtool, tmp_path, content)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_fault_in_a_rule_is_noticed(promtool: str, tmp_path: Path) -> None:
    """A threshold that is off by one fails the case: the cases are no tautology."""
    content = document("WorkflowSlow", CASES["WorkflowSlow"])
    changed = tmp_path / "rules.yml"
    changed.write_text(RULES.read_text().replace(" > 300", " > 301"))
    done = run_tests(promtool, tmp_path, content | {"rule_files": [str(changed)]})
    assert done.returncode != 0
