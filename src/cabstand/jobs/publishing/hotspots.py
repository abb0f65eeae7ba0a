"""A published clustering: its files, what its manifest says of them, and the result of the job."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from cabstand.clustering import geofiles
from cabstand.clustering.hotspots import Hotspots
from cabstand.clustering.marks import BY_ZONE, EVERY, Marks, to_metadata
from cabstand.clustering.zone_lookup import nearest_zones
from cabstand.io import provenance, publish, storage
from cabstand.io.tracking import Source
from cabstand.io.zones import Outlines
from cabstand.jobs.publishing.once import Kind, Manifest, Output, Request

LABELS, CORES, INDEX = "labels.parquet", "cores.parquet", "hotspots.npz"
HOTSPOTS, GEOJSON = "hotspots.parquet", "hotspots.geojson"
KIND = Kind("cluster", "hotspots", "hotspots", artifacts=(HOTSPOTS, GEOJSON))
_COUNTS = ("n_points", "n_clusters", "n_noise", "n_core")
_USAGE = ("wall_s", "cpu_s", "peak_rss_mb", "worker_peak_rss_mb")
_RESULT = ("engine", "n_workers", "n_blocks", "eps_m", "min_samples", *_COUNTS, *_USAGE, "run_id", "run_key")


def request(
    params: Any,
    source: Source,
    outlines: Outlines | None,
    engine: str,
    n_workers: int,
    weight_column: str | None = None,
    *,
    planned: dict[str, Any],
) -> Request:
    """Return the request for a clustering, as the `Params` of `cluster` or `cluster_dask` ask for it."""
    parameters = {
        "eps_m": float(params.eps_m),
        "min_samples": params.min_samples,
        "engine": engine,
        "n_workers": n_workers,
        "end": params.end,
        "weight_column": weight_column,
    }
    inputs = {"zones": outlines.tag if outlines else ""}
    return Request(source, parameters, inputs, planned, params.out, params.track, params.dry_run)


def write(folder: Path, hotspots: Hotspots, outlines: Outlines | None, eps_m: float, source: str, marks: Marks) -> None:
    """Write hotspots as GeoParquet and GeoJSON (with `source`), with zone names where the lake has zones."""
    names = nearest_zones(hotspots.centroid, outlines.geojson) if outlines else None
    if BY_ZONE in marks:  # the extent of a cluster of centroids says nothing of where its pickups were
        unknown = np.full(len(hotspots), np.nan)
        hotspots = replace(hotspots, radius_m=unknown, area_km2=unknown, density_per_km2=unknown)
    table = geofiles.hotspots_table(hotspots, names, eps_m)
    write_parquet(table, folder / HOTSPOTS, marks)
    facts = {"source": source, **{name: name in marks for name in EVERY}}
    (folder / GEOJSON).write_text(json.dumps(geofiles.feature_collection(table, facts)))


def write_parquet(table: pa.Table, path: Path, marks: Marks) -> None:
    """Write a table as every Parquet file of a clustering is written, with the marks of its points."""
    marked = table.replace_schema_metadata({**(table.schema.metadata or {}), **to_metadata(marks)})
    pq.write_table(marked, path, compression="zstd")


def complete(output: Output, facts: Manifest) -> Manifest:
    """Log the figures among `facts`, and return `facts` with the size and hash of each file written."""
    output.run.metrics({name: facts[name] for name in (*_COUNTS, *_USAGE) if name in facts})
    files = (path for path in sorted(output.folder.rglob("*")) if path.is_file())
    return facts | {
        "files": {
            path.relative_to(output.folder).as_posix(): {
                "bytes": path.stat().st_size,
                "sha256": provenance.sha256_file(path),
            }
            for path in files
        }
    }


def result(manifest: Manifest, uri: str, labels: str = LABELS) -> dict[str, Any]:
    """Return the result of a clustering that is published at `uri`."""
    source = manifest["source"]
    return {name: manifest[name] for name in _RESULT if name in manifest} | {
        "n_without_place": source["n_without_place"],
        "synthetic": source["synthetic"],
        "by_zone": source["by_zone"],
        "labels_uri": storage.join(uri, labels),
        "hotspots_uri": storage.join(uri, HOTSPOTS),
        "geojson_uri": storage.join(uri, GEOJSON),
        "cores_uri": storage.join(uri, CORES),
        "index_uri": storage.join(uri, INDEX),
        "manifest_uri": storage.join(uri, publish.MANIFEST),
    }
