"""Cluster points and publish the hotspots: read, cluster, describe, publish."""

from __future__ import annotations

import json
import logging
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from cabstand import log
from cabstand.clustering import engines, geofiles
from cabstand.clustering.collapse import collapse
from cabstand.clustering.columns import End
from cabstand.clustering.core_index import CoreIndex, distinct_core_points
from cabstand.clustering.dbscan import Clustering
from cabstand.clustering.engines import Engine
from cabstand.clustering.hotspots import Hotspots, summarise
from cabstand.clustering.zone_lookup import nearest_zones
from cabstand.io import provenance, publish, registry, storage
from cabstand.io.points import Points
from cabstand.io.usage import Usage, measure
from cabstand.jobs import slot, zones
from cabstand.jobs.slot import Shelf
from cabstand.settings import Settings

SCHEMA_VERSION = 1
LABELS, HOTSPOTS, GEOJSON, CORES, INDEX = (
    "labels.parquet",
    "hotspots.parquet",
    "hotspots.geojson",
    "cores.parquet",
    "hotspots.npz",
)
SHELF = Shelf("cluster", "hotspots", SCHEMA_VERSION)
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Params:
    """What to cluster, and how.

    Attributes
    ----------
    input : str
        URI, glob or folder of trips.
    eps_m : float
        Radius of a neighbourhood in metres.
    min_samples : int
        Points (or weight) that make a core point.
    engine : str
        Name of the engine.
    n_workers : int, optional
        Workers; one a core by default.
    end : {"pickup", "dropoff"}
        Which end of the trips.
    weight_column : str, optional
        Column of weights.
    out : str, optional
        Folder to publish, instead of one in the lake.
    track : bool
        Whether to log the run to MLflow.
    dry_run : bool
        Say what would be written, and write nothing.
    """

    input: str
    eps_m: float = 50.0
    min_samples: int = 20
    engine: str = "multicore"
    n_workers: int | None = None
    end: End = "pickup"
    weight_column: str | None = None
    out: str | None = None
    track: bool = True
    dry_run: bool = False


def run(settings: Settings, params: Params) -> dict[str, Any]:
    """Cluster, and publish labels, hotspots and core points; a result that is there already is not made again.

    Raises
    ------
    ConfigError, DataError
        If a parameter or the input is wrong.
    StorageError, RegistryError
        If the lake or MLflow refuses; nothing is published then.
    """
    engine, n_workers = engines.parse(params.engine, params.n_workers)
    engines.check(params.eps_m, params.min_samples)
    with log.progress("reading"):
        read = slot.read_points(settings, params.input, params.end, params.weight_column)
    outlines = zones.outlines(settings)
    settled = {
        "eps_m": float(params.eps_m),
        "min_samples": params.min_samples,
        "engine": engine.name,
        "n_workers": n_workers,
        "end": params.end,
        "weight_column": params.weight_column,
    }
    inputs = {"input": read.sha256, "zones": outlines[1] if outlines else ""}
    place = SHELF.find(settings, inputs, settled, params.out)
    if place.found:
        return _result(place.found, place.target) | {"reused": True}
    if params.dry_run:
        return place.planned({"n_points": len(read), **settled})
    source = registry.Source(read.uri, read.sha256)
    with (
        registry.run(settings, "cluster", settled, source=source, enabled=params.track) as tracked,
        publish.folder(place.target) as folder,
    ):
        engine.warm_up(n_workers)
        with log.progress(f"clustering {len(read):,} points"):
            clustering, usage = measure(lambda: _cluster(read, params, engine, n_workers))
        manifest = _manifest(read, clustering, usage, settled | {"run_key": place.key, "run_id": tracked.id})
        with log.progress("writing"):
            _write(folder, read, clustering, params.eps_m, outlines)
        close(folder, manifest)
        track(tracked, folder, manifest)
    return _result(manifest, place.target) | {"reused": False}


def _cluster(read: Points, params: Params, engine: Engine, n_workers: int) -> Clustering:
    if not read.by_zone:
        return engine.run(read.latlon, params.eps_m, params.min_samples, read.weight, n_workers)
    # Trips that know only their zone share 263 centroids.
    distinct = collapse(read.latlon, read.weight)
    found = engine.run(distinct.points, params.eps_m, params.min_samples, distinct.weight, n_workers)
    return Clustering(found.labels[distinct.inverse], found.core[distinct.inverse], found.n_clusters)


