"""The map of hotspots: data for the interactive map, and a static picture."""

from __future__ import annotations

from typing import Any

import altair as alt

from cabstand.report.content import MAP_HOTSPOTS, Content, Json, name_of, part_name

PICTURE_HOTSPOTS = 400


def page_data(content: Content) -> dict[str, Any]:
    """Return what the page's script draws: the zones' outlines and the largest hotspots."""
    spots = [_mark(spot, name_of(spot)) for spot in content.hotspots[:MAP_HOTSPOTS]]
    parts = [_mark(part, part_name(part)) for part in content.parts[:MAP_HOTSPOTS]]
    return {"zones": _outlines(content), "hotspots": spots, "parts": parts}


def _mark(spot: Json, name: str) -> dict[str, Any]:
    fields = {field: spot[field] for field in ("lat", "lon", "size", "hours")}
    radius_m = spot["radius_m"]
    return fields | {"name": name, "radius_m": None if radius_m is None else round(radius_m)}


def picture(content: Content) -> alt.LayerChart:
    """Draw outlines and hotspots, the area of a mark proportional to its pickups."""
    spots = [{"lat": one["lat"], "lon": one["lon"], "pickups": one["size"]} for one in content.hotspots]
    marks = (
        alt.Chart(alt.Data(values=spots[:PICTURE_HOTSPOTS]))
        .mark_circle(opacity=0.65, color="#e8590c")
        .encode(
            longitude="lon:Q",
            latitude="lat:Q",
            size=alt.Size("pickups:Q", scale=alt.Scale(range=[4, 900]), legend=alt.Legend(format=",.0f")),
        )
    )
    layers: list[Any] = [marks]
    outlines = _outlines(content)
    if outlines:
        shapes = alt.Data(values=[_clockwise(feature) for feature in outlines["features"]])
        layers.insert(0, alt.Chart(shapes).mark_geoshape(fillOpacity=0.08, fill="#868e96", stroke="#868e96"))
    return alt.layer(*layers).project("mercator").properties(width=760, height=620)


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
