"""The hotspots of a page as files that the page itself carries: CSV for spreadsheets, GeoJSON for maps."""

from __future__ import annotations

import base64
import csv
import io
import json
from typing import Any

from cabstand.report.content import Content, Json, busiest_hour, name_of

MOST_ROWS = 20_000
COLUMNS = ("id", "name", "pickups", "latitude", "longitude", "radius_m", "density_per_km2", "busiest_hour")
MARKS = ("synthetic", "by_zone")  # of the points: said with every row, since a file goes where the page does not


def csv_address(content: Content) -> str:
    """Return the largest hotspots as a data URI of a CSV file."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS + MARKS, lineterminator="\r\n")
    writer.writeheader()
    for spot in content.hotspots[:MOST_ROWS]:
        row = _row(content, spot)
        writer.writerow(row | {"name": _plain(row["name"])})
    return _address("text/csv;charset=utf-8", text.getvalue())


def geojson_address(content: Content) -> str:
    """Return the hotspots on the map as a data URI of GeoJSON: outlines, or points where there are none."""
    features = [
        {"type": "Feature", "id": spot["id"], "geometry": _geometry(content, spot), "properties": _row(content, spot)}
        for spot in content.on_map
    ]
    return _address("application/geo+json", json.dumps({"type": "FeatureCollection", "features": features}))


def _row(content: Content, spot: Json) -> dict[str, Any]:
    values = (
        *(spot["id"], name_of(spot), spot["size"], spot["lat"], spot["lon"], spot["radius_m"]),
        *(spot["density_per_km2"], busiest_hour(spot)),
    )
    source = content.clustering["source"]
    return dict(zip(COLUMNS, values, strict=True)) | {mark: bool(source.get(mark)) for mark in MARKS}


def _plain(name: str) -> str:
    """Keep a spreadsheet from taking a name for a formula."""
    return f"'{name}" if name[:1] in tuple("=+-@\t\r") else name


def _geometry(content: Content, spot: Json) -> dict[str, Any]:
    ring = content.outlines.get(spot["id"])
    if ring is None:
        return {"type": "Point", "coordinates": [spot["lon"], spot["lat"]]}
    return {"type": "Polygon", "coordinates": [ring]}


def _address(kind: str, text: str) -> str:
    return f"data:{kind};base64,{base64.b64encode(text.encode()).decode()}"
