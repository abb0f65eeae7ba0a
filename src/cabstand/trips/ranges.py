"""Recognise coordinates that are no latitudes and longitudes in degrees, by their range."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from cabstand.errors import DataError
from cabstand.trips import crs
from cabstand.trips.clean import TripBounds

Points = npt.NDArray[np.float64]

_AREA = TripBounds()
_SWAP = "exchange them: --lat-column and --lon-column name the columns"
_DEGREES = "convert them to degrees, or give GeoParquet or GeoJSON that names their CRS"
_MERCATOR = 20_048_967  # metres, the largest coordinate of Web Mercator
_PROJECTIONS = {
    "EPSG:2263": "feet of the New York state plane (EPSG:2263)",
    "EPSG:32118": "metres of the New York state plane (EPSG:32118)",
    "EPSG:32618": "metres of UTM zone 18 (EPSG:32618)",
    "EPSG:3857": "metres of Web Mercator (EPSG:3857)",
}
_FACTORS = {1e6: "micro-degrees", 1e7: "degrees times ten million (E7)", 1e5: "degrees times 100,000"}
_FACTORS |= {1e4: "degrees times 10,000", 1e3: "milli-degrees", 3600.0: "seconds of arc", 60.0: "minutes of arc"}


class Likeness(NamedTuple):
    """What some coordinates look like."""

    what: str
    hint: str

    def error(self, latlon: Points) -> DataError:
        """Return the error about points (n, 2) that look like this."""
        return DataError(f"{extent(latlon)} look like {self.what}", hint=self.hint)


def looks_like(latlon: Points) -> Likeness | None:
    """Return what points (n, 2) look like if they are certainly not latitudes and longitudes in degrees, else None.

    Points that may be anywhere on the Earth are taken as they are, unless they are near New York when read otherwise,
    or in Antarctica and, exchanged, in the United States.
    """
    if not len(latlon):
        return None
    lat, lon = np.median(latlon, axis=0)
    if _is_near(lat, lon):
        return None
    if _is_near(lon, lat) or (90 < abs(lat) <= 180 and abs(lon) <= 90) or (-90 <= lat < -60 and 24 < lon < 50):
        return Likeness("longitudes and latitudes in exchanged columns", _SWAP)
    if _is_near(*np.degrees((lat, lon))) or _is_near(*np.degrees((lon, lat))):
        return Likeness("radians", "convert them to degrees")
    return _beyond(lat, lon)


def extent(latlon: Points) -> str:
    """Return the ranges of points (n, 2) but for the outermost hundredths, in words."""
    (south, west), (north, east) = np.percentile(latlon, (1, 99), axis=0)
    return f"latitudes of {_shown(south)} to {_shown(north)} and longitudes of {_shown(west)} to {_shown(east)}"


def _shown(value: float) -> str:
    return f"{value:,.0f}" if abs(value) > 1000 else f"{value:.5g}"


def _is_near(lat: float, lon: float) -> bool:
    """Return whether a point is in the area around New York."""
    return bool(_AREA.south <= lat <= _AREA.north and _AREA.west <= lon <= _AREA.east)


def _beyond(lat: float, lon: float) -> Likeness | None:
    """Return what a point beyond the range of degrees looks like; None if it is not, or only a little."""
    size = max(abs(lat), abs(lon))
    if size <= 1000:
        return None
    for factor, name in _FACTORS.items():
        if _is_either_near(lambda a, b, by=factor: (a / by, b / by), lat, lon):  # type: ignore[misc]
            return Likeness(name, "convert them to degrees")
    for code, name in _PROJECTIONS.items():
        if _is_either_near(lambda a, b, by=code: _unprojected(a, b, by), lat, lon):  # type: ignore[misc]
            return Likeness(name, _DEGREES)
    if size > _MERCATOR:
        million = abs(lat) <= 90e6 and abs(lon) <= 180e6
        return Likeness("micro-degrees" if million else "degrees times ten million (E7)", "convert them to degrees")
    return Likeness("metres or feet of a projection, such as Web Mercator, UTM or a state plane", _DEGREES)


def _is_either_near(convert: Callable[[float, float], tuple[float, float]], lat: float, lon: float) -> bool:
    return _is_near(*convert(lat, lon)) or _is_near(*convert(lon, lat))


def _unprojected(y: float, x: float, code: str) -> tuple[float, float]:
    lon, lat = crs.to_lonlat(np.array([[x, y]]), code)[0]
    return lat, lon
