"""The taxi zones in the lake: names with centroids (Parquet) and outlines (GeoJSON)."""

from __future__ import annotations

import json
from collections.abc import Collection
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow.parquet as pq

from cabstand.io import storage
from cabstand.trips.zones import ZoneSet


class Outlines(NamedTuple):
    """Zone polygons as GeoJSON, and the tag of the file they were read from."""

    geojson: dict[str, Any]
    tag: str


def table_uri(lake: str) -> str:
    """Return the URI of the names and centroids."""
    return storage.join(lake, "zones", "zones.parquet")


def extras(stack: ExitStack, lake: str, wanted: Collection[str]) -> dict[str, Path]:
    """Return a local copy of the table as `zones`, if a problem wants it and the lake has it; `stack` removes it."""
    uri = table_uri(lake)
    return {"zones": stack.enter_context(storage.fetched(uri))} if "zones" in wanted and storage.exists(uri) else {}


def outlines_uri(lake: str) -> str:
    """Return the URI of the outlines."""
    return storage.join(lake, "zones", "zones.geojson")


def outlines(lake: str) -> Outlines | None:
    """Return the lake's zone polygons, or None where there are none."""
    uri = outlines_uri(lake)
    if not storage.exists(uri):
        return None
    content, tag = storage.read_tagged(uri)
    return Outlines(json.loads(content), tag)


def write(lake: str, zones: ZoneSet) -> None:
    """Write both files, replacing those in the lake."""
    metadata = {**zones.table.schema.metadata, b"cabstand.synthetic": str(zones.synthetic).lower().encode()}
    with storage.staged(outlines_uri(lake)) as path:
        path.write_text(json.dumps(zones.geojson, separators=(",", ":")))
    with storage.staged(table_uri(lake)) as path:
        pq.write_table(zones.table.replace_schema_metadata(metadata), path, compression="zstd")
