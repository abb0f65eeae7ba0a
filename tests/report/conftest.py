"""A lake in which everything has been done once, on a small scale, and the report of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cabstand.jobs import cluster, compare, report, sweep, synth
from cabstand.settings import Settings
from cabstand.trips.synthetic.generator import Plan


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
