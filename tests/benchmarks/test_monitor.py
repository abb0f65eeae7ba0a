"""`make bench-monitor`: halves of a month of 3.33 million rides, our measures against Evidently's; then twelve months.

Each runs in a process of its own, so that CPU time and peak memory are its own too, imports included.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cabstand.monitoring import distances, evidently_numbers
from cabstand.monitoring.derived import derive
from cabstand.monitoring.numeric import Numbers
from cabstand.monitoring.profiles import of_table
from cabstand.trips.eras import COORDINATES
from cabstand.trips.synthetic.generator import Plan, Planted, generate

ROWS = 3_330_000
COLUMNS = ("distance_km", "fare_usd", "total_usd", "passengers", "duration_min", "pickup_lat", "pickup_lon")
SIDES = Path(__file__).with_name("monitor_sides.py")
Files = tuple[Path, Path]


class Used(NamedTuple):
    """What a side told, and what its process took."""

    told: dict[str, float]
    cpu_s: float
    peak_mb: float


@pytest.fixture(scope="module")
def halves(tmp_path_factory: pytest.TempPathFactory) -> Files:
    """The first and the second half of a synthetic month, as float64 columns."""
    folder = tmp_path_factory.mktemp("halves")
    rows, half = month(), ROWS // 2
    for name, first in (("first", 0), ("second", half)):
        pq.write_table(rows.slice(first, half), folder / f"{name}.parquet")
    return folder / "first.parquet", folder / "second.parquet"


def month() -> pa.Table:
    plan = Plan(ROWS, 0, COORDINATES, month="2023-03")

    def parts() -> Iterator[pa.RecordBatch]:
        for batch in generate(plan, Planted(plan)):
            (derived,) = derive(of_table(pa.Table.from_batches([batch])))
            yield pa.record_batch({name: derived.column(name).cast(pa.float64()) for name in COLUMNS})

    return pa.Table.from_batches(parts()).combine_chunks()


def used(side: str, files: Files, months: int = 1) -> Used:
    words = [sys.executable, str(SIDES), side, *map(str, files), str(months)]
    return Used(**json.loads(subprocess.run(words, stdout=subprocess.PIPE, check=True).stdout))


def numbers(path: Path, column: str) -> Numbers:
    found = Numbers()
    for chunk in pq.read_table(path, columns=[column])[column].chunks:
        found.add(chunk)
    return found


@pytest.mark.bench
def test_a_full_month_takes_a_tenth_of_evidentlys_time(halves: Files) -> None:
    theirs, ours = used("evidently", halves), used("ours", halves)
    for name, side in (("Evidently", theirs), ("ours", ours)):
        print(f"\n{name}: {side.cpu_s:.2f} s CPU, {side.peak_mb:.0f} MB peak", end="")
    print(f"\nours / Evidently: CPU {ours.cpu_s / theirs.cpu_s:.3f}, memory {ours.peak_mb / theirs.peak_mb:.3f}")
    for column in COLUMNS:
        both = [numbers(path, column) for path in halves]
        low, high = distances.usual_range(both[0])
        inside = all(low <= one.values[0] and one.values[-1] <= high for one in both)
        definition = ours.told[column] if inside else evidently_numbers.wasserstein(*both)
        print(f"{column}: Evidently {theirs.told[column]:.9f}, ours {ours.told[column]:.9f}, nothing clipped: {inside}")
        assert definition == pytest.approx(theirs.told[column], rel=1e-9)
    assert ours.cpu_s <= theirs.cpu_s / 10
    assert ours.peak_mb <= theirs.peak_mb / 3


@pytest.mark.bench
def test_twelve_months_take_bounded_memory_and_linear_time(halves: Files) -> None:
    print()
    taken = {}
    for months in (3, 6, 12):
        taken[months] = side = used("ours", halves, months)
        print(f"{months} months, {months * ROWS:,} rows: {side.cpu_s:.1f} s CPU, {side.peak_mb:.0f} MB peak")
    assert max(side.peak_mb for side in taken.values()) < 600
    assert taken[12].cpu_s - taken[6].cpu_s <= 1.25 * 2 * (taken[6].cpu_s - taken[3].cpu_s)
