from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from cabstand.errors import DataError
from cabstand.trips.raw import Limits
from cabstand.trips.readers import open_trips
from cabstand.trips.schema import TRIPS
from trip_files import COORDINATE_HEADER, COORDINATE_ROW, coordinate_csv, write_parquet, zone_rows


def read(path: Path, dataset: str = "yellow", **options):
    source = open_trips(path, dataset, **options)
    batches = list(source.batches())
    return source, pa.Table.from_batches([batch.trips for batch in batches]), batches


def test_every_column_of_the_schema_names_its_unit():
    assert all(field.metadata[b"unit"] for field in TRIPS)


def test_2009_names(tmp_path: Path):
    path = tmp_path / "yellow.csv"
    path.write_text(
        "vendor_name,Trip_Pickup_DateTime,Trip_Dropoff_DateTime,Passenger_Count,Trip_Distance,Start_Lon,Start_Lat,"
        "Rate_Code,store_and_forward,End_Lon,End_Lat,Payment_Type,Fare_Amt,surcharge,mta_tax,Tip_Amt,Tolls_Amt,Total_Amt\n"
        "VTS,2009-01-04 02:52:00,2009-01-04 03:02:00,1,2.63,-73.99,40.72,,,-73.98,40.70,CASH,8.9,0.5,,0,0,9.4\n"
    )
    source, trips, _ = read(path)
    assert source.era.name == "coordinates"
    assert source.era.unknown == ()
    row = trips.to_pylist()[0]
    assert row["pickup_lat"] == 40.72
    assert row["dropoff_lon"] == -73.98
    assert row["distance_km"] == pytest.approx(2.63 * 1.609344)
    assert str(row["dropoff_at"]) == "2009-01-04 03:02:00"


def test_2009_parquet_with_dates_as_text(tmp_path: Path):
    columns = {
        "Trip_Pickup_DateTime": pa.array(["2009-01-04 02:52:00", "no date"], pa.large_string()),
        "Trip_Dropoff_DateTime": pa.array(["2009-01-04 03:02:00"] * 2),
        "Start_Lon": pa.array([-73.99] * 2),
        "Start_Lat": pa.array([40.72] * 2),
        "End_Lon": pa.array([-73.98] * 2),
        "End_Lat": pa.array([40.7] * 2),
        "Trip_Distance": pa.array([2.63] * 2),
    }
    _, trips, batches = read(write_parquet(tmp_path / "y.parquet", columns))
    assert [str(at) for at in trips["pickup_at"].to_pylist()] == ["2009-01-04 02:52:00", "None"]
    assert batches[0].unreadable.tolist() == [False, True]


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        (pa.int64(), [1, 2]),
        (pa.float64(), [1.0, 2.0]),
        (pa.null(), [None, None]),
        (pa.string(), ["1", "2"]),
        (pa.decimal128(5, 1), [1, 2]),
    ],
)
def test_retyped_columns(tmp_path: Path, kind: pa.DataType, values: list[object]):
    columns = zone_rows(2) | {"passenger_count": pa.array(values, kind)}
    _, trips, batches = read(write_parquet(tmp_path / "y.parquet", columns))
    assert trips.schema.equals(TRIPS)
    assert trips["passengers"].to_pylist() == ([None, None] if pa.types.is_null(kind) else [1, 2])
    assert not batches[0].unreadable.any()


def test_nan_stood_for_null_in_codes(tmp_path: Path):
    columns = zone_rows(2) | {"passenger_count": pa.array([np.nan, 1.0]), "PULocationID": pa.array([1.5, 4e9])}
    _, trips, batches = read(write_parquet(tmp_path / "y.parquet", columns))
    assert trips["passengers"].to_pylist() == [None, 1]
    assert batches[0].unreadable.tolist() == [True, True]  # half a zone, and one past int32


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_timestamps_of_any_unit(tmp_path: Path, unit: str):
    columns = zone_rows(3)
    columns["tpep_pickup_datetime"] = columns["tpep_pickup_datetime"].cast(pa.timestamp(unit))
    _, trips, _ = read(write_parquet(tmp_path / "y.parquet", columns))
    assert str(trips["pickup_at"][2].as_py()) == "2024-01-10 12:00:02"


