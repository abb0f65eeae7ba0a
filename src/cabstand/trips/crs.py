"""Convert coordinates of any reference system (CRS) to longitudes and latitudes in WGS84."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from cabstand.errors import DataError

if TYPE_CHECKING:
    from pyproj import CRS, Transformer

WGS84 = "OGC:CRS84"


@lru_cache(maxsize=32)
def name_of(text: str) -> str:
    """Return the short name of a CRS given as a code, WKT or PROJJSON: `EPSG:2263`; a DataError if it is unknown."""
    crs = _parse(text)
    authority = crs.to_authority()
    return ":".join(authority) if authority else str(crs.name)


def to_lonlat(xy: npt.NDArray[np.float64], crs: str) -> npt.NDArray[np.float64]:
    """Convert points (n, 2), x or longitude first, to degrees in WGS84, longitude first; infinite where impossible."""
    transformer = _transformer(crs)
    if transformer is None or not len(xy):
        return xy
    from pyproj.exceptions import ProjError

    try:
        x, y = transformer.transform(xy[:, 0], xy[:, 1])
    except ProjError as error:
        raise DataError(f"coordinates of CRS {name_of(crs)} cannot be converted to degrees: {error}") from error
    return np.column_stack([x, y])


@lru_cache(maxsize=32)
def _transformer(text: str) -> Transformer | None:
    from pyproj import CRS, Transformer
    from pyproj.exceptions import ProjError

    crs, degrees = _parse(text), CRS(WGS84)
    if crs.equals(degrees, ignore_axis_order=True) or crs.equals(CRS("EPSG:4326"), ignore_axis_order=True):
        return None
    try:
        return Transformer.from_crs(crs, degrees, always_xy=True)
    except ProjError as error:
        what = f"CRS {crs.name} cannot be converted to degrees"
        raise DataError(what, hint="reproject the points to EPSG:4326") from error


def _parse(text: Any) -> CRS:
    from pyproj import CRS
    from pyproj.exceptions import CRSError

    try:
        return CRS.from_user_input(text)
    except CRSError as error:
        raise DataError(f"unknown CRS {str(text)[:60]!r}", hint="reproject the points to EPSG:4326") from error
