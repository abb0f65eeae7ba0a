"""Convert the TLC's zone files and put them into the lake."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from cabstand.io import sources, synthetic
from cabstand.io import zones as lake_zones
from cabstand.settings import Settings
from cabstand.trips import zones


@dataclass(frozen=True)
class Params:
    """Where the zone files are: a folder, prefix or web address, by default the TLC's."""

    source: str = ""
    dry_run: bool = False


def run(settings: Settings, params: Params) -> dict[str, Any]:
    """Convert the zone files, and return their addresses and irregularities."""
    lake = settings.lake_uri
    base = (params.source or settings.zones_url).rstrip("/")
    uris = {"zones_uri": lake_zones.table_uri(lake), "outlines_uri": lake_zones.outlines_uri(lake)}
    synthetic.require(settings, False, base)
    if params.dry_run:
        return {"dry_run": True, "source": base} | uris
    with (
        sources.local_copy(settings, f"{base}/taxi_zones.zip") as shapes,
        sources.local_copy(settings, f"{base}/taxi_zone_lookup.csv") as lookup,
    ):
        found = zones.convert(shapes.path, lookup.path)
    lake_zones.write(lake, found)
    n_placed = found.table.num_rows - found.table["lat"].null_count
    return {"n_zones": found.table.num_rows, "n_with_centroid": n_placed, "synthetic": False} | found.report | uris
