"""The map of hotspots: data for the interactive map, and a static picture."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import altair as alt
import numpy as np

from cabstand.report.content import MAP_HOTSPOTS, Content, Json, name_of, part_name

PICTURE_HOTSPOTS, PICTURE_NAMES = 400, 30
FEW_HOTSPOTS = 50


def page_data(content: Content) -> dict[str, Any]:
    """Return what the page's script draws: the zones' outlines and names, and the largest hotspots."""
    zones = _outlines(content)
    spots = [_mark(spot, name_of(spot)) | {"outline": content.outlines.get(spot["id"])} for spot in content.on_map]
    parts = [_mark(part, part_name(part)) for part in content.parts[:MAP_HOTSPOTS]]
    frame = _frame(content.on_map[:PICTURE_HOTSPOTS]) if spots else None
    return {"zones": zones, "labels": labels(content), "frame": frame, "hotspots": spots, "parts": parts}


def _mark(spot: Json, name: str) -> dict[str, Any]:
    fields = {field: spot[field] for field in ("lat", "lon", "size", "hours")}
    radius_m = spot["radius_m"]
    return fields | {"name": name, "radius_m": None if radius_m is None else round(radius_m)}


def labels(content: Content) -> list[dict[str, Any]]:
    """Return each zone's name and a position inside its largest part, the zones with the most pickups first."""
    from shapely.geometry import shape

    pickups = Counter[str]()
    for spot in content.hotspots:
        pickups[spot["zone"] or ""] += spot["size"]
    found: dict[str, dict[str, Any]] = {}
    for feature in (_outlines(content) or {"features": []})["features"]:
        area = shape(feature["geometry"])
        part = max(getattr(area, "geoms", [area]), key=lambda one: one.area)
        at, name = part.representative_point(), feature["properties"]["zone"]
        found.setdefault(name, {"name": name, "lat": round(at.y, 5), "lon": round(at.x, 5), "area": part.area})
    order = sorted(found.values(), key=lambda one: (-pickups[one["name"]], -one["area"]))
    return [{key: one[key] for key in ("name", "lat", "lon")} for one in order if one["name"]]


def picture(content: Content) -> alt.LayerChart:
    """Draw outlines and hotspots, the area of a mark proportional to its pickups, and name the busiest zones."""
    spots = [{"lat": one["lat"], "lon": one["lon"], "pickups": one["size"]} for one in content.hotspots]
    south, west, north, east = _frame(spots[:PICTURE_HOTSPOTS])
    legend = alt.Legend(format=",.0f", values=_sizes(spots))
    marks = (
        alt.Chart(alt.Data(values=spots[:PICTURE_HOTSPOTS]))
        .mark_circle(opacity=0.65, color="#e8590c", clip=True)
        .encode(
            longitude="lon:Q",
            latitude="lat:Q",
            size=alt.Size("pickups:Q", scale=alt.Scale(range=[4, 900]), legend=legend),
        )
    )
    layers: list[Any] = [marks]
    outlines = _outlines(content)
    if outlines:
        shapes = alt.Data(values=[_clockwise(feature) for feature in outlines["features"]])
        area = alt.Chart(shapes).mark_geoshape(fillOpacity=0.08, fill="#868e96", stroke="#868e96", clip=True)
        busy = {spot["zone"] for spot in content.hotspots}
        names = [one for one in labels(content) if one["name"] in busy]
        layers = [area, marks, _names(names, (south, west, north, east))]
    box = {"type": "MultiPoint", "coordinates": [[west, south], [east, north]]}
    corners = {"type": "Feature", "geometry": box, "properties": {}}
    return alt.layer(*layers).project("mercator", fit=corners).properties(height=620)


def _sizes(spots: Sequence[Json]) -> list[int]:
    """Return round numbers of pickups for a legend, the largest about that of the largest hotspot."""
    most = max(int(spot["pickups"]) for spot in spots)
    unit = 10 ** (len(str(most)) - 1)
    top = max(most // unit * unit, 1)
    return sorted({max(top // part, 1) for part in (1, 2, 10)})


def _frame(spots: Sequence[Json]) -> tuple[float, float, float, float]:
    """Return south, west, north and east of the hotspots, where there are many without the outermost few."""
    at = np.array([(spot["lat"], spot["lon"]) for spot in spots])
    edge = 0.03 if len(at) > FEW_HOTSPOTS else 0.0
    low, high = np.quantile(at, [edge, 1 - edge], axis=0)
    margin = np.maximum(0.05 * (high - low), 0.005)
    (south, west), (north, east) = low - margin, high + margin
    return float(south), float(west), float(north), float(east)


def _names(names: Sequence[Json], frame: tuple[float, float, float, float]) -> alt.Chart:
    """Write the names of zones, the busiest first, where they are inside the frame and far from each other."""
    south, west, north, east = frame
    shown: list[Json] = []
    for one in names:
        inside = south < one["lat"] < north and west < one["lon"] < east
        near = (
            abs(one["lat"] - other["lat"]) < (north - south) / 30 and abs(one["lon"] - other["lon"]) < (east - west) / 3
            for other in shown
        )
        if inside and not any(near):
            shown.append(one)
    chart = alt.Chart(alt.Data(values=shown[:PICTURE_NAMES])).mark_text(fontSize=11, color="#212529")
    return chart.encode(longitude="lon:Q", latitude="lat:Q", text="name:N")


def _outlines(content: Content) -> dict[str, Any] | None:
    """Return the zones that have a shape, with their names."""
    if not content.zones:
        return None
    features = [
        {
            "type": "Feature",
            "properties": {"zone": feature["properties"].get("zone")},
            "geometry": feature["geometry"],
        }
        for feature in content.zones["features"]
        if feature["geometry"]
    ]
    return {"type": "FeatureCollection", "features": features}


def _clockwise(feature: dict[str, Any]) -> dict[str, Any]:
    """Return a feature with clockwise rings, as the drawing library needs them; the standard has the reverse."""
    from shapely.geometry import mapping, shape
    from shapely.geometry.polygon import orient

    area = shape(feature["geometry"])
    parts = [orient(part, sign=-1.0) for part in getattr(area, "geoms", [area])]
    shapes = {"type": "MultiPolygon", "coordinates": [mapping(part)["coordinates"] for part in parts]}
    return {"type": "Feature", "geometry": shapes, "properties": {}}
