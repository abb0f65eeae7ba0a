"""Columns that tell more than a table's own: hours and weekdays, durations and speeds, cells of places."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from cabstand.monitoring.profiles import Batches

SECONDS, HOUR, WEEKDAY, CELL = ".seconds", ".hour", ".weekday", "_cell"
CELL_DEGREES = 0.005  # about 560 m by 420 m in New York
_ENDS = ("pickup", "dropoff")
_START, _END, _KM = "pickup_at", "dropoff_at", "distance_km"
_WEEKDAYS = pa.array(["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"])


def derive(batches: Batches) -> Batches:
    """Return a stream with times and places replaced by what can be compared.

    A time becomes `<name>.seconds` (since 1970, for spans), `<name>.hour` and `<name>.weekday`; both ends of a trip
    give duration_min and, with distance_km, speed_kmh; latitudes and longitudes stay and give `pickup_cell` and
    `dropoff_cell`. The number of the row in its source is left out.
    """
    empty = pa.RecordBatch.from_pylist([], schema=batches.schema)
    return Batches(_derived(empty).schema, lambda: map(_derived, batches))


def times(schema: pa.Schema) -> list[str]:
    """Return the columns of a stream from `derive` that hold seconds, without their suffix."""
    return [name.removesuffix(SECONDS) for name in schema.names if name.endswith(SECONDS)]


def _derived(batch: pa.RecordBatch) -> pa.RecordBatch:
    columns: dict[str, pa.Array] = {}
    for field, column in zip(batch.schema, batch.columns, strict=True):
        if pa.types.is_timestamp(field.type):
            columns |= {} if field.name == _END and _START in batch.schema.names else _of_time(field.name, column)
        elif field.name != "row":
            columns[field.name] = column
    columns |= _of_ride(batch)
    for end in _ENDS:
        if {f"{end}_lat", f"{end}_lon"} <= set(batch.schema.names):
            columns[end + CELL] = _cells(batch.column(f"{end}_lat"), batch.column(f"{end}_lon"))
    return pa.RecordBatch.from_pydict(columns)


def _of_time(name: str, column: pa.Array) -> dict[str, pa.Array]:
    local = pc.local_timestamp(column) if column.type.tz else column
    return {
        name + SECONDS: pc.cast(pc.cast(local, pa.timestamp("s"), safe=False), pa.int64()),
        name + HOUR: pc.cast(pc.hour(local), pa.string()),
        name + WEEKDAY: _WEEKDAYS.take(pc.day_of_week(local)),
    }


def _of_ride(batch: pa.RecordBatch) -> dict[str, pa.Array]:
    if not {_START, _END} <= set(batch.schema.names):
        return {}
    start, end = (batch.column(name).cast(pa.timestamp("us")) for name in (_START, _END))
    minutes = pc.divide(pc.cast(pc.subtract(end, start).cast(pa.int64()), pa.float64()), 60e6)
    found = {"duration_min": minutes}
    if _KM in batch.schema.names:
        some = pc.if_else(pc.greater(minutes, 0), minutes, pa.scalar(None, pa.float64()))
        found["speed_kmh"] = pc.divide(pc.multiply(pc.cast(batch.column(_KM), pa.float64()), 60.0), some)
    return found


def _cells(lat: pa.Array, lon: pa.Array) -> pa.Array:
    """Return the cell of each point, named by its south-western corner; null where the point is no finite one."""
    rows, columns = (np.floor(_floats(axis) / CELL_DEGREES) for axis in (lat, lon))
    known = (np.abs(rows) <= 360 / CELL_DEGREES) & (np.abs(columns) <= 360 / CELL_DEGREES)
    codes = np.where(known, rows, 0).astype(np.int64) * 1_000_000 + np.where(known, columns, 0).astype(np.int64)
    found, index = np.unique(codes, return_inverse=True)
    south = np.rint(found / 1_000_000)
    names = [f"{a * CELL_DEGREES:.3f},{b * CELL_DEGREES:.3f}" for a, b in zip(south, found - south * 1e6, strict=True)]
    return pa.DictionaryArray.from_arrays(pa.array(index.astype(np.int32), mask=~known), pa.array(names, pa.string()))


def _floats(column: pa.Array) -> npt.NDArray[Any]:
    return np.asarray(pc.cast(column, pa.float64()).to_numpy(zero_copy_only=False))
