"""The static picture of the map: taxi zones, the density of pickups and their hotspots, in light on dark."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import altair as alt
import numpy as np

from cabstand.report import maps
from cabstand.report.content import Content, Json

HOTSPOTS, NAMES, HEIGHT = 400, 24, 760
LAND, SHORE, SPOT, INK = "#1d2433", "#3b465c", "#ffb02e", "#f1f3f5"
DENSITY = ["#24406a", "#2a669c", "#3f9fce", "#8fdcf5"]
WIDTH_PX, HEIGHT_PX = 780, HEIGHT - 60  # about what is left of a picture for the map itself
DEGREE_M = 111_194.93
Box = tuple[float, float, float, float]


def draw(content: Content) -> alt.LayerChart:
    """Draw zones, the density of pickups, hotspots with areas proportional to their pickups, and the busiest names."""
    spots = [{"lat": one["lat"], "lon": one["lon"], "pickups": one["size"]} for one in content.hotspots[:HOTSPOTS]]
    box = south, west, north, east = maps.frame_of(spots)
    layers = [*_zones(content), *_density(content, box), _hotspots(spots), *_names(content, box)]
    corners = {"type": "MultiPoint", "coordinates": [[west, south], [east, north]]}
    fit = {"type": "Feature", "geometry": corners, "properties": {}}
    return alt.layer(*layers).project("mercator", fit=fit).resolve_scale(color="independent").properties(height=HEIGHT)


def _zones(content: Content) -> list[alt.Chart]:
    outlines = maps.outlines(content)
    if not outlines:
        return []
    shapes = alt.Data(values=[_clockwise(feature) for feature in outlines["features"]])
    return [alt.Chart(shapes).mark_geoshape(fill=LAND, stroke=SHORE, strokeWidth=0.7, clip=True)]


def _density(content: Content, box: Box) -> list[alt.Chart]:
    """Draw each cell of the raster with pickups, brighter where there are more."""
    raster = content.raster
    if raster is None:
        return []
    cells, index = np.unique(raster.cell, return_inverse=True)
    counts = np.bincount(index, raster.count)
    lat, lon = raster.centres(cells)
    south, west, north, east = box
    inside = (lat > south) & (lat < north) & (lon > west) & (lon < east)
    rows = zip(lat[inside].round(5), lon[inside].round(5), counts[inside], strict=True)
    values = [{"lat": float(y), "lon": float(x), "n": float(n)} for y, x, n in sorted(rows, key=lambda row: row[2])]
    colour = alt.Color("n:Q", scale=alt.Scale(type="log", range=DENSITY), legend=None)
    side = raster.cell_m / _metres_a_pixel(box)
    # A tuple: Altair copies a list whenever a chart becomes part of another one.
    mark = alt.Chart(alt.Data(values=tuple(values))).mark_circle(size=max(0.75 * side, 1.5) ** 2, opacity=1, clip=True)
    return [mark.encode(longitude="lon:Q", latitude="lat:Q", color=colour)]


def _metres_a_pixel(box: Box) -> float:
    south, west, north, east = box
    wide, high = (east - west) * np.cos(np.radians((south + north) / 2)), north - south
    return float(max(wide / WIDTH_PX, high / HEIGHT_PX)) * DEGREE_M


def _hotspots(spots: Sequence[Json]) -> alt.Chart:
    legend = alt.Legend(format=",.0f", values=_sizes(spots), orient="bottom-right", offset=16)
    size = alt.Size("pickups:Q", scale=alt.Scale(range=[6, 900]), legend=legend)
    mark = alt.Chart(alt.Data(values=list(spots)))
    return mark.mark_circle(
        fill=SPOT, fillOpacity=0.5, stroke=SPOT, strokeWidth=1.4, strokeOpacity=1, opacity=1, clip=True
    ).encode(longitude="lon:Q", latitude="lat:Q", size=size)


def _sizes(spots: Sequence[Json]) -> list[int]:
    """Return round numbers of pickups for a legend, the largest about that of the largest hotspot."""
    most = max(int(spot["pickups"]) for spot in spots)
    unit = 10 ** (len(str(most)) - 1)
    top = max(most // unit * unit, 1)
    return sorted({max(top // part, 1) for part in (1, 2, 10)})


def _names(content: Content, box: Box) -> list[alt.Chart]:
    """Write the names of zones with hotspots, the busiest first, inside the frame and apart from each other."""
    south, west, north, east = box
    wide, high = (east - west) / 6.5, (north - south) / 32
    shown: list[Json] = []
    for one in (label for label in maps.labels(content) if label["busy"]):
        inside = south + high < one["lat"] < north - high and west + wide / 2 < one["lon"] < east - wide / 2
        near = (abs(one["lat"] - other["lat"]) < high and abs(one["lon"] - other["lon"]) < wide for other in shown)
        if inside and not any(near):
            shown.append(one)
    chart = alt.Chart(alt.Data(values=shown[:NAMES])).encode(longitude="lon:Q", latitude="lat:Q", text="name:N")
    halo = chart.mark_text(fontSize=11, stroke="#10151f", strokeWidth=3, strokeJoin="round", opacity=0.75)
    return [halo, chart.mark_text(fontSize=11, color=INK)]


def _clockwise(feature: dict[str, Any]) -> dict[str, Any]:
    """Return a feature with clockwise rings, as the drawing library needs them; the standard has the reverse."""
    from shapely.geometry import mapping, shape
    from shapely.geometry.polygon import orient

    area = shape(feature["geometry"])
    parts = [orient(part, sign=-1.0) for part in getattr(area, "geoms", [area])]
    shapes = {"type": "MultiPolygon", "coordinates": [mapping(part)["coordinates"] for part in parts]}
    return {"type": "Feature", "geometry": shapes, "properties": {}}
