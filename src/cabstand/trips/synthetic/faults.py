"""Spoil a known share of synthetic rows, each for one quarantine reason."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

FAULTS = ("stray_date", "location_missing", "coordinates_zero", "duration_not_positive", "distance_not_positive")


def plant_faults(
    batch: pa.RecordBatch, share: float, counts: dict[str, int], rng: np.random.Generator
) -> pa.RecordBatch:
    """Return `batch` with about `share` of its rows spoiled, and add the number of each reason to `counts`."""
    if share <= 0:
        return batch
    in_zones = batch.column("pickup_lat").null_count == batch.num_rows
    faults = [name for name in FAULTS if not (in_zones and name == "coordinates_zero")]
    kind = np.where(rng.random(batch.num_rows) < share, rng.integers(0, len(faults), batch.num_rows), -1)
    columns = {name: batch.column(name) for name in batch.schema.names}
    for index, fault in enumerate(faults):
        _spoil(columns, fault, kind == index, in_zones=in_zones)
        counts[fault] = counts.get(fault, 0) + int((kind == index).sum())
    return pa.RecordBatch.from_arrays(list(columns.values()), schema=batch.schema)


def _spoil(columns: dict[str, pa.Array], fault: str, rows: npt.NDArray[np.bool_], *, in_zones: bool) -> None:
    mask = pa.array(rows)
    location = "pickup_zone" if in_zones else "pickup_lat"
    match fault:
        case "stray_date":
            years = pa.scalar(np.timedelta64(15 * 365, "D").astype("timedelta64[us]"))
            for name in ("pickup_at", "dropoff_at"):
                columns[name] = pc.if_else(mask, pc.subtract(columns[name], years), columns[name])
        case "location_missing":
            columns[location] = pc.if_else(mask, pa.scalar(None, columns[location].type), columns[location])
        case "coordinates_zero":
            for name in ("pickup_lat", "pickup_lon"):
                columns[name] = pc.if_else(mask, 0.0, columns[name])
        case "duration_not_positive":
            columns["dropoff_at"] = pc.if_else(mask, columns["pickup_at"], columns["dropoff_at"])
        case _:
            columns["distance_km"] = pc.if_else(mask, 0.0, columns["distance_km"])
