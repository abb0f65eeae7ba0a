"""Drift planted in synthetic trips: seen and named in two windows of 5,000 rows, and none in the undrifted twin."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from cabstand.monitoring.drift import Thresholds
from cabstand.monitoring.profiles import of_table
from cabstand.monitoring.windows import Compared, compare_rows
from cabstand.trips.eras import COORDINATES, ZONES
from cabstand.trips.synthetic.generator import Plan, Planted, generate

N = 5_000
KINDS = {"pickup_zone": "category", "dropoff_zone": "category"}
Change = Callable[[pa.Table], pa.Table]


def trips(seed: int, era: str, **drift: float) -> pa.Table:
    plan = Plan(N, seed, era, **drift)
    return pa.Table.from_batches(generate(plan, Planted(plan)))


def compared(before: pa.Table, now: pa.Table) -> Compared:
    return compare_rows(of_table(before), of_table(now), Thresholds(), KINDS)


def named(found: Compared) -> dict[str, str]:
    return {one.column: one.note for one in found.drift.columns if one.drifted}


@pytest.mark.parametrize("era", [COORDINATES, ZONES])
def test_the_undrifted_twin_is_silent(era: str) -> None:
    before = trips(0, era)
    for seed in range(1, 9):
        found = compared(before, trips(seed, era))
        assert named(found) == {}
        assert found.volume_ratio == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize(
    ("era", "drift", "columns"),
    [
        (COORDINATES, {"slowdown": 1.25}, {"speed_kmh", "duration_min"}),
        (COORDINATES, {"hotspot_shift_m": 500.0}, {"pickup_cell"}),
        (ZONES, {"hotspot_shift_m": 500.0}, {"pickup_zone"}),
    ],
)
def test_planted_drift_is_seen_and_named(era: str, drift: dict[str, float], columns: set[str]) -> None:
    for seed in (1, 2):
        assert columns <= set(named(compared(trips(0, era), trips(seed, era, **drift))))


def new_zone(table: pa.Table) -> pa.Table:
    return zones(table, lambda zone: np.where(np.arange(len(zone)) % 50 == 0, 999, zone))


def vanished(table: pa.Table) -> pa.Table:
    return zones(table, lambda zone: np.where(zone == common(zone), 1, zone))


def zones(table: pa.Table, change: Callable[[np.ndarray], np.ndarray]) -> pa.Table:
    index = table.schema.get_field_index("pickup_zone")
    return table.set_column(index, "pickup_zone", pa.array(change(table["pickup_zone"].to_numpy()), pa.int32()))


def common(zone: np.ndarray) -> int:
    found, counts = np.unique(zone, return_counts=True)
    return int(found[np.argsort(counts)[-5]])


@pytest.mark.parametrize(
    ("change", "column", "note"),
    [
        (new_zone, "pickup_zone", "new category 999"),
        (vanished, "pickup_zone", "vanished"),
        (lambda table: table.drop_columns(["fare_usd"]), "fare_usd", "missing column"),
    ],
)
def test_planted_changes_of_columns_are_named(change: Change, column: str, note: str) -> None:
    before = trips(0, ZONES)
    for seed in (1, 2):
        found = named(compared(before, change(trips(seed, ZONES))))
        assert found.keys() == {column}
        assert note in found[column]


def test_lost_volume_is_seen() -> None:
    before = trips(0, ZONES)
    for seed in (1, 2):
        kept = np.random.default_rng(seed).random(N) < 0.4
        found = compared(before, trips(seed, ZONES).filter(pa.array(kept)))
        assert named(found) == {}
        assert found.volume_ratio == pytest.approx(0.4, abs=0.03)


def test_a_window_of_a_day_is_compared_without_its_hours_and_weekdays() -> None:
    month = trips(0, ZONES)
    day = month.filter(pc.equal(pc.day(month["pickup_at"]), 3))
    names = {one.column for one in compared(month, day).drift.columns}
    assert names.isdisjoint({"pickup_at.hour", "pickup_at.weekday"})
    assert {"pickup_at.hour", "pickup_at.weekday"} <= {one.column for one in compared(month, month).drift.columns}


def test_stray_times_do_not_stretch_a_span() -> None:
    month = trips(0, ZONES)
    stray = month.slice(0, 3).set_column(0, "pickup_at", pa.array([np.datetime64("2008-12-31T23:00:00", "us")] * 3))
    found = compared(month, pa.concat_tables([month, stray]))
    assert found.volume_ratio == pytest.approx(1, abs=0.01)
