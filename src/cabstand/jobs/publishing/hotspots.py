"""A published clustering: its files, what its manifest says of them, and the result of the job."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from cabstand.clustering import geofiles
from cabstand.clustering.hotspots import Hotspots
from cabstand.clustering.marks import BY_ZONE, EVERY, Marks, to_metadata
from cabstand.clustering.parts import Parts
from cabstand.clustering.zone_lookup import nearest_zones
from cabstand.io import points, provenance, publish, storage
from cabstand.io.tracking import Source
from cabstand.io.zones import Outlines
from cabstand.jobs.publishing.once import Kind, Manifest, Output, Request

LABELS, CORES, INDEX = "labels.parquet", "cores.parquet", "hotspots.npz"
HOTSPOTS, GEOJSON = "hotspots.parquet", "hotspots.geojson"
PARTS, PARTS_GEOJSON = "parts.parquet", "parts.geojson"
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
    further: Mapping[str, Any] | None = None,
) -> Request:
    """Return the request for a clustering, as the `Params` of `cluster` or `cluster_dask` ask for it.

    `further` are parameters that most clusterings do without: only those given are part of the run key.
    """
    parameters = {
        "eps_m": float(params.eps_m),
        "min_samples": params.min_samples,
        "engine": engine,
        "n_workers": n_workers,
        "end": params.end,
        "weight_column": weight_column,
        **points.parameters(params.named, params.era),
        **(further or {}),
    }
    inputs = {"zones": outlines.tag if outlines else ""}
    return Request(source, parameters, inputs, planned, params.out, params.track, params.dry_run)


def write(folder: Path, hotspots: Hotspots, outlines: Outlines | None, eps_m: float, source: str, marks: Marks) -> None:
    """Write hotspots as GeoParquet and GeoJSON (with `source`), with zone names where the lake has zones."""
    table = geofiles.hotspots_table(_known_extent(hotspots, marks), _zone_names(hotspots, outlines), eps_m)
    write_parquet(table, folder / HOTSPOTS, marks)
    _write_geojson(table, folder / GEOJSON, source, marks)


def write_parts(
    folder: Path,
    parts: Parts,
    described: Hotspots,
    outlines: Outlines | None,
    eps_m: float,
    source: str,
    marks: Marks,
) -> None:
    """Write the densest parts of hotspots in the same two forms; `described` has a row for each."""
    table = geofiles.parts_table(_known_extent(described, marks), parts, _zone_names(described, outlines), eps_m)
    write_parquet(table, folder / PARTS, marks)
    _write_geojson(table, folder / PARTS_GEOJSON, source, marks)


def _known_extent(hotspots: Hotspots, marks: Marks) -> Hotspots:
    """Return hotspots without an extent if they are of zone centroids: it says nothing of where the pickups were."""
    if BY_ZONE not in marks:
        return hotspots
    unknown = np.full(len(hotspots), np.nan)
    return replace(hotspots, radius_m=unknown, area_km2=unknown, density_per_km2=unknown)


def _zone_names(hotspots: Hotspots, outlines: Outlines | None) -> list[str] | None:
    return nearest_zones(hotspots.centroid, outlines.geojson) if outlines else None


def _write_geojson(table: pa.Table, path: Path, source: str, marks: Marks) -> None:
    facts = {"source": source, **{name: name in marks for name in EVERY}}
    path.write_text(json.dumps(geofiles.feature_collection(table, facts)))


def write_parquet(table: pa.Table, path: Path, marks: Marks) -> None:
    """Write a table as every Parquet file of a clustering is written, with the marks of its points."""
    marked = table.replace_schema_metadata({**(table.schema.metadata or {}), **to_metadata(marks)})
    pq.write_table(marked, path, compression="zstd")
    pa.default_memory_pool().release_unused()  # a hundred megabytes that the job needs again


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
    parts = manifest.get("parts")
    return {name: manifest[name] for name in _RESULT if name in manifest} | {
        "n_without_place": source["n_without_place"],
        **points.reading_of(source),
        "synthetic": source["synthetic"],
        "by_zone": source["by_zone"],
        "chaining": manifest.get("chaining"),
        "labels_uri": storage.join(uri, labels),
        "hotspots_uri": storage.join(uri, HOTSPOTS),
        "geojson_uri": storage.join(uri, GEOJSON),
        "cores_uri": storage.join(uri, CORES),
        "index_uri": storage.join(uri, INDEX),
        "manifest_uri": storage.join(uri, publish.MANIFEST),
        **(_parts(parts, uri) if parts else {}),
    }


def _parts(parts: dict[str, Any], uri: str) -> dict[str, Any]:
    uris = {"parts_uri": storage.join(uri, PARTS), "parts_geojson_uri": storage.join(uri, PARTS_GEOJSON)}
    return {"parts": parts, **uris}
