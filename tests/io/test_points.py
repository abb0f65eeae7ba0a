"""Points from every kind of file, and from broken ones."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cabstand.errors import DataError
from cabstand.io import points, storage

CSV = "Date/Time,Lat,Lon,Base\n2014/4/1 00:11:00,40.769,-73.9549,B02512\n2014/4/1 00:17:00,40.7267,-74.0345,B02512\n"


def table(path: Path, **columns: object) -> str:
    pq.write_table(pa.table(columns), path)
    return str(path)


@pytest.mark.parametrize("compressed", [False, True])
def test_csv(tmp_path: Path, compressed: bool) -> None:
    path = tmp_path / "trips.data"  # the name says nothing
    path.write_bytes(gzip.compress(CSV.encode()) if compressed else CSV.encode())
    read = points.read(str(path))
    assert read.latlon.tolist() == [[40.769, -73.9549], [40.7267, -74.0345]]
    assert read.at is not None
    assert str(read.at[0]) == "2014-04-01T00:11:00.000000"
    assert len(read.sha256) == 64


def test_rows_without_place_are_told_not_dropped(tmp_path: Path) -> None:
    uri = table(tmp_path / "a.parquet", pickup_lat=[40.7, None, 40.8], pickup_lon=[-74.0, -74.0, -73.9], n=[1, 2, 3])
    read = points.read(uri, weight_column="n")
    assert (read.n_rows, read.n_without_place) == (3, 1)
    assert read.row.tolist() == [0, 2]
    assert read.weight is not None
    assert read.weight.tolist() == [1, 3]


def test_ends_globs_and_folders(tmp_path: Path) -> None:
    for name in "ab":
        table(tmp_path / f"{name}.parquet", pickup_lat=[1.0], pickup_lon=[2.0], dropoff_lat=[3.0], dropoff_lon=[4.0])
    table(tmp_path / ".part-c.parquet", pickup_lat=[9.0], pickup_lon=[9.0])
    assert points.read(str(tmp_path), "dropoff").latlon.tolist() == [[3, 4], [3, 4]]
    assert len(points.read(str(tmp_path / "*.parquet"))) == 2
    assert points.read(str(tmp_path / "a.parquet")).sha256 != points.read(str(tmp_path)).sha256


def test_s3(tmp_path: Path, bucket: str) -> None:
    path = Path(table(tmp_path / "a.parquet", lat=[1.0], lon=[2.0]))
    for name in ("a", "b"):
        storage.write(f"s3://{bucket}/trips/{name}.parquet", path.read_bytes())
    assert len(points.read(f"s3://{bucket}/trips")) == 2
    assert len(points.read(f"s3://{bucket}/trips/a*.parquet")) == 1
    assert len(points.read(f"s3://{bucket}/trips/b.parquet")) == 1
    with pytest.raises(DataError, match="no such file"):
        points.read(f"s3://{bucket}/none/*.parquet")


def test_zones_stand_at_their_centroids(tmp_path: Path) -> None:
    zones = table(tmp_path / "zones.parquet", LocationID=[1, 4], lat=[40.1, 40.4], lon=[-74.1, None])
    none = pa.nulls(4, pa.float64())
    uri = table(tmp_path / "a.parquet", pickup_lat=none, pickup_lon=none, pickup_zone=[1, 4, 264, 1])
    read = points.read(uri, zones_uri=zones)
    assert read.by_zone
    assert read.latlon.tolist() == [[40.1, -74.1], [40.1, -74.1]]
    assert read.n_without_place == 2
    with pytest.raises(DataError, match="no zones"):
        points.read(uri, zones_uri=str(tmp_path / "absent.parquet"))


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("", "empty"),
        ("Lat,Lon\n", "no rows"),
        ("Lat,Lon\n,\n", "no row has coordinates"),
        ("Lat,Lon\n1,2\n1,2,3\n", "stray comma"),
        ("Lat,Lon\n1,2\n1,north\n", "not a number"),
        ("Lat,Lon\n1,2\nnan,3\n", "NaN or infinite in row 1"),
        ("Lat,Lon\n1,2\n1,inf\n", "NaN or infinite in row 1"),
        ("Lat,Lon\n91,2\n", "beyond 90 degrees"),
        ("Lat,Lon\n1,-361\n", "beyond 360 degrees"),
        ("a,b\n1,2\n", "no latitude and longitude"),
        ("\x00\x01\x02", "neither Parquet nor CSV"),
        ("PAR1 and nothing more", "truncated"),
        ("{}", "no latitude and longitude"),
    ],
)
def test_broken_files_say_what_and_where(tmp_path: Path, content: str, told: str) -> None:
    path = tmp_path / "broken.csv"
    path.write_text(content)
    with pytest.raises(DataError) as caught:
        points.read(str(path))
    assert told in str(caught.value)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_truncated_gzip(tmp_path: Path) -> None:
    path = tmp_path / "trips.csv.gz"
    path.write_bytes(gzip.compress(CSV.encode() * 10_000)[:500])
    with pytest.raises(DataError):
        points.read(str(path))


def test_damaged_parquet(tmp_path: Path) -> None:
    path = Path(table(tmp_path / "a.parquet", lat=np.arange(5000.0) / 100, lon=np.arange(5000.0) / 100))
    damaged = bytearray(path.read_bytes())
    damaged[100:2000] = b"\xff" * 1900
    path.write_bytes(damaged)
    with pytest.raises(DataError):
        points.read(str(path))


def test_real_uber_month(shared: Path) -> None:
    read = points.read(str(shared / "data/pickups/uber-raw-data-apr14.head65535.csv.gz"))
    assert len(read) == read.n_rows == 65_535
    with pytest.raises(DataError, match="truncated"):
        points.read(str(shared / "data/broken/yellow_tripdata_2024-01.truncated.parquet"))