def test_unknown_column_is_reported_and_left_out(tmp_path: Path):
    columns = zone_rows(1) | {"cbd_congestion_fee": pa.array([0.75]), "moon_phase": pa.array(["full"])}
    source, trips, _ = read(write_parquet(tmp_path / "y.parquet", columns))
    assert source.era.unknown == ("moon_phase",)
    assert "cbd_congestion_fee" in source.era.ignored
    assert trips.schema.equals(TRIPS)


@pytest.mark.parametrize("name", ["PULocationID", "DOLocationID", "tpep_pickup_datetime", "trip_distance"])
def test_missing_needed_column_is_named(tmp_path: Path, name: str):
    columns = zone_rows(1)
    del columns[name]
    with pytest.raises(DataError, match=name):
        read(write_parquet(tmp_path / "y.parquet", columns))


@pytest.mark.parametrize(
    "values",
    [pa.array([[1.0] * 9]), pa.array([b"1"]), pa.array([True]), pa.array([{"a": 1}])],
    ids=["list", "binary", "bool", "struct"],
)
def test_columns_of_a_type_that_none_has_had(tmp_path: Path, values: pa.Array):
    path = write_parquet(tmp_path / "y.parquet", zone_rows(1) | {"trip_distance": values})
    with pytest.raises(DataError, match="column trip_distance is of type"):
        read(path)


def test_column_named_twice(tmp_path: Path):
    columns = zone_rows(1) | {"Trip Distance": pa.array([1.0])}
    with pytest.raises(DataError, match="more than once: trip_distance, Trip Distance"):
        read(write_parquet(tmp_path / "y.parquet", columns))


@pytest.mark.parametrize("date", ["2014-04-01 00:11:00", "4/1/2014 0:11:00", "2014/4/1 00:11:00"])
@pytest.mark.parametrize("packed", [False, True])
def test_uber_pickups(tmp_path: Path, date: str, packed: bool):
    text = f'"Date/Time","Lat","Lon","Base"\r\n"{date}",40.769,-73.9549,"B02512"\r\n'
    path = tmp_path / "uber"
    path.write_bytes(gzip.compress(text.encode()) if packed else text.encode())
    source, trips, _ = read(path, "uber")
    assert source.era.needed == ("pickup_at", "pickup_lat", "pickup_lon")
    assert str(trips["pickup_at"][0].as_py()) == "2014-04-01 00:11:00"
    assert trips["dropoff_at"].null_count == 1


def test_rows_wider_than_the_header_by_stray_commas(tmp_path: Path):
    path = tmp_path / "green.csv"
    path.write_text(f"{COORDINATE_HEADER}\n\n{COORDINATE_ROW},,\n{COORDINATE_ROW},,\n")
    _, trips, _ = read(path)
    assert trips["row"].to_pylist() == [0, 1]


def test_one_line_with_a_stray_comma_is_kept_as_text(tmp_path: Path):
    path = coordinate_csv(tmp_path / "y.csv", COORDINATE_ROW, f"{COORDINATE_ROW},", COORDINATE_ROW, "2,oops")
    _, trips, batches = read(path)
    assert trips["row"].to_pylist() == [0, 2]
    assert [line for batch in batches for line in batch.malformed] == [(1, f"{COORDINATE_ROW},"), (3, "2,oops")]


def test_row_numbers_hold_over_many_batches(tmp_path: Path):
    lines = [COORDINATE_ROW if i % 7 else f"{COORDINATE_ROW},{i}" for i in range(2_000)]
    source = open_trips(coordinate_csv(tmp_path / "y.csv", *lines), "yellow")
    batches = list(source.batches(size=50))
    assert len(batches) > 10
    good = np.concatenate([np.asarray(batch.trips.column("row")) for batch in batches])
    bad = [row for batch in batches for row, _ in batch.malformed]
    assert bad == list(range(0, 2_000, 7))
    assert sorted([*good, *bad]) == list(range(2_000))
    assert sum(batch.n_source_rows for batch in batches) == 2_000


