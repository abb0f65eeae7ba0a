"""Read canonical trips as examples of rides with a duration."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from cabstand.errors import DataError
from cabstand.modelling.problem import Examples
from cabstand.modelling.rides.features import N_CODES
from cabstand.tlc import ZONE

COLUMNS = ("pickup_at", "dropoff_at", "pickup_zone", "dropoff_zone")
SHORTEST_MIN, LONGEST_MIN = 1.0, 60.0
LONGEST_KM = 200.0


def load(paths: Sequence[Path], extras: Mapping[str, Path], *, distance: bool = False) -> Examples:
    """Return rides of 1 to 60 minutes (inclusive) between known zones, from Parquet files of canonical trips.

    `extras` may have `zones`, the zone table (LocationID, borough, lat, lon); without it, features from centroids are
    NaN. With `distance`, distance_km is read too, and only rides of 0 to 200 km are kept.
    """
    if not paths:
        raise DataError("no input", hint="--input takes canonical trips, as `cabstand ingest` writes them")
    names = (*COLUMNS, "distance_km") if distance else COLUMNS
    parts = [_read(path, names) for path in paths]
    rows = sum(len(part["keep"]) for part in parts)
    joined = {name: np.concatenate([part[name][part["keep"]] for part in parts]) for name in parts[0] if name != "keep"}
    if not len(joined["minutes"]):
        raise DataError(
            f"none of {rows} rows is a ride of {SHORTEST_MIN:g} to {LONGEST_MIN:g} minutes between known zones",
            where=paths[0],
            hint="data sets without drop-offs (uber) have no duration",
        )
    minutes = joined.pop("minutes")
    assets, boroughs = _zones(extras.get("zones"))
    segments = {"hour": _hours(joined["pickup_at"]), "borough": boroughs[joined["pickup_zone"]]}
    facts = {"rows": rows, "kept": len(minutes)}
    return Examples(joined, minutes, joined["pickup_at"], segments, assets, facts)


def _read(path: Path, names: Sequence[str]) -> dict[str, npt.NDArray[Any]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(path)
        if missing := [name for name in names if name not in file.schema_arrow.names]:
            raise DataError(f"no column {missing[0]!r}", where=path, hint="canonical trips come from `cabstand ingest`")
        table = file.read(columns=list(names))
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"not a readable Parquet file: {str(error)[:100]}", where=path) from error
    # Nulls become NaT and zone 0; the mask below drops both.
    at, end = (_local(table[name], name, path) for name in ("pickup_at", "dropoff_at"))
    minutes = (end - at) / np.timedelta64(60_000_000, "us")
    pickup, dropoff = (table[name].fill_null(0).to_numpy().astype(np.int64) for name in COLUMNS[2:])
    keep = (minutes >= SHORTEST_MIN) & (minutes <= LONGEST_MIN)
    keep &= (pickup > 0) & (pickup < N_CODES) & (dropoff > 0) & (dropoff < N_CODES)
    found = {"pickup_zone": pickup, "dropoff_zone": dropoff, "pickup_at": at.astype("M8[s]"), "minutes": minutes}
    if "distance_km" in names:
        found["distance_km"] = table["distance_km"].to_numpy().astype(np.float64)
        keep &= (found["distance_km"] >= 0) & (found["distance_km"] <= LONGEST_KM)
    return found | {"keep": keep}


def _local(column: Any, name: str, path: Path) -> npt.NDArray[np.datetime64]:
    """Return times (n,) as New York's, as they are or from their zone."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if not pa.types.is_timestamp(column.type):
        raise DataError(f"column {name} holds no times", where=path, hint="canonical trips come from `cabstand ingest`")
    if column.type.tz:
        column = pc.local_timestamp(column.cast(pa.timestamp("us", ZONE)))
    return np.asarray(column.to_numpy().astype("M8[us]"))


def _zones(path: Path | None) -> tuple[dict[str, npt.NDArray[np.float64]], npt.NDArray[np.str_]]:
    lat, lon = np.full(N_CODES, np.nan), np.full(N_CODES, np.nan)
    boroughs = np.full(N_CODES, "unknown", dtype="U16")
    if path is not None:
        import pyarrow.parquet as pq

        table = pq.read_table(path, columns=["LocationID", "borough", "lat", "lon"])
        zone = table["LocationID"].to_numpy().astype(np.int64)
        known = (zone > 0) & (zone < N_CODES)
        lat[zone[known]] = table["lat"].to_numpy()[known]
        lon[zone[known]] = table["lon"].to_numpy()[known]
        boroughs[zone[known]] = np.array(table["borough"].to_pylist(), dtype=object)[known].astype(str)
    return {"zone_lat": lat, "zone_lon": lon}, boroughs


def _hours(moments: npt.NDArray[np.datetime64]) -> npt.NDArray[np.str_]:
    hour = (moments - moments.astype("M8[D]")).astype("m8[h]").astype(np.int64)
    return np.asarray(np.array([f"{number:02d}" for number in range(24)])[hour])
