"""Every command reads the same points: on one machine, on Dask's workers, and for a plan."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cabstand import cli
from cabstand.errors import ConfigError, DataError
from cabstand.io.dask import chunks
from cabstand.jobs import cluster, cluster_dask, compare, ingest, plan, sweep
from cabstand.jobs.distributed import driver
from cabstand.settings import Settings
from cabstand.trips.columns import Named

N = 400


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path / "home")


def trips(path: Path, **changed: Any) -> str:
    """Write two crowds of trips, with times in UTC, ten zeros and three NaNs."""
    rng = np.random.default_rng(1)
    lat, lon = (np.where(np.arange(N) % 2, a, b) + rng.normal(0, 1e-4, N) for a, b in ((40.75, 40.7), (-73.98, -74.0)))
    lat[:10], lon[5:10], lat[10:13] = 0, 0, np.nan
    at = np.datetime64("2015-06-03T02:30", "us") + np.arange(N).astype("m8[s]")
    columns = {"t": pa.array(at).cast(pa.int64()).cast(pa.timestamp("us", "UTC")), "lat": lat, "lon": lon, **changed}
    pq.write_table(pa.table(columns), path, row_group_size=100)
    return str(path)


def spots(result: dict[str, Any]) -> pa.Table:
    return pq.read_table(result["hotspots_uri"])


def test_workers_read_as_one_machine_does(settings: Settings, tmp_path: Path, scheduler: str, monkeypatch: Any) -> None:
    monkeypatch.setattr(driver, "CHUNK_ROWS", 150)
    plain = trips(tmp_path / "plain.parquet")
    table = pq.read_table(plain)
    texts = {name: table[name].cast(pa.string()).dictionary_encode() for name in ("lat", "lon")}
    points = gpd.GeoDataFrame(
        {"t": table["t"].to_pandas()}, geometry=gpd.points_from_xy(table["lon"], table["lat"]), crs=4326
    )
    points.to_crs(2263).to_parquet(tmp_path / "points.parquet")
    alone = cluster.run(settings, cluster.Params(plain, track=False, engine="sequential"))
    assert alone["put_aside"] == {"coordinates_zero": 10, "coordinates_invalid": 3}
    assert alone["times_converted"] == {"t": "UTC to America/New_York"}
    assert [round(hours[22], 6) for hours in spots(alone)["hours"].to_pylist()] == [1, 1]
    for uri in (plain, trips(tmp_path / "texts.parquet", **texts)):
        shared = cluster_dask.run(settings, cluster_dask.Params(uri, track=False, scheduler=scheduler))
        assert {name: shared[name] for name in ("put_aside", "times_converted", "n_points")} == {
            name: alone[name] for name in ("put_aside", "times_converted", "n_points")
        }
        assert spots(shared)["size"].to_pylist() == spots(alone)["size"].to_pylist()
        assert spots(shared)["hours"].to_pylist() == spots(alone)["hours"].to_pylist()
    shared = cluster_dask.run(
        settings, cluster_dask.Params(str(tmp_path / "points.parquet"), track=False, scheduler=scheduler)
    )
    assert shared["crs"] == "EPSG:2263"
    assert shared["n_clusters"] == 2


def test_workers_name_what_is_wrong(settings: Settings, tmp_path: Path, scheduler: str) -> None:
    for columns, told in (
        ({"lat": np.full(N, 4e7), "lon": np.full(N, -7.4e7)}, "look like micro-degrees"),
        ({"lat": np.full(N, -73.98), "lon": np.full(N, 40.75)}, "exchanged columns"),
        ({"lat": ["north"] * N}, "column lat is not a number: 'north' in row 0"),
    ):
        uri = trips(tmp_path / "bad.parquet", **columns)
        with pytest.raises(DataError, match=told):
            cluster_dask.run(settings, cluster_dask.Params(uri, track=False, scheduler=scheduler))


@pytest.fixture
def mixture(tmp_path: Path) -> str:
    folder = tmp_path / "mixture"
    folder.mkdir()
    zones = pa.nulls(N, pa.int32())
    trips(folder / "a.parquet", PULocationID=zones)
    none = pa.nulls(N, pa.float64())
    trips(folder / "b.parquet", lat=none, lon=none, PULocationID=pa.array([4] * N, pa.int32()))
    return str(folder)


@pytest.mark.parametrize("command", ["cluster", "compare", "sweep", "plan", "dask"])
def test_no_command_loses_an_era(
    mixture: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    words = ["cluster", "--engine", "dask:1"] if command == "dask" else [command]
    options = ["--input", mixture, "--lake", str(tmp_path / "lake")]
    assert cli.run([*words, *options]) == 2
    (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    assert "zone" in line
    assert "b.parquet" in line
    assert "--era" in line
    assert list((tmp_path / "lake").rglob("*.*")) == []


def test_an_era_is_chosen(settings: Settings, mixture: str, scheduler: str) -> None:
    alone = cluster.run(settings, cluster.Params(mixture, track=False, era="coordinates"))
    assert alone["put_aside"] == {"coordinates_zero": 10, "coordinates_invalid": 3, "other_era": N}
    params = cluster_dask.Params(mixture, track=False, era="coordinates", scheduler=scheduler)
    shared = cluster_dask.run(settings, params)
    assert (shared["put_aside"], shared["n_points"]) == (alone["put_aside"], alone["n_points"])
    assert plan.run(settings, plan.Params(mixture, era="coordinates"))["n_points"] == pytest.approx(N, rel=0.1)
    with pytest.raises(ConfigError, match="--era"):
        cluster_dask.run(settings, cluster_dask.Params(mixture, era="zones"))
    with pytest.raises(DataError, match="the lake has no zones"):
        cluster.run(settings, cluster.Params(mixture, track=False, era="zones"))


def test_a_key_changes_with_the_columns_that_are_named(settings: Settings, tmp_path: Path) -> None:
    uri = trips(tmp_path / "a.parquet")
    table = pq.read_table(uri)
    pq.write_table(table.append_column("y", table["lat"]).append_column("x", table["lon"]), uri)
    named = Named("y", "x")
    for job in (cluster, compare, sweep):
        plain = job.run(settings, job.Params(uri, dry_run=True))
        other = job.run(settings, job.Params(uri, named=named, dry_run=True))
        assert plain["run_key"] != other["run_key"]
        assert (other["lat_column"], other["lon_column"]) == ("y", "x")
    (chunk,) = chunks.split([uri], "pickup", N, named)
    assert (chunk.columns.latitude, chunk.columns.longitude, chunk.columns.time) == ("y", "x", "t")
    assert plan.run(settings, plan.Params(uri, named=named))["n_points"] == N - 13


def test_columns_are_named_on_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "own.csv"
    path.write_text("zeit;breite;laenge\n" + "".join(f"6/2/2015 10:3{i} PM;40,75;-73,98\n" for i in range(10)))
    named = [
        "--lat-column",
        "breite",
        "--lon-column",
        "laenge",
        "--time-column",
        "zeit",
        "--lake",
        str(tmp_path / "lake"),
    ]
    assert cli.run(["cluster", "--input", str(path), "--min-samples", "5", "--no-track", *named]) == 0
    result = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert spots(result)["hours"][0].as_py()[22] == 1
    words = ["ingest", "--dataset", "uber", "--month", "2015-06", "--source", str(path)]
    assert cli.run([*words, *named]) == 0
    result = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert result["rows_out"] == 10
    assert cli.run([*words, *named[:4], "--time-column", "wann", "--lake", str(tmp_path / "lake")]) == 2
    assert "--time-column: no column 'wann' (columns: zeit, breite, laenge)" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("changed", "month", "told"),
    [
        ({}, "2015-07", "is it the right month? pickups are of 2015-06-02 to 2015-06-02"),
        ({"lat": np.full(N, 51.5), "lon": np.full(N, -0.12)}, "2015-06", "are they trips in New York?"),
        ({"lat": np.full(N, 4.07e7), "lon": np.full(N, -7.4e7)}, "2015-06", "look like micro-degrees"),
        ({"lat": np.zeros(N)}, "2015-06", "its coordinates are zero"),
        ({"t": ["?"] * N}, "2015-06", "unreadable_value: a value is not a number or date"),
    ],
)
def test_ingest_says_why_no_row_is_left(
    settings: Settings, tmp_path: Path, changed: dict[str, Any], month: str, told: str
) -> None:
    uri = trips(tmp_path / "a.parquet", **changed)
    with pytest.raises(DataError, match=r"every one of 400 rows was refused") as caught:
        ingest.run(settings, ingest.Params("uber", month, uri))
    assert told in str(caught.value)
    assert ("right month" in str(caught.value)) == (month == "2015-07")
