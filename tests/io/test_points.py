"""Points from every kind of file, and from broken ones."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pyproj
import pytest

from cabstand.errors import ConfigError, DataError
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
        ("Lat,Lon\n0,0\n0,1\n", "no row has coordinates (coordinates_zero 2)"),
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


def test_the_coordinates_that_ingest_quarantines_are_put_aside(tmp_path: Path) -> None:
    lat = [40.7, 0.0, 0.0, 40.7, np.nan, np.inf, 95.0, 40.7, None, 40.8, *[40.75] * 20]
    lon = [-74.0, 0.0, -74.0, 0.0, -74.0, -74.0, -74.0, 400.0, -74.0, -73.9, *[-73.98] * 20]
    found = points.read(table(tmp_path / "a.parquet", lat=pa.array(lat), lon=lon))
    assert found.put_aside == {"location_missing": 1, "coordinates_zero": 3, "coordinates_invalid": 4}
    assert found.n_without_place == sum(found.put_aside.values()) == found.n_rows - len(found)
    assert found.row.tolist() == [0, 9, *range(10, 30)]


@pytest.mark.parametrize(
    ("convert", "told"),
    [
        ("EPSG:2263", "feet of the New York state plane (EPSG:2263)"),
        ("EPSG:32118", "metres of the New York state plane (EPSG:32118)"),
        ("EPSG:32618", "metres of UTM zone 18 (EPSG:32618)"),
        ("EPSG:3857", "metres of Web Mercator (EPSG:3857)"),
        (1e6, "micro-degrees"),
        (1e7, "degrees times ten million"),
        (np.pi / 180, "radians"),
        (1, "exchanged columns"),
    ],
)
@pytest.mark.parametrize("exchanged", [False, True])
@pytest.mark.parametrize("integers", [False, True])
def test_coordinates_that_are_no_degrees_are_named(
    tmp_path: Path, convert: str | float, told: str, exchanged: bool, integers: bool
) -> None:
    lat, lon = np.linspace(40.6, 40.9, 50), np.linspace(-74.1, -73.7, 50)
    if isinstance(convert, str):
        x, y = pyproj.Transformer.from_crs(4326, convert, always_xy=True).transform(lon, lat)
    else:
        x, y = lon * convert, lat * convert
    if exchanged or convert == 1:
        x, y = y, x
    if integers and abs(x).min() > 1000:
        x, y = x.astype(int), y.astype(int)
    uri = table(tmp_path / "a.parquet", lat=y, lon=x)
    with pytest.raises(DataError) as caught:
        points.read(uri)
    line = str(caught.value)
    assert f"look like {told}" in line or told in line
    assert "convert them" in line or "--lat-column" in line
    assert f"{y.min():,.0f}"[:2] in line


@pytest.mark.parametrize(
    ("lat", "lon", "told"),
    [
        (-87.63, 41.88, "exchanged"),  # Chicago
        (-118.24, 34.05, "exchanged"),  # Los Angeles
        (139.69, 35.69, "exchanged"),  # Tokyo
        (41.88e6, -87.63e6, "micro-degrees"),
        (6_711_000, -14_000, "a projection"),  # London in Web Mercator
        (95, 20, "beyond 90 degrees in row 0"),
    ],
)
def test_other_places_that_are_no_degrees(tmp_path: Path, lat: float, lon: float, told: str) -> None:
    with pytest.raises(DataError, match=told):
        points.read(table(tmp_path / "a.parquet", lat=[lat] * 5, lon=[lon] * 5))


@pytest.mark.parametrize(("lat", "lon"), [(35.69, 139.69), (51.5, -0.12), (-33.9, 151.2), (1.0, 2.0), (40.7, 286.0)])
def test_places_anywhere_else_are_taken_as_they_are(tmp_path: Path, lat: float, lon: float) -> None:
    assert points.read(table(tmp_path / "a.parquet", lat=[lat], lon=[lon])).latlon.tolist() == [[lat, lon]]


@pytest.fixture
def mixture(tmp_path: Path) -> str:
    """A folder of one file with coordinates and one with zones, as ingest writes them."""
    none = pa.nulls(3, pa.float64())
    zones = pa.array([1, 1, 264], pa.int32())
    where = tmp_path / "trips"
    where.mkdir()
    table(where / "a.parquet", pickup_lat=[40.7, 40.8], pickup_lon=[-74.0, -73.9], pickup_zone=pa.nulls(2, pa.int32()))
    table(where / "b.parquet", pickup_lat=none, pickup_lon=none, pickup_zone=zones)
    return str(where)


def test_eras_are_never_mixed_in_silence(tmp_path: Path, mixture: str) -> None:
    zones = table(tmp_path / "zones.parquet", LocationID=[1], lat=[40.1], lon=[-74.1])
    with pytest.raises(DataError, match=r"mixes eras: 2 rows have coordinates, as in a\.parquet, and 3 .* b\.parquet"):
        points.read(mixture, zones_uri=zones)
    found = points.read(mixture, zones_uri=zones, era="coordinates")
    assert (found.row.tolist(), found.by_zone, found.put_aside) == ([0, 1], False, {"other_era": 3})
    found = points.read(mixture, zones_uri=zones, era="zones")
    assert (found.row.tolist(), found.by_zone) == ([2, 3], True)
    assert found.put_aside == {"other_era": 2, "zone_without_centroid": 1}
    with pytest.raises(ConfigError, match="--era: unknown era 'zone'"):
        points.read(mixture, era="zone")
    one = table(tmp_path / "one.parquet", lat=[40.7, None], lon=[-74.0, None], PULocationID=[None, 4])
    with pytest.raises(DataError, match="mixes eras"):
        points.read(one)


def test_files_in_other_zones_agree(tmp_path: Path) -> None:
    evening = np.array(["2015-06-02T22:30"], "M8[us]")
    table(tmp_path / "a.parquet", t=evening, lat=[40.7], lon=[-74.0])
    utc = pa.array(evening + np.timedelta64(4, "h")).cast(pa.int64()).cast(pa.timestamp("us", "UTC"))
    table(tmp_path / "b.parquet", t=utc, lat=[40.7], lon=[-74.0])
    (tmp_path / "c.parquet").write_text("t,lat,lon\n6/2/2015 10:30 PM,40.7,-74\n")
    found = points.read(str(tmp_path))
    assert found.at is not None
    assert set(found.at) == {evening[0]}
    assert found.times_converted == {"t": "UTC to America/New_York"}
