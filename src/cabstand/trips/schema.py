"""The schemas of trips and quarantined rows, the same for every data set and era, with the unit of each column."""

from __future__ import annotations

import pyarrow as pa

SCHEMA_VERSION = 1

KM_PER_MILE = 1.609344


def _field(name: str, kind: pa.DataType, unit: str, description: str, *, nullable: bool = True) -> pa.Field:
    return pa.field(name, kind, nullable=nullable, metadata={"unit": unit, "description": description})


TRIPS: pa.Schema = pa.schema(
    [
        _field("pickup_at", pa.timestamp("us"), "local New York time", "meter engaged"),
        _field("dropoff_at", pa.timestamp("us"), "local New York time", "meter disengaged"),
        _field("pickup_zone", pa.int32(), "TLC LocationID", "null where the era has coordinates"),
        _field("dropoff_zone", pa.int32(), "TLC LocationID", "null where the era has coordinates"),
        _field("pickup_lat", pa.float64(), "degrees north, WGS84", "null where the era has zones"),
        _field("pickup_lon", pa.float64(), "degrees east, WGS84", "null where the era has zones"),
        _field("dropoff_lat", pa.float64(), "degrees north, WGS84", "null where the era has zones"),
        _field("dropoff_lon", pa.float64(), "degrees east, WGS84", "null where the era has zones"),
        _field("distance_km", pa.float64(), "km", "by the meter; null where the source has none"),
        _field("passengers", pa.int16(), "persons", "as typed by the driver"),
        _field("fare_usd", pa.float64(), "USD", "by time and distance"),
        _field("total_usd", pa.float64(), "USD", "charged, cash tips left out"),
        _field("row", pa.int64(), "index", "row in the source, from 0", nullable=False),
    ],
    metadata={"cabstand.schema": "trips", "cabstand.schema_version": str(SCHEMA_VERSION)},
)

QUARANTINE: pa.Schema = pa.schema(
    [
        *TRIPS,
        _field("reason", pa.string(), "name", "why the row was put aside; see cabstand.trips.clean", nullable=False),
        _field("source_text", pa.string(), "text", "the line itself where it could not be split into columns"),
    ],
    metadata={"cabstand.schema": "quarantine", "cabstand.schema_version": str(SCHEMA_VERSION)},
)
