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
    """Name the zone that contains each point, or else the nearest; points are in degrees, shape (n, 2).

    `zones` is a GeoJSON FeatureCollection of polygons in WGS84, each with a property `zone`; otherwise DataError.
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
