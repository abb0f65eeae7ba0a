"""Convert the TLC's zone shapefile and lookup table to names, centroids and outlines in degrees.

LocationIDs 56 and 103 occur more than once in the shapefile; their polygons are merged. 57, 104 and 105 occur in the
table alone and have no centroid. Both are reported. "N/A" is a zone's name in the table.
"""

from __future__ import annotations

import csv
import io
import json
import zipfile
from collections import Counter
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from cabstand.errors import DataError

SCHEMA_VERSION = 1
ZONES: pa.Schema = pa.schema(
    [
        pa.field("LocationID", pa.int32(), nullable=False, metadata={"unit": "TLC number"}),
        pa.field("zone", pa.string(), metadata={"unit": "name"}),
        pa.field("borough", pa.string(), metadata={"unit": "name"}),
        pa.field("lat", pa.float64(), metadata={"unit": "degrees north, WGS84", "description": "centroid"}),
        pa.field("lon", pa.float64(), metadata={"unit": "degrees east, WGS84", "description": "centroid"}),
    ],
    metadata={"cabstand.schema": "zones", "cabstand.schema_version": str(SCHEMA_VERSION)},
)

MAX_MEMBER_BYTES = 64 * 2**20  # the real shapes are 1.6 MB
TOLERANCE_FT = 60.0  # how far a simplified outline may be from the true one: 18 m
DECIMALS = 5


@dataclass(frozen=True)
class ZoneSet:
    """Zones with their outlines."""

    table: pa.Table  # schema `ZONES`, one row per LocationID, rising
    geojson: dict[str, Any]  # a FeatureCollection of the zones that have a shape
    report: dict[str, Any] = field(default_factory=dict)  # LocationIDs without shape or name, or with several shapes
    synthetic: bool = False


class Centroids:
    """Centroids by LocationID, from a table of schema `ZONES`."""

    def __init__(self, table: pa.Table) -> None:
        ids = np.asarray(table["LocationID"]).astype(np.int64)
        size = int(ids.max(initial=0)) + 1
        self._latlon = np.full((size, 2), np.nan)
        self._latlon[ids, 0] = np.asarray(table["lat"].combine_chunks().fill_null(np.nan))
        self._latlon[ids, 1] = np.asarray(table["lon"].combine_chunks().fill_null(np.nan))

    def locate(self, ids: npt.NDArray[np.integer[Any]]) -> npt.NDArray[np.float64]:
        """Return latitude and longitude (degrees) of each ID; shape (n, 2), NaN where unknown."""
        known = (ids >= 0) & (ids < len(self._latlon))
        latlon = self._latlon[np.where(known, ids, 0)]
        latlon[~known] = np.nan
        return latlon


def convert(shapes: Path, lookup: Path) -> ZoneSet:
    """Return the zones of `taxi_zones.zip`, a shapefile in EPSG:2263 (US survey feet), and `taxi_zone_lookup.csv`."""
    names = read_lookup(lookup)
    outlines, counts = _read_shapes(shapes)
    rows, features = [], []
    for location_id in sorted(set(names) | set(outlines)):
        zone, borough = names.get(location_id, (None, None))
        lat, lon, geometry = _centroid_and_outline(outlines.get(location_id))
        properties: dict[str, Any] = {"LocationID": location_id, "zone": zone, "borough": borough}
        rows.append(properties | {"lat": lat, "lon": lon})
        if geometry is not None:
            features.append({"type": "Feature", "properties": properties, "geometry": geometry})
    report = {
        "duplicate_ids": {str(key): count for key, count in sorted(counts.items()) if count > 1},
        "ids_without_shape": sorted(set(names) - set(outlines)),
        "ids_without_name": sorted(set(outlines) - set(names)),
    }
    return ZoneSet(
        pa.Table.from_pylist(rows, schema=ZONES), {"type": "FeatureCollection", "features": features}, report
    )


def read_lookup(path: Path) -> dict[int, tuple[str, str]]:
    """Return zone and borough of each LocationID; the text `N/A` is kept."""
    try:
        rows = list(csv.DictReader(io.StringIO(path.read_text("utf-8-sig"))))
        found = {int(row["LocationID"]): (row["Zone"], row["Borough"]) for row in rows}
    except (KeyError, ValueError, TypeError, csv.Error) as error:
        raise DataError(f"not the zone lookup table: {error}", where=path) from error
    if len(found) != len(rows) or not found:
        raise DataError("a LocationID occurs twice, or there is none", where=path)
    return found


def _read_shapes(path: Path) -> tuple[dict[int, Any], Counter[int]]:
    """Return the outline of each LocationID in feet, and how many shapes each had."""
    import shapefile
    import shapely
    from shapely.geometry import shape

    try:
        parts: dict[int, list[Any]] = {}
        with shapefile.Reader(**_members(path)) as reader:
            for entry in reader.iterShapeRecords(fields=["LocationID"]):
                parts.setdefault(int(entry.record["LocationID"]), []).append(shape(entry.shape.__geo_interface__))
    except (zipfile.BadZipFile, shapefile.ShapefileException, KeyError, ValueError) as error:
        raise DataError(f"not a zipped shapefile of taxi zones: {error}", where=path) from error
    counts = Counter({location_id: len(shapes) for location_id, shapes in parts.items()})
    return {location_id: shapely.union_all(shapes) for location_id, shapes in parts.items()}, counts


def _members(path: Path) -> dict[str, io.BytesIO]:
    with zipfile.ZipFile(path) as archive:
        found: dict[str, io.BytesIO] = {}
        for info in archive.infolist():
            kind = Path(info.filename).suffix[1:].lower()
            if kind not in {"shp", "dbf", "shx"} or info.filename.startswith("__"):
                continue
            if info.file_size > MAX_MEMBER_BYTES:
                raise DataError(f"{info.filename} claims {info.file_size:,} bytes", where=path)
            found[kind] = io.BytesIO(archive.read(info))
    if not {"shp", "dbf"} <= set(found):
        raise DataError("no .shp and .dbf inside", where=path)
    return found


def _centroid_and_outline(outline: Any) -> tuple[float | None, float | None, dict[str, Any] | None]:
    """Return the centroid (computed in the plane) in degrees, and the simplified outline as GeoJSON."""
    if outline is None:
        return None, None, None
    import shapely
    from shapely.geometry import mapping

    centre = shapely.transform(outline.centroid, _to_degrees)
    simple = shapely.transform(outline.simplify(TOLERANCE_FT), lambda points: np.round(_to_degrees(points), DECIMALS))
    geometry: dict[str, Any] = json.loads(json.dumps(mapping(simple)))
    return float(centre.y), float(centre.x), geometry


def _to_degrees(feet: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return np.column_stack(_transformer().transform(feet[:, 0], feet[:, 1]))


@cache  # creating it takes 20 ms
def _transformer() -> Any:
    """Return the transformer from US survey feet to longitude and latitude."""
    from pyproj import Transformer

    return Transformer.from_crs("EPSG:2263", "EPSG:4326", always_xy=True)
