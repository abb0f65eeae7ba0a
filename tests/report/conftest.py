"""A lake in which everything has been done once, on a small scale, the report of it, and the site."""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from cabstand.io import ledger
from cabstand.jobs import cluster, compare, report, site, sweep, synth
from cabstand.monitoring.decisions import Rules
from cabstand.monitoring.findings import Estimate, Quality
from cabstand.report.site import pages
from cabstand.report.site.results import Results
from cabstand.settings import Settings
from cabstand.trips.synthetic.generator import Plan
from monitor_examples import WINDOW
from page_examples import EVIDENCE, RUN

ROOT = Path(__file__).resolve().parents[2]
ERRORS = (3.2, 3.9, 3.96)  # minutes, month by month: the last asks for retraining


@pytest.fixture(scope="session")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    settings = Settings(home=tmp_path_factory.mktemp("home"))
    trips = synth.run(settings, synth.Params(Plan(trips=4000, seed=3, era="coordinates", bad_share=0.02)))["trips_uri"]
    cluster.run(settings, cluster.Params(trips, eps_m=80, min_samples=15, track=False))
    compare.run(
        settings,
        compare.Params(trips, engines=["sequential", "sklearn"], sizes=[800], repeats=2, eps_m=80, track=False),
    )
    sweep.run(settings, sweep.Params(trips, eps_m=[50, 100], min_samples=[10, 20], sample=300, track=False))
    return settings


@pytest.fixture(scope="session")
def made(settings: Settings) -> dict[str, Any]:
    return report.run(settings, report.Params())


@pytest.fixture(scope="session")
def page(made: dict[str, Any]) -> str:
    return Path(made["report_uri"]).read_text(encoding="utf-8")


@pytest.fixture(scope="session")
def axe(tmp_path_factory: pytest.TempPathFactory) -> str:
    if not shutil.which("npm"):
        pytest.skip("no npm on this machine (Node 18 or newer)")
    folder = tmp_path_factory.mktemp("axe")
    for name in ("package.json", "package-lock.json"):
        shutil.copy(ROOT / "scripts" / "pages" / name, folder)
    subprocess.run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--silent"], cwd=folder, check=True)
    return (folder / "node_modules" / "axe-core" / "axe.min.js").read_text()


@pytest.fixture(scope="session")
def whole(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Results:
    """Everything that a site can show, on a small scale."""
    lake = str(tmp_path_factory.mktemp("ledger"))
    for number, mae in enumerate(ERRORS):
        start = datetime(2025, 10 + number, 1, tzinfo=UTC)
        quality = Quality(50_000, *(Estimate(one, one - 0.05, one + 0.05) for one in (mae, 2.85 - mae, 0.89)))
        window = replace(WINDOW, start=start, end=start + timedelta(days=30), quality=quality)
        decided, _ = ledger.decide(lake, window, Rules(min_rows=1000, breaches=2), start + timedelta(days=31))
    ledger.add_outcome(lake, WINDOW.problem, decided.key, "retraining", {"decision": "refused", "reason": "no <b>gain"})
    folder = Path(lake) / "runs" / RUN["run_key"]
    folder.mkdir(parents=True)
    (folder / "manifest.json").write_text(json.dumps(RUN))
    found = site.gather(settings, site.Params(plan=ROOT / "tests/costs/example/plan.json"))
    other = site.gather(Settings(home=Path(lake), lake=lake), site.Params())
    tracked = [{"id": "0123456789ab", "name": "train", "status": "finished", "started": "2026-01-02T03:04:05+00:00",
                "ended": None, "metrics": {"mae": 3.25, "n": 12}}]  # fmt: skip
    version = {
        "version": "m-0123456789ab",
        "role": "champion",
        "metrics": {"mae": 3.25, "rmse": 5.0},
        "synthetic": True,
    }
    problem = {
        "versions": [version, {"version": "m-fedcba987654", "role": "", "fault": "its bundle is damaged"}],
        "champion": "m-0123456789ab", "challenger": None, "share": 0.0, "previous": "m-fedcba987654", "sequence": 2,
        "decisions": [{"decision": "promoted", "version": "m-0123456789ab", "reason": "gain of 8 %"}],
    }  # fmt: skip
    return replace(
        found, monitoring=other.monitoring, runs=other.runs, tracked=tracked, evidence=EVIDENCE,
        problems={"trip-duration": problem},
    )  # fmt: skip


@pytest.fixture(scope="session")
def rendered(whole: Results, settings: Settings) -> dict[str, str]:
    assert whole.content is not None
    march = replace(whole.content, clustering={**whole.content.clustering, "source": _in_march(whole)}, others=())
    shown = replace(whole, content=replace(whole.content, others=[march]))
    return pages.render(shown, made_at="2026-01-02", version="0")


def _in_march(whole: Results) -> dict[str, Any]:
    assert whole.content is not None
    days = {"first_at": "2024-03-01T00:00:00", "last_at": "2024-03-31T23:59:00"}
    return {**whole.content.clustering["source"], **days}