def test_values_that_are_no_numbers(tmp_path: Path):
    row = COORDINATE_ROW.split(",")
    lines = [",".join([*row[:4], value, *row[5:]]) for value in ("1.5", "", "abc", " 2 ", "nan", "1e400", ".5")]
    _, trips, batches = read(coordinate_csv(tmp_path / "y.csv", *lines))
    miles = (np.array(trips["distance_km"].to_pylist(), float) / 1.609344).round(3)
    assert np.array_equal(miles, [1.5, np.nan, np.nan, 2.0, np.nan, np.nan, 0.5], equal_nan=True)
    assert batches[0].unreadable.tolist() == [False, False, True, False, False, True, False]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "empty"),
        (b"PK\x03\x04\x00\x00", "neither Parquet nor CSV"),
        (b"\xff\xd8\xff\xe0picture", "not UTF-8"),
        (COORDINATE_HEADER.encode(), "holds no rows"),
        (b"a,b\n1,2\n", "missing column"),
        (b"Date/Time,Lat,Base\n1,2,3\n", "pickup_longitude"),
        (b"Date/Time,Lat,Lon\n1,2,3,4\n", "names 3 columns"),
        (gzip.compress(COORDINATE_HEADER.encode() + b"\n" + COORDINATE_ROW.encode())[:60], "truncated"),
        (b"PAR1 and no more", "truncated"),
    ],
)
def test_files_that_are_none(tmp_path: Path, content: bytes, message: str):
    path = tmp_path / "file"
    path.write_bytes(content)
    with pytest.raises(DataError, match=message) as caught:
        read(path, "uber" if b"Date" in content else "yellow")
    assert str(path) in str(caught.value)


def test_truncated_download(shared: Path):
    with pytest.raises(DataError, match="truncated"):
        open_trips(shared / "data/broken/yellow_tripdata_2024-01.truncated.parquet", "yellow")


def test_zero_rows(tmp_path: Path):
    with pytest.raises(DataError, match="no rows"):
        read(write_parquet(tmp_path / "y.parquet", zone_rows(0)))


def test_corrupt_page(tmp_path: Path):
    path = write_parquet(tmp_path / "y.parquet", zone_rows(5_000))
    data = bytearray(path.read_bytes())
    data[4:4000] = bytes(3996)
    path.write_bytes(data)
    with pytest.raises(DataError):
        read(path)


def test_gzip_bomb(tmp_path: Path):
    path = tmp_path / "y.csv.gz"
    with gzip.open(path, "wb") as handle:
        handle.write(f"{COORDINATE_HEADER}\n".encode())
        for _ in range(100):
            handle.write((COORDINATE_ROW + "\n").encode() * 10_000)
    with pytest.raises(DataError, match="bomb"):
        for _ in open_trips(path, "yellow", limits=Limits(max_ratio=20)).batches():
            pass


def test_parquet_bombs(tmp_path: Path):
    long = pa.DictionaryArray.from_arrays(pa.array(np.zeros(200_000, np.int32)), pa.array(["x" * 100_000]))
    text = zone_rows(200_000) | {"tpep_pickup_datetime": long}
    path = write_parquet(tmp_path / "text.parquet", text)
    assert path.stat().st_size < 3_000_000
    with pytest.raises(DataError, match="text of 100000 bytes"):
        read(path)
    rows = {name: pa.repeat(column[0], 6_000_000) for name, column in zone_rows(1).items()}
    path = write_parquet(tmp_path / "rows.parquet", rows)
    with pytest.raises(DataError, match="bomb"):
        read(path)
    with pytest.raises(DataError, match="more than"):
        open_trips(path, "yellow", limits=Limits(max_rows=1_000))
