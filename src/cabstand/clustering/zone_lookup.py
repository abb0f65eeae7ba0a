"""Look up the taxi zone that contains a point, or else the nearest one."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from cabstand.errors import DataError


def nearest_zones(latlon: NDArray[np.float64], zones: Mapping[str, Any]) -> list[str]:
    """Name the zone of each point.

    Parameters
    ----------
    latlon : ndarray of float64, shape (n, 2)
        Points in degrees.
    zones : mapping
        GeoJSON FeatureCollection of polygons in WGS84, each with a property `zone`.

    Returns
    -------
    list of str
        Name of the zone that contains each point; outside all zones, of the nearest.

    Raises
    ------
    DataError
        If `zones` is not such a collection.
    """
    try:
        features = zones["features"]
        names = [str(feature["properties"]["zone"]) for feature in features]
        shapes = shapely.from_geojson([json.dumps(feature["geometry"]) for feature in features])
    except (KeyError, TypeError, shapely.errors.GEOSException) as error:
        raise DataError(f"not a GeoJSON collection of zones: {error}", where="zones") from error
    if not names or not len(latlon):
        return [""] * len(latlon)
    # A degree of longitude is shorter than one of latitude: stretch the map so that near means near.
    scale = float(np.cos(np.radians(latlon[:, 0].mean())))
    tree = shapely.STRtree(shapely.transform(shapes, lambda lonlat: lonlat * [scale, 1.0]))
    nearest = np.atleast_1d(tree.nearest(shapely.points(latlon[:, 1] * scale, latlon[:, 0])))
    return [names[index] for index in nearest]
