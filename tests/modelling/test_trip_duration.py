"""What the ride model owes on real months, and the features it is made of."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from cabstand.errors import DataError
from cabstand.modelling import catalog, fit, measures
from cabstand.modelling.problem import Examples, Problem
from cabstand.modelling.problems import trip_duration
from cabstand.modelling.rides import examples, features, pair_means

RAW = ["lpep_pickup_datetime", "lpep_dropoff_datetime", "PULocationID", "DOLocationID", "trip_distance"]


def canonical(source: Path, target: Path) -> Path:
    """A TLC month in canonical columns, no row put aside: the population of the reference figures."""
    table = pq.read_table(source, columns=RAW)
    columns = {
        "pickup_at": table[RAW[0]].cast(pa.timestamp("us")),
        "dropoff_at": table[RAW[1]].cast(pa.timestamp("us")),
        "pickup_zone": table[RAW[2]].cast(pa.int32()),
        "dropoff_zone": table[RAW[3]].cast(pa.int32()),
        "distance_km": pa.array(table[RAW[4]].to_numpy() * 1.609344),
    }
    pq.write_table(pa.table(columns), target)
    return target


def zones(shared: Path, target: Path) -> Path:
    from cabstand.trips.zones import convert

    folder = shared / "data" / "zones"
    pq.write_table(convert(folder / "taxi_zones.zip", folder / "taxi_zone_lookup.csv").table, target)
    return target


def judged(problem: Problem, train: Examples, later: Examples) -> tuple[dict[str, float], dict[str, float]]:
    trained = fit.train(problem, train, 0)
    matrix = problem.matrix(later.columns, trained.assets)
    reference = problem.candidates()[0].build(0).fit(problem.matrix(train.columns, trained.assets), train.target)
    with fit.one_thread():
        ours = measures.summarise(problem.task, later.target, trained.model.answer(matrix))
        theirs = measures.summarise(problem.task, later.target, fit.Model("reference", reference).answer(matrix))
    return ours, theirs


@pytest.mark.slow
@pytest.mark.parametrize(("name", "least"), [("trip-duration", 0.35), ("trip-duration-distance", 0.43)])
def test_later_month_against_the_one_hot_model(name: str, least: float, shared: Path, tmp_path: Path) -> None:
    problem = catalog.find(name)
    months = [
        canonical(shared / "data" / "green" / f"green_tripdata_{month}.parquet", tmp_path / f"{month}.parquet")
        for month in ("2023-01", "2023-02", "2023-03")
    ]
    extras = {"zones": zones(shared, tmp_path / "zones.parquet")}
    ours, theirs = judged(problem, problem.load(months[:2], extras), problem.load(months[2:], extras))
    print(f"\n{name}: {ours} against {theirs['mae']:.3f}: {1 - ours['mae'] / theirs['mae']:.1%} lower")
    assert theirs["mae"] == pytest.approx(5.16, abs=0.02)
    assert ours["mae"] <= (1 - least) * theirs["mae"], (ours, theirs)
    assert ours["r2"] >= 0.71
    assert ours["coverage"] == pytest.approx(0.9, abs=0.03)


def test_nothing_known_after_the_ride_is_asked_for() -> None:
    assert {field.name for field in trip_duration.FIELDS} == {"pickup_zone", "dropoff_zone", "pickup_at"}


def test_features_of_one_ride() -> None:
    lat, lon = np.full(266, np.nan), np.full(266, np.nan)
    lat[[74, 42]], lon[[74, 42]] = [40.80, 40.82], [-73.94, -73.94]
    assets = {"zone_lat": lat, "zone_lon": lon, "pair_min": np.full((266, 266), 7, np.float32)}
    columns = {
        "pickup_zone": np.array([74, 74]),
        "dropoff_zone": np.array([42, 1]),
        "pickup_at": np.array(["2023-03-01T08:15:00", "2023-12-31T23:45:00"], "M8[s]"),
    }
    told = dict(zip(features.FEATURES, features.features(columns, assets).T, strict=True))
    assert told["hour"].tolist() == [8.25, 23.75]
    assert told["weekday"].tolist() == [2, 6]  # a Wednesday, a Sunday
    assert told["month"].tolist() == [3, 12]
    assert told["centroid_km"][0] == pytest.approx(2.2239, abs=1e-3)
    assert np.isnan(told["centroid_km"][1])


def test_the_table_of_pairs_gives_the_same_features() -> None:
    rng = np.random.default_rng(0)
    lat, lon = rng.uniform(40.5, 40.9, 266), rng.uniform(-74.2, -73.7, 266)
    lat[::17] = lon[::17] = np.nan
    assets = {"zone_lat": lat, "zone_lon": lon, "pair_min": rng.uniform(1, 60, (266, 266)).astype(np.float32)}
    pickup, dropoff = np.divmod(rng.permutation(266**2), 266)
    at = np.datetime64("1969-12-31", "s") + rng.integers(0, 4_000_000_000, len(pickup)).astype("m8[s]")
    columns = {"pickup_zone": pickup, "dropoff_zone": dropoff, "pickup_at": at}
    slow = features.features(columns, assets)
    ready = features.prepare(assets)
    np.testing.assert_array_equal(features.features(columns, ready), slow)
    one = {name: values[5:6] for name, values in columns.items()}
    np.testing.assert_array_equal(features.features(one, ready), slow[5:6])
    assert not ready["pairs"][:, 2:5].any()  # filled in a copy: the table itself stays


def test_a_pair_seen_once_is_drawn_to_its_zones() -> None:
    columns = {"pickup_zone": np.array([1] * 99 + [2]), "dropoff_zone": np.array([3] * 100)}
    learned = pair_means.learn(Examples(columns, np.array([10.0] * 99 + [60.0])))["pair_min"]
    assert learned[1, 3] == pytest.approx(10, abs=0.5)
    assert 10 < learned[2, 3] < 25


def test_a_pair_never_seen_is_told_by_its_neighbours() -> None:
    lat, lon = np.full(266, np.nan), np.full(266, -73.9)
    lat[[1, 2, 3, 9]] = [40.70, 40.703, 40.90, 40.70]  # 2 is 300 m from 1; 9 stands where 1 does
    rng = np.random.default_rng(0)
    pickup, dropoff = rng.permuted(np.tile([[1, 3]], (400, 1)), axis=1).T
    minutes = np.where(pickup == 1, 40.0, 20.0)
    learned = pair_means.learn(Examples({"pickup_zone": pickup, "dropoff_zone": dropoff}, minutes,
                                           assets={"zone_lat": lat, "zone_lon": lon}))["pair_min"]  # fmt: skip
    assert learned[2, 3] == pytest.approx(40, abs=5)
    assert learned[3, 2] == pytest.approx(20, abs=5)
    assert learned.shape == (266, 266)
    assert np.isfinite(learned).all()


def _table(**changes: pa.Array) -> pa.Table:
    n, start = 200, np.datetime64("2023-01-01", "us")
    at = start + np.arange(n).astype("m8[h]")
    columns = {
        "pickup_at": pa.array(at),
        "dropoff_at": pa.array(at + np.timedelta64(600, "s")),
        "pickup_zone": pa.array(np.full(n, 74, np.int32)),
        "dropoff_zone": pa.array(np.full(n, 42, np.int32)),
        "distance_km": pa.array(np.ones(n)),
    }
    return pa.table({name: values for name, values in (columns | changes).items() if values is not None})


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"dropoff_at": None}, "no column 'dropoff_at'"),
        ({"dropoff_at": pa.nulls(200, pa.timestamp("us"))}, "none of 200 rows"),
        ({"pickup_zone": pa.nulls(200, pa.int32())}, "none of 200 rows"),
        ({"pickup_zone": pa.array(np.full(200, 999, np.int32))}, "none of 200 rows"),
        ({"pickup_at": pa.array(["2023-01-01"] * 200)}, "column pickup_at holds no times"),
    ],
)
def test_trips_without_a_target_are_one_line(changes: dict[str, pa.Array], what: str, tmp_path: Path) -> None:
    pq.write_table(_table(**changes), tmp_path / "t.parquet")
    with pytest.raises(DataError, match=what):
        examples.load([tmp_path / "t.parquet"], {})


def test_times_in_utc_are_those_of_new_york(tmp_path: Path) -> None:
    local = _table()
    utc = {
        name: pc.assume_timezone(local[name], "America/New_York").combine_chunks().cast(pa.timestamp("us", "UTC"))
        for name in ("pickup_at", "dropoff_at")
    }
    pq.write_table(local, tmp_path / "local.parquet")
    pq.write_table(_table(**utc), tmp_path / "utc.parquet")
    naive, zoned = (examples.load([tmp_path / f"{name}.parquet"], {}) for name in ("local", "utc"))
    np.testing.assert_array_equal(zoned.columns["pickup_at"], naive.columns["pickup_at"])
    np.testing.assert_array_equal(zoned.target, naive.target)


def test_a_file_that_is_not_parquet(tmp_path: Path) -> None:
    (tmp_path / "t.parquet").write_bytes(b"PAR1....")
    with pytest.raises(DataError, match="not a readable"):
        examples.load([tmp_path / "t.parquet"], {})
    with pytest.raises(DataError, match="no input"):
        examples.load([], {})
