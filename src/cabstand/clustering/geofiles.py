"""Hotspots, labels and core points as tables: GeoParquet 1.1 and GeoJSON, which any GIS can open."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from cabstand.clustering import geoparquet
from cabstand.clustering.hotspots import Hotspots
from cabstand.clustering.parts import Parts

SCHEMA_VERSION = 1


def hotspots_table(hotspots: Hotspots, zones: Sequence[str] | None, eps_m: float) -> pa.Table:
    """Return one row for each cluster, with a point geometry at its centroid and, if given, the nearest zone's name.

    The radius of the clustering goes into the file's metadata.
    """
    k = len(hotspots)
    columns: dict[str, pa.Array] = {
        "id": pa.array(np.arange(k, dtype=np.int32)),
        "size": pa.array(hotspots.size.astype(np.int64)),
        "core": pa.array(hotspots.core),
        "weight": pa.array(hotspots.weight),
        "lat": pa.array(hotspots.centroid[:, 0]),
        "lon": pa.array(hotspots.centroid[:, 1]),
        "radius_m": pa.array(hotspots.radius_m, from_pandas=True),  # null where it means nothing
        "area_km2": pa.array(hotspots.area_km2, from_pandas=True),
        "density_per_km2": pa.array(hotspots.density_per_km2, from_pandas=True),
        "hours": _lists(hotspots.hours, k),
        "weekdays": _lists(hotspots.weekdays, k),
        "zone": pa.array(zones, pa.string()) if zones is not None else pa.nulls(k, pa.string()),
    }
    table = pa.table(columns | geoparquet.columns(hotspots.centroid))
    geo = geoparquet.metadata(hotspots.centroid)
    return table.replace_schema_metadata({"geo": geo, "schema_version": str(SCHEMA_VERSION), "eps_m": repr(eps_m)})


def parts_table(described: Hotspots, parts: Parts, zones: Sequence[str] | None, eps_m: float) -> pa.Table:
    """Return one row for each part of a hotspot: what `hotspots_table` has, and which hotspot it is a part of."""
    table = hotspots_table(described, zones, eps_m)
    for name, values in (("hotspot", parts.cluster), ("part_eps_m", parts.eps_m), ("spread_m", parts.spread_m)):
        table = table.append_column(name, pa.array(values))
    return table


def labels_table(
    row: NDArray[np.int64], labels: NDArray[np.int32], core: NDArray[np.bool_], part: NDArray[np.int32] | None = None
) -> pa.Table:
    """Return one row for each point, in input order, with the `part` of its hotspot where there are parts."""
    table = pa.table({"row": pa.array(row), "label": pa.array(labels), "core": pa.array(core)})
    if part is not None:
        table = table.append_column("part", pa.array(part))
    return table.replace_schema_metadata({"schema_version": str(SCHEMA_VERSION)})


def cores_table(points: NDArray[np.float64], clusters: NDArray[np.int32], counts: NDArray[np.int64]) -> pa.Table:
    """Return one row for each position of core points; see `distinct_points.distinct_core_points`."""
    columns = {
        "lat": pa.array(points[:, 0]),
        "lon": pa.array(points[:, 1]),
        "cluster": pa.array(clusters),
        "count": pa.array(counts),
    }
    return pa.table(columns).replace_schema_metadata({"schema_version": str(SCHEMA_VERSION)})


def feature_collection(table: pa.Table, facts: dict[str, Any]) -> dict[str, Any]:
    """Return the rows of `hotspots_table` as GeoJSON (RFC 7946: longitude first) with `facts` as foreign members."""
    rows = table.drop_columns([geoparquet.GEOMETRY, geoparquet.BBOX]).to_pylist()
    features = [
        {
            "type": "Feature",
            "id": row["id"],
            "geometry": {"type": "Point", "coordinates": [round(row["lon"], 7), round(row["lat"], 7)]},
            "properties": {name: _short(value) for name, value in row.items()},
        }
        for row in rows
    ]
    return {"type": "FeatureCollection", "schema_version": SCHEMA_VERSION, **facts, "features": features}


def _lists(shares: NDArray[np.float64] | None, k: int) -> pa.Array:
    # Not lists of fixed size: pyarrow 25 cannot read Parquet files with a null among those.
    if shares is None:
        return pa.nulls(k, pa.list_(pa.float64()))
    offsets = np.arange(k + 1, dtype=np.int32) * np.int32(shares.shape[1])
    return pa.ListArray.from_arrays(offsets, pa.array(shares.ravel()))


def _short(value: Any) -> Any:
    match value:
        case float():
            return round(value, 7) if math.isfinite(value) else None  # JSON has no word for the others
        case list():
            return [round(item, 4) for item in value]
        case _:
            return value
