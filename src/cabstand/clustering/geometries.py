"""Read the points of geopandas' tables by their own methods: geopandas is not imported."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

_WGS84 = "EPSG:4326"


def has_geometries(x: Any) -> bool:
    """Return whether `x` is a GeoDataFrame or GeoSeries, or behaves like one."""
    return all(hasattr(type(x), name) for name in ("geometry", "crs", "to_crs"))


def from_geometries(x: Any, metric: object) -> NDArray[np.float64]:
    """Return points, shape (n, 2): latitude and longitude in degrees, or for another metric x and y in metres.

    ValueError if a geometry is missing, empty or not a point, or the CRS is unknown or not in metres.
    """
    try:
        geometry = x.geometry
    except AttributeError as error:
        raise ValueError("the GeoDataFrame has no active geometry; choose one with set_geometry") from error
    _check_points(geometry)
    if metric == "haversine":
        if geometry.crs is None:
            raise ValueError(
                "the geometries have no CRS; set it, as in X.set_crs(4326), or pass latitude and longitude"
            )
        degrees = geometry.to_crs(_WGS84)
        return np.column_stack([degrees.y, degrees.x]).astype(np.float64)
    unit = _unit(geometry.crs)
    if unit not in {None, "metre"}:
        raise ValueError(f"the geometries are in units of one {unit}, not in metres; project them with to_crs")
    return np.column_stack([geometry.x, geometry.y]).astype(np.float64)


def _check_points(geometry: Any) -> None:
    kinds = np.asarray(geometry.geom_type, object)
    empty = np.asarray(geometry.isna() | geometry.is_empty, bool)
    if empty.any():
        raise ValueError(f"row {int(np.argmax(empty))} has no geometry; leave such rows out")
    other = kinds != "Point"
    if other.any():
        row = int(np.argmax(other))
        how = "explode" if kinds[row] == "MultiPoint" else "centroid"
        raise ValueError(f"row {row}: a {kinds[row]}, but points are required; see geopandas' {how}")


def _unit(crs: Any) -> str | None:
    """Return the unit of a CRS; None if there is none."""
    axes = getattr(crs, "axis_info", None)
    return str(axes[0].unit_name) if axes else None
