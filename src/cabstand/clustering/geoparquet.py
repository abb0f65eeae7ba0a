"""The parts of a GeoParquet 1.1 file of points: geometry, bounding boxes, and the `geo` metadata that describes them.

The geometry is well-known binary in a plain binary column: Parquet's own geometry types keep some readers, such as
polars, from opening the whole file.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyproj import CRS

GEOMETRY, BBOX = "geometry", "bbox"
_SIDES = ("xmin", "ymin", "xmax", "ymax")
_POINT = np.dtype([("order", "u1"), ("kind", "<u4"), ("x", "<f8"), ("y", "<f8")])  # WKB, little endian


def columns(latlon: NDArray[np.float64]) -> dict[str, pa.Array]:
    """Return the columns of points in degrees, shape (n, 2): their geometry, and their boxes, by which readers filter.

    Both have longitude first.
    """
    lat, lon = (pa.array(axis) for axis in latlon.T)
    return {GEOMETRY: wkb_points(latlon), BBOX: pa.StructArray.from_arrays([lon, lat, lon, lat], names=_SIDES)}


def metadata(latlon: NDArray[np.float64]) -> str:
    """Return the value of the file's `geo` key.

    The `crs` is EPSG:4326, which readers of GeoJSON assume as well. Left out it would be OGC:CRS84, and geopandas takes
    the two for different systems although longitude comes first in both files.
    """
    column: dict[str, Any] = {
        "encoding": "WKB",
        "geometry_types": ["Point"],
        "crs": CRS.from_epsg(4326).to_json_dict(),
        "covering": {"bbox": {side: [BBOX, side] for side in _SIDES}},
    }
    if len(latlon):
        (south, west), (north, east) = latlon.min(axis=0), latlon.max(axis=0)
        column["bbox"] = [float(west), float(south), float(east), float(north)]
    return json.dumps({"version": "1.1.0", "primary_column": GEOMETRY, "columns": {GEOMETRY: column}})


def wkb_points(latlon: NDArray[np.float64]) -> pa.Array:
    """Return points as well-known binary, longitude first."""
    binary = np.zeros(len(latlon), _POINT)
    binary["order"], binary["kind"] = 1, 1
    binary["x"], binary["y"] = latlon[:, 1], latlon[:, 0]
    fixed = pa.FixedSizeBinaryArray.from_buffers(
        pa.binary(_POINT.itemsize), len(latlon), [None, pa.py_buffer(binary.tobytes())]
    )
    return fixed.cast(pa.binary())
