"""Real green trips: false alarms where nothing changed, and what later Januaries differ in; `-s` prints both."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cabstand.jobs import ingest
from cabstand.jobs.monitoring.windowing import KINDS
from cabstand.monitoring.drift import Thresholds
from cabstand.monitoring.profiles import of_table
from cabstand.monitoring.windows import Compared, compare_rows
from cabstand.settings import load

JANUARIES = ("2021-01", "2022-01", "2023-01", "2024-01", "2025-01", "2026-01")
N, WINDOWS = 5_000, 200

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def januaries(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, pa.Table]:
    settings, found = load(home=tmp_path_factory.mktemp("home")), {}
    for month in JANUARIES:
        source = shared / "data" / "green" / f"green_tripdata_{month}.parquet"
        made = ingest.run(settings, ingest.Params("green", month, source=str(source)))
        found[month] = pq.read_table(made["trips_uri"])
    return found


def compared(before: pa.Table, now: pa.Table) -> Compared:
    return compare_rows(of_table(before), of_table(now), Thresholds(), KINDS)


def test_a_month_resampled_gives_no_alarm(januaries: dict[str, pa.Table]) -> None:
    month, rng = januaries["2021-01"], np.random.default_rng(0)
    windows = [compared(*(month.take(rng.integers(0, len(month), N)) for _ in range(2))) for _ in range(WINDOWS)]
    columns = zip(*(window.drift.columns for window in windows), strict=True)
    print("\ncolumn, method, median and largest distance, threshold")
    for same in columns:
        distances = [one.distance or 0.0 for one in same]
        least = min(one.threshold for one in same)
        print(f"{same[0].column}, {same[0].method}, {np.median(distances):.3f}, {max(distances):.3f}, {least:.3f}")
    n_columns = sum(any(one.drifted for one in window.drift.columns) for window in windows)
    n_alarms = sum(window.drift.drifted for window in windows)
    print(f"{n_alarms} alarms in {WINDOWS} windows, {n_columns} windows with a drifted column")
    assert n_alarms <= 0.02 * WINDOWS
    assert n_columns <= 0.02 * WINDOWS


def test_later_januaries_drift_and_it_is_said_in_what(januaries: dict[str, pa.Table]) -> None:
    print()
    for month in JANUARIES[1:]:
        found = compared(januaries["2021-01"], januaries[month])
        drifted = [one for one in found.drift.columns if one.drifted]
        print(f"{month}: {found.drift.share:.0%} of columns, {found.volume_ratio:.2f} times the rows a day")
        for one in found.drift.columns:
            print(f"  {one.column} {one.method} {one.distance:.3f} {'drifted' if one.drifted else ''} {one.note}")
        assert {"pickup_zone", "distance_km", "duration_min"} <= {one.column for one in drifted}
        assert "pickup_at.weekday" not in {one.column for one in drifted}
        assert found.drift.drifted
