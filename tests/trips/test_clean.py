from __future__ import annotations

import datetime as dt
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cabstand.errors import DataError
from cabstand.trips import eras
from cabstand.trips.clean import REASONS, Contract, classify, names_of
from cabstand.trips.quarantine import write_month
from cabstand.trips.readers import Batch
from cabstand.trips.schema import QUARANTINE, TRIPS


def at(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text)


NEEDED = eras.needed_columns("yellow", "coordinates")
GOOD = {
    "pickup_at": at("2024-01-10T12:00:00"),
    "dropoff_at": at("2024-01-10T12:10:00"),
    "pickup_lat": 40.75,
    "pickup_lon": -73.99,
    "dropoff_lat": 40.76,
    "dropoff_lon": -73.97,
    "distance_km": 3.0,
}


def batch_of(*rows: dict) -> pa.RecordBatch:
    filled = [dict.fromkeys(TRIPS.names) | GOOD | row | {"row": index} for index, row in enumerate(rows)]
    return pa.RecordBatch.from_arrays([pa.array([r[f.name] for r in filled], f.type) for f in TRIPS], schema=TRIPS)


def reason_of(needed: tuple[str, ...] = NEEDED, **changed: object) -> str:
    code = classify(batch_of(changed), np.zeros(1, bool), Contract(needed, "2024-01", refuse_duplicates=True))
    return names_of(code)[0].as_py() if code[0] else ""


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({}, ""),
        ({"pickup_at": None}, "time_missing"),
        ({"dropoff_at": None}, "time_missing"),
        ({"pickup_at": at("2008-12-31T23:59:59")}, "stray_date"),
        ({"pickup_at": at("2024-02-01T00:00:00")}, "stray_date"),
        ({"pickup_lat": None}, "location_missing"),
        ({"dropoff_lon": 0.0}, "coordinates_zero"),
        ({"pickup_lat": float("nan")}, "coordinates_invalid"),
        ({"pickup_lat": float("inf")}, "coordinates_invalid"),
        ({"pickup_lat": 91.0}, "coordinates_invalid"),
        ({"pickup_lon": 181.0}, "coordinates_invalid"),
        ({"dropoff_lat": 51.5}, "coordinates_out_of_area"),
        ({"dropoff_at": GOOD["pickup_at"]}, "duration_not_positive"),
        ({"dropoff_at": at("2024-01-10T18:00:01")}, "duration_absurd"),
        ({"dropoff_at": at("2024-01-10T18:00:00")}, ""),
        ({"distance_km": None}, "distance_missing"),
        ({"distance_km": float("nan")}, "distance_missing"),
        ({"distance_km": 0.0}, "distance_not_positive"),
        ({"distance_km": -1.0}, "distance_not_positive"),
        ({"distance_km": 400.0, "dropoff_at": at("2024-01-10T17:00:00")}, "distance_absurd"),
        ({"distance_km": float("inf")}, "distance_absurd"),
        ({"distance_km": 40.0}, "speed_absurd"),
    ],
)
def test_each_reason(changed: dict, reason: str):
    assert reason_of(**changed) == reason


@pytest.mark.parametrize(
    ("zone", "reason"),
    [(1, ""), (265, ""), (0, "location_unknown"), (266, "location_unknown"), (None, "location_missing")],
)
def test_zones(zone: int | None, reason: str):
    needed = eras.needed_columns("yellow", "zones")
    assert reason_of(needed, pickup_zone=zone, dropoff_zone=5) == reason


def test_pickups_alone_have_no_ride_to_judge():
    needed = eras.needed_columns("uber", "coordinates")
    assert reason_of(needed, dropoff_at=None, dropoff_lat=None, dropoff_lon=None, distance_km=None) == ""


coordinates = st.one_of(st.none(), st.floats(), st.sampled_from([0.0, 40.7, -73.9, 91.0]))
moments = st.one_of(
    st.none(), st.integers(-(2**62), 2**62), st.integers(0, 10**9).map(lambda s: (1704067200 + s) * 10**6)
)


@settings(max_examples=60)
@given(
    st.lists(
        st.fixed_dictionaries(
            {"pickup_at": moments, "dropoff_at": moments, "distance_km": st.one_of(st.none(), st.floats())}
            | dict.fromkeys(("pickup_lat", "pickup_lon", "dropoff_lat", "dropoff_lon"), coordinates)
        ),
        max_size=12,
    ),
    st.lists(st.text(max_size=5), max_size=3),
    st.integers(1, 3),
)
def test_no_row_is_ever_lost(tmp_path_factory: pytest.TempPathFactory, rows: list, lines: list[str], repeats: int):
    folder = tmp_path_factory.mktemp("balance")
    trips = batch_of(GOOD, *rows * repeats)
    malformed = list(enumerate(lines, start=trips.num_rows))
    unreadable = np.zeros(trips.num_rows, bool)
    balance = write_month(
        [Batch(trips, unreadable, malformed)],
        folder / "trips.parquet",
        folder / "quarantine.parquet",
        contract=Contract(NEEDED, "2024-01", refuse_duplicates=True),
        facts={},
    )
    kept, aside = pq.read_table(folder / "trips.parquet"), pq.read_table(folder / "quarantine.parquet")
    assert balance.rows_in == trips.num_rows + len(lines) == kept.num_rows + aside.num_rows
    assert sorted([*kept["row"].to_pylist(), *aside["row"].to_pylist()]) == list(range(balance.rows_in))
    assert set(aside["reason"].to_pylist()) <= set(REASONS)
    assert kept.schema.equals(TRIPS)
    assert aside.schema.equals(QUARANTINE)
    assert kept.drop(["row"]).num_rows == len({str(row) for row in kept.drop(["row"]).to_pylist()})


def test_duplicates_are_put_aside_but_the_first(tmp_path: Path):
    trips = batch_of({}, {"distance_km": 4.0}, {}, {}, {"distance_km": 4.0})
    batch = Batch(trips, np.zeros(5, bool))
    balance = write_month(
        [batch], tmp_path / "t", tmp_path / "q", contract=Contract(NEEDED, "2024-01", refuse_duplicates=True), facts={}
    )
    assert balance.by_reason == {"duplicate": 3}
    assert pq.read_table(tmp_path / "t")["row"].to_pylist() == [0, 1]
    assert pq.read_table(tmp_path / "q")["row"].to_pylist() == [2, 3, 4]


def test_nothing_left_is_an_error(tmp_path: Path):
    batch = Batch(batch_of({"distance_km": 0.0}), np.zeros(1, bool))
    with pytest.raises(DataError, match=r"every one of 1 rows was refused \(distance_not_positive 1\)"):
        write_month(
            [batch],
            tmp_path / "t",
            tmp_path / "q",
            contract=Contract(NEEDED, "2024-01", refuse_duplicates=True),
            facts={},
        )
