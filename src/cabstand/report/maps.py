"""The map of hotspots: data for the interactive map."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from cabstand.report.content import MAP_HOTSPOTS, Content, Json, name_of, part_name

FEW_HOTSPOTS = 50
FAR = 4.0  # times the side of the frame: hotspots further out would leave the rest too small to see


def page_data(content: Content) -> dict[str, Any]:
    """Return what the page's script draws: the zones' outlines and names, and the largest hotspots of each period.

    `frame` is the first view: all hotspots on the map, unless some are far from the rest. `whole` has all of them.
    """
    periods = [content, *content.others]
    spots = [spot for one in periods for spot in one.on_map]
    frame, whole = (frame_of(spots), frame_of(spots, edge=0.0)) if spots else (None, None)
    near = frame and whole and _side(whole) <= FAR * _side(frame)
    return {
        "zones": outlines(content),
        "labels": labels(content),
        "frame": whole if near else frame,
        "whole": whole,
        "n_outside": 0 if near or not frame else sum(not _inside(spot, frame) for spot in content.on_map),
        "periods": [_period(one) for one in periods],
    }


def _period(content: Content) -> dict[str, Any]:
    """Return the hotspots of a period, their densest parts, and the pickups under them."""
    marks = [_mark(spot, name_of(spot), content.weeks is None) for spot in content.on_map]
    outlines = [{"outline": content.outlines.get(spot["id"])} for spot in content.on_map]
    return {
        "title": content.title,
        "timed": content.timed,
        "hotspots": [mark | outline for mark, outline in zip(marks, outlines, strict=True)],
        "parts": [_mark(part, part_name(part)) for part in content.parts[:MAP_HOTSPOTS]],
        "raster": content.raster.page_data if content.raster else None,
        "week": list(content.week) or None,
        "weeks": content.weeks,
    }


def _mark(spot: Json, name: str, with_hours: bool = True) -> dict[str, Any]:
    radius_m, hours = spot["radius_m"], spot["hours"]
    return {
        "name": name,
        "lat": round(spot["lat"], 5),
        "lon": round(spot["lon"], 5),
        "size": spot["size"],
        "radius_m": None if radius_m is None else round(radius_m),
        "hours": [round(share, 5) for share in hours] if hours and with_hours else None,
    }


def _side(box: Sequence[float]) -> float:
    """Return the longer side of a box in degrees."""
    south, west, north, east = box
    return max(north - south, east - west)


def _inside(spot: Json, box: Sequence[float]) -> bool:
    south, west, north, east = box
    return bool(south <= spot["lat"] <= north and west <= spot["lon"] <= east)


def labels(content: Content) -> list[dict[str, Any]]:
    """Return each zone's name and a position inside its largest part, the zones with the most pickups first."""
    from shapely.geometry import shape

    pickups = Counter[str]()
    for spot in content.hotspots:
        pickups[spot["zone"] or ""] += spot["size"]
    found: dict[str, dict[str, Any]] = {}
    for feature in (outlines(content) or {"features": []})["features"]:
        area = shape(feature["geometry"])
        part = max(getattr(area, "geoms", [area]), key=lambda one: one.area)
        at, name = part.representative_point(), feature["properties"]["zone"]
        found.setdefault(name, {"name": name, "lat": round(at.y, 5), "lon": round(at.x, 5), "area": part.area})
    order = sorted(found.values(), key=lambda one: (-pickups[one["name"]], -one["area"]))
    named = [one for one in order if one["name"]]
    return [{key: one[key] for key in ("name", "lat", "lon")} | {"busy": pickups[one["name"]] > 0} for one in named]


def frame_of(spots: Sequence[Json], edge: float = 0.03) -> tuple[float, float, float, float]:
    """Return south, west, north and east of the hotspots; where there are many, without a share `edge` on each side."""
    at = np.array([(spot["lat"], spot["lon"]) for spot in spots])
    edge = edge if len(at) > FEW_HOTSPOTS else 0.0
    low, high = np.quantile(at, [edge, 1 - edge], axis=0)
    margin = np.maximum(0.05 * (high - low), 0.005)
    (south, west), (north, east) = low - margin, high + margin
    return float(south), float(west), float(north), float(east)


def outlines(content: Content) -> dict[str, Any] | None:
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
