"""Replay on real months: a model that stays good for two years is left alone, and a January that differs is noticed.

The figures in docs/monitoring.md, section Replay, are printed by `pytest -s tests/jobs/test_replay_months.py`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cabstand.io import lake, zones
from cabstand.jobs import ingest, replay
from cabstand.jobs import zones as zones_job
from cabstand.jobs.replaying import parts
from cabstand.jobs.replaying.record import Record
from cabstand.modelling import catalog
from cabstand.monitoring import quality
from cabstand.monitoring import replay as replays
from cabstand.monitoring.policy import Rules
from cabstand.settings import Settings, load

pytestmark = pytest.mark.slow
MONTHS = ("2023-01", "2023-02", "2023-03", "2024-01", "2025-01", "2026-01")
ORDINARY = MONTHS[2:5]


@pytest.fixture(scope="module")
def settings(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    settings = load(home=tmp_path_factory.mktemp("home"))
    zones_job.run(settings, zones_job.Params(source=str(shared / "data" / "zones")))
    for month in MONTHS:
        source = shared / "data" / "green" / f"green_tripdata_{month}.parquet"
        ingest.run(settings, ingest.Params("green", month, source=str(source)))
    return settings


def record_of(settings: Settings, count: int) -> Record:
    files = {month: Path(lake.Month(settings.lake_uri, "green", month).trips_uri) for month in MONTHS}
    extras = {"zones": Path(zones.table_uri(settings.lake_uri))}
    return Record(catalog.find("trip-duration"), files, extras, train_months=2, holdout_months=1, count=count)


def test_a_model_is_left_alone_for_two_years_and_replaced_when_bias_and_coverage_are_lost(settings: Settings) -> None:
    record = record_of(settings, 1)
    past = replays.Past(record, len(MONTHS), 1)
    found = replays.course(past, 2, Rules())
    assert [one.action for one in found.decisions] == ["none", "none", "retrain"]
    last = found.decisions[-1]
    [retraining] = found.retrainings
    print(last.reason, retraining, sep="\n")
    assert retraining.held_out is not None  # learned from both Januaries before, judged on this one
    assert 0 < retraining.held_out.low < retraining.held_out.high < 0.2  # minutes: little
    assert last.numbers["bias_worse"] is True
    assert last.numbers["coverage_worse"] is True


def test_recommended_limits_save_more_per_retraining_than_those_in_force(settings: Settings) -> None:
    result = replay.run(settings, replay.Params(MONTHS, track=False))
    report: dict[str, Any] = json.loads(Path(result["report_uri"]).read_text())
    for row in report["windows_recommended"]:
        print({name: row[name] for name in ("window", "mae", "bias", "coverage", "estimated_mae", "model", "action")})
    print(report["retrainings_recommended"], report["default"], report["recommended"], report["late_truth"], sep="\n")
    early = [row for row in report["windows_recommended"] if row["window"] < "2026"]
    assert {row["action"] for row in early} <= {"none", "watch"}
    assert result["recommended"]["saved_per_retraining"] >= result["default"]["saved_per_retraining"]
    off = [abs(row["estimated_mae"] - row["mae"]) for row in early]
    assert np.mean(off) < 0.15  # minutes


def test_weeks_agree_with_the_rest_of_their_month_where_days_are_blocks(settings: Settings) -> None:
    record = record_of(settings, 4)
    agree: dict[str, list[list[bool]]] = {"by day": [], "by row": []}
    windows = [at for at, part in enumerate(record.parts) if part.month in ORDINARY]
    for at in windows:
        rest = [other for other in windows if other != at and record.parts[other].month == record.parts[at].month]
        for kind, found in agree.items():
            week, others = (_quality(record, chosen, timed=kind == "by day") for chosen in ([at], rest))
            found.append([_overlap(getattr(week, one), getattr(others, one)) for one in ("mae", "bias", "coverage")])
    shares = {kind: np.mean(found, axis=0) for kind, found in agree.items()}
    print(shares)
    assert (shares["by day"] > shares["by row"]).all()


def _quality(record: Record, chosen: list[int], *, timed: bool) -> quality.Quality:
    rows = record.rows(chosen)
    answers = record.answers(3 * parts.WEEKS - 1, rows)
    return quality.assess(answers.predicted, rows.target, answers.low, answers.high, rows.time if timed else None)


def _overlap(one: quality.Estimate, other: quality.Estimate) -> bool:
    """Whether two figures differ by no more than both their intervals explain."""
    return abs(one.value - other.value) <= np.hypot(one.high - one.low, other.high - other.low) / 2
