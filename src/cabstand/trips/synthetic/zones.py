"""Zones of the made-up city: each region cut into equal rectangles."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from cabstand.trips.synthetic import city
from cabstand.trips.zones import DECIMALS, ZONES, ZoneSet


def synthetic_zones() -> ZoneSet:
    """Return the zones that synthetic trips of the zone era refer to, marked as synthetic."""
    rows: list[dict[str, Any]] = []
    features = []
    for region in city.REGIONS:
        side_u = (region.u1 - region.u0) / region.zones_u
        side_v = (region.v1 - region.v0) / region.zones_v
        for index in range(region.zones_u * region.zones_v):
            along, across = divmod(index, region.zones_v)
            u0, v0 = region.u0 + along * side_u, region.v0 + across * side_v
            lat, lon = city.to_degrees(np.array([u0 + side_u / 2]), np.array([v0 + side_v / 2]))
            about = {
                "LocationID": len(rows) + 1,
                "zone": f"{region.name} {along + 1}-{across + 1} (synthetic)",
                "borough": region.name,
            }
            rows.append(about | {"lat": float(lat[0]), "lon": float(lon[0])})
            features.append({"type": "Feature", "properties": about, "geometry": _rectangle(u0, v0, side_u, side_v)})
    table = pa.Table.from_pylist(rows, schema=ZONES)
    return ZoneSet(table, {"type": "FeatureCollection", "features": features, "synthetic": True}, {}, synthetic=True)


def _rectangle(u0: float, v0: float, side_u: float, side_v: float) -> dict[str, Any]:
    u = u0 + np.array([0.0, side_u, side_u, 0.0, 0.0])
    v = v0 + np.array([0.0, 0.0, side_v, side_v, 0.0])
    lat, lon = (np.round(degrees, DECIMALS) for degrees in city.to_degrees(u, v))
    return {"type": "Polygon", "coordinates": [np.column_stack([lon, lat]).tolist()]}