def _write(folder: Path, read: Points, clustering: Clustering, eps_m: float, outlines: zones.Outlines | None) -> None:
    labels, core, _ = clustering
    hotspots = summarise(read.latlon, labels, core, eps_m, weight=read.weight, at=read.at)
    write_hotspots(folder, hotspots, outlines, eps_m, {"source": read.uri, "synthetic": read.synthetic})
    _parquet(geofiles.labels_table(read.row, labels, core), folder / LABELS)
    _parquet(geofiles.cores_table(*distinct_core_points(read.latlon[core], labels[core])), folder / CORES)
    CoreIndex.build(read.latlon[core], labels[core], eps_m).save(folder / INDEX)


def write_hotspots(
    folder: Path, hotspots: Hotspots, outlines: zones.Outlines | None, eps_m: float, facts: dict[str, Any]
) -> None:
    """Write the hotspots as GeoParquet and GeoJSON, each with the name of its zone where the lake knows zones.

    Parameters
    ----------
    folder : Path
        Where to.
    hotspots : Hotspots
    outlines : (dict, str), optional
        Of `zones.outlines`.
    eps_m : float
        The clustering's eps.
    facts : dict
        What the GeoJSON says besides: `source` and `synthetic`.
    """
    names = nearest_zones(hotspots.centroid, outlines[0]) if outlines else None
    table = geofiles.hotspots_table(hotspots, names, eps_m)
    _parquet(table, folder / HOTSPOTS)
    (folder / GEOJSON).write_text(json.dumps(geofiles.feature_collection(table, facts)))


def _parquet(table: pa.Table, path: Path) -> None:
    pq.write_table(table, path, compression="zstd")


def _manifest(read: Points, clustering: Clustering, usage: Usage, settled: dict[str, Any]) -> dict[str, Any]:
    return {
        "schema_version": SCHEMA_VERSION,
        "kind": "hotspots",
        **settled,
        "source": {
            "uri": read.uri,
            "sha256": read.sha256,
            "n_rows": read.n_rows,
            "n_without_place": read.n_without_place,
            "by_zone": read.by_zone,
            "synthetic": read.synthetic,
        },
        "n_points": len(read),
        "n_clusters": clustering.n_clusters,
        "n_noise": int(np.count_nonzero(clustering.labels < 0)),
        "n_core": int(np.count_nonzero(clustering.core)),
        **asdict(usage),
        "code_version": provenance.code_version(),
        "created_at": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def close(folder: Path, manifest: dict[str, Any]) -> None:
    """Write the manifest, which names each file with its size and hash."""
    manifest["files"] = {
        path.relative_to(folder).as_posix(): {"bytes": path.stat().st_size, "sha256": provenance.sha256_file(path)}
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
    publish.write_json(folder / publish.MANIFEST, manifest)


def track(tracked: registry.Run, folder: Path, manifest: dict[str, Any], *more: str) -> None:
    """Log a published clustering to its MLflow run: figures (and `more` of the manifest's), key, small files."""
    names = ("n_points", "n_clusters", "n_noise", "n_core", "wall_s", "cpu_s", "peak_rss_mb", *more)
    tracked.metrics({name: manifest[name] for name in names})
    tracked.tags({"run_key": manifest["run_key"], "data.synthetic": manifest["source"]["synthetic"]})
    for name in (HOTSPOTS, GEOJSON, publish.MANIFEST):
        tracked.artifact(folder / name)


def _result(manifest: dict[str, Any], target: str) -> dict[str, Any]:
    kept = ("engine", "n_workers", "eps_m", "min_samples", "n_points", "n_clusters", "n_noise", "n_core")
    used = ("wall_s", "cpu_s", "peak_rss_mb", "run_id", "run_key")
    return {
        **{name: manifest[name] for name in kept},
        "n_without_place": manifest["source"]["n_without_place"],
        "synthetic": manifest["source"]["synthetic"],
        **{name: manifest[name] for name in used},
        "labels_uri": storage.join(target, LABELS),
        "hotspots_uri": storage.join(target, HOTSPOTS),
        "geojson_uri": storage.join(target, GEOJSON),
        "cores_uri": storage.join(target, CORES),
        "index_uri": storage.join(target, INDEX),
        "manifest_uri": storage.join(target, publish.MANIFEST),
    }
