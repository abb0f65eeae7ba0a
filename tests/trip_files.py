"""Small files of trip records in the formats that the TLC has published."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

NOON = dt.datetime(2024, 1, 10, 12, 0, 0)


def zone_rows(n: int, **changed: list[Any]) -> dict[str, pa.Array]:
    """Return the columns of `n` valid, different trips of January 2024, in today's format."""
    columns = {
        "VendorID": pa.array([2] * n, pa.int32()),
        "tpep_pickup_datetime": pa.array([NOON + dt.timedelta(seconds=i) for i in range(n)], pa.timestamp("us")),
        "tpep_dropoff_datetime": pa.array([NOON + dt.timedelta(seconds=i + 600) for i in range(n)], pa.timestamp("us")),
        "passenger_count": pa.array([1] * n, pa.int64()),
        "trip_distance": pa.array([1.5] * n),
        "PULocationID": pa.array([161] * n, pa.int32()),
        "DOLocationID": pa.array([237] * n, pa.int32()),
        "fare_amount": pa.array([10.0] * n),
        "total_amount": pa.array([15.0] * n),
    }
    return columns | {name: pa.array(values) for name, values in changed.items()}


def write_parquet(path: Path, columns: dict[str, pa.Array], **options: Any) -> Path:
    """Write the columns as a Parquet file."""
    pq.write_table(pa.table(columns), path, **options)
    return path


COORDINATE_HEADER = (
    "VendorID,tpep_pickup_datetime,tpep_dropoff_datetime,passenger_count,trip_distance,pickup_longitude,pickup_latitude,"
    "dropoff_longitude,dropoff_latitude,fare_amount,total_amount"
)
COORDINATE_ROW = "2,2015-01-15 19:05:39,2015-01-15 19:23:42,1,1.59,-73.99,40.75,-73.97,40.76,12,17.05"


def coordinate_csv(path: Path, *lines: str) -> Path:
    """Write a CSV of January 2015 with the given lines under the header."""
    path.write_text("\n".join([COORDINATE_HEADER, *lines]) + "\n")
    return path
