"""Zones: the TLC's zone files into the lake, as names with centroids (Parquet) and outlines (GeoJSON)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import pyarrow.parquet as pq

from cabstand.errors import StorageError
from cabstand.io import sources, storage
from cabstand.settings import Settings
from cabstand.trips import zones

Outlines = tuple[dict[str, Any], str]


@dataclass(frozen=True)
class Params:
    """Where the zone files are.

    Attributes
    ----------
    source : str
        Folder, prefix or web address that holds `taxi_zones.zip` and `taxi_zone_lookup.csv`; empty is the TLC's.
    dry_run : bool
        Say what would be done, and do nothing.
    """

    source: str = ""
    dry_run: bool = False


def run(settings: Settings, params: Params) -> dict[str, Any]:
    """Convert the zone files and return their addresses and what was odd about them.

    Raises
    ------
    DataError, StorageError
        If a file is not what it should be, or cannot be fetched.
    """
    base = (params.source or settings.zones_url).rstrip("/")
    where = {"zones_uri": table_uri(settings), "outlines_uri": outlines_uri(settings)}
    if params.dry_run:
        return {"dry_run": True, "source": base} | where
    with (
        sources.local_copy(settings, f"{base}/taxi_zones.zip") as shapes,
        sources.local_copy(settings, f"{base}/taxi_zone_lookup.csv") as lookup,
    ):
        found = zones.convert(shapes.path, lookup.path)
    publish(settings, found)
    n_placed = found.table.num_rows - found.table["lat"].null_count
    return {"n_zones": found.table.num_rows, "n_with_centroid": n_placed, "synthetic": False} | found.report | where


def table_uri(settings: Settings) -> str:
    """Return where names and centroids stand."""
    return storage.join(settings.lake_uri, "zones", "zones.parquet")


def outlines_uri(settings: Settings) -> str:
    """Return where the outlines stand."""
    return storage.join(settings.lake_uri, "zones", "zones.geojson")


def outlines(settings: Settings) -> Outlines | None:
    """Return the lake's zone polygons and the tag of their file, if it has any."""
    uri = outlines_uri(settings)
    if not storage.exists(uri):
        return None
    content, tag = storage.read_tagged(uri)
    return json.loads(content), tag


def publish(settings: Settings, found: zones.ZoneSet, *, only_over_synthetic: bool = False) -> bool:
    """Write the zones to the lake, and say whether it was done.

    Parameters
    ----------
    settings : Settings
        Names the lake.
    found : ZoneSet
        What to write.
    only_over_synthetic : bool
        Leave real zones alone.
    """
    if only_over_synthetic and _holds_real(settings):
        return False
    noted = {**found.table.schema.metadata, b"cabstand.synthetic": str(found.synthetic).lower().encode()}
    with storage.staged(outlines_uri(settings)) as path:
        path.write_text(json.dumps(found.geojson, separators=(",", ":")))
    with storage.staged(table_uri(settings)) as path:
        pq.write_table(found.table.replace_schema_metadata(noted), path, compression="zstd")
    return True


def _holds_real(settings: Settings) -> bool:
    try:
        with storage.fetched(table_uri(settings)) as path:
            noted = pq.read_schema(path).metadata or {}
    except StorageError:
        return False
    return bool(noted.get(b"cabstand.synthetic") != b"true")
