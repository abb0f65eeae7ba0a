"""Cluster on Dask workers and publish the hotspots; the points never come to this process.

The result is that of `cabstand.jobs.cluster`, except that labels are a folder with one file for each input file, in its
order.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from cabstand.clustering import engines
from cabstand.clustering.blockwise import Density
from cabstand.clustering.columns import End
from cabstand.errors import ConfigError
from cabstand.io import disk, provenance, publish, registry, storage, tables
from cabstand.io.ecs_tasks import Fleet
from cabstand.io.usage import Usage, measure
from cabstand.jobs import cluster, zones
from cabstand.jobs.cluster import CORES, GEOJSON, HOTSPOTS, INDEX, SCHEMA_VERSION
from cabstand.jobs.distributed import driver
from cabstand.jobs.distributed.driver import LABELS, Outcome
from cabstand.settings import Settings

GIB = 1 << 30


@dataclass(frozen=True)
class Params:
    """What to cluster, and on which workers.

    Attributes
    ----------
    input : str
        URI, glob or folder of Parquet files.
    eps_m : float
        Radius of a neighbourhood in metres.
    min_samples : int
        Points that make a core point.
    n_workers : int
        Workers to start; ignored with a scheduler that runs already.
    end : {"pickup", "dropoff"}
        Which end of the trips.
    out : str, optional
        Output folder, instead of one in the lake.
    track : bool
        Whether to log the run to MLflow.
    dry_run : bool
        Report what would be written, without writing.
    scheduler : str, optional
        Address of a Dask scheduler, or `ecs`, instead of the setting's.
    worker_memory_gib : float, optional
        Memory limit of each worker that is started; by default its share of the machine.
    n_blocks : int, optional
        Blocks of space; by default as many as the workers' memory requires.
    """

    input: str
    eps_m: float = 50.0
    min_samples: int = 20
    n_workers: int = 2
    end: End = "pickup"
    out: str | None = None
    track: bool = True
    dry_run: bool = False
    scheduler: str | None = None
    worker_memory_gib: float | None = None
    n_blocks: int | None = None


def run(settings: Settings, params: Params) -> dict[str, Any]:
    """Cluster and publish; a result that is there already is not made again.

    Raises
    ------
    ConfigError, DataError
        If a parameter or the input is wrong.
    StorageError, TaskError, RegistryError
        If a disk, the workers or MLflow fail; nothing is published then.
    """
    uris = tables.expand(params.input)
    plan = _plan(settings, params)
    settled = {
        "eps_m": float(params.eps_m),
        "min_samples": params.min_samples,
        "engine": "dask",
        "n_workers": params.n_workers,
        "end": params.end,
        "weight_column": None,
    }
    source = registry.Source(params.input, _sha256(uris))
    outlines = zones.outlines(settings)
    inputs = {"input": source.sha256, "zones": outlines[1] if outlines else ""}
    slot = cluster.SHELF.find(settings, inputs, settled, params.out)
    if slot.found:
        return _result(slot.found, slot.target) | {"reused": True}
    if params.dry_run:
        return slot.planned({"n_files": len(uris), **settled})
    with (
        registry.run(settings, "cluster", settled, source=source, enabled=params.track) as tracked,
        publish.folder(slot.target) as folder,
    ):
        # Workers write where they can: beside the other files on a disk, straight to the bucket in S3.
        place = slot.target if storage.is_s3(slot.target) else str(folder)
        outcome, usage = measure(lambda: driver.run(uris, place, _scratch(settings, slot.target), plan))
        described = {"source": params.input, "synthetic": outcome.synthetic}
        cluster.write_hotspots(folder, outcome.hotspots, outlines, params.eps_m, described)
        manifest = _manifest(outcome, usage, settled | {"run_key": slot.key, "run_id": tracked.id}, source)
        cluster.close(folder, manifest)
        cluster.track(tracked, folder, manifest, "worker_peak_rss_mb")
    return _result(manifest, slot.target) | {"reused": False}


def _plan(settings: Settings, params: Params) -> driver.Plan:
    if params.n_blocks is not None and params.n_blocks < 1:
        raise ConfigError(f"blocks must be 1 or more, not {params.n_blocks}", where="blocks")
    density = Density(params.eps_m, params.min_samples)
    engines.check(params.eps_m, params.min_samples)  # before a worker starts
    scheduler = params.scheduler or settings.dask_scheduler or None
    return driver.Plan(
        density=density,
        end=params.end,
        n_workers=params.n_workers,
        scheduler=scheduler,
        fleet=_fleet(settings) if scheduler == "ecs" else None,
        worker_memory_bytes=int(params.worker_memory_gib * GIB) if params.worker_memory_gib else None,
        n_blocks=params.n_blocks,
    )


def _fleet(settings: Settings) -> Fleet:
    return Fleet(
        cluster=settings.ecs_cluster,
        definition=settings.ecs_worker_definition,
        subnets=tuple(name.strip() for name in settings.ecs_subnets.split(",") if name.strip()),
        security_group=settings.ecs_security_group,
        public_address=settings.ecs_public_address,
        spot=settings.ecs_spot,
        lifetime_s=settings.task_lifetime_s,
    )


def _scratch(settings: Settings, target: str) -> str:
    in_s3 = storage.is_s3(target)
    default = storage.join(settings.lake_uri, "scratch") if in_s3 else str(settings.home / "cache" / "dask")
    return settings.dask_scratch or default


def _sha256(uris: Sequence[str]) -> str:
    """Return the hash of the input: of its only file, or of the files' hashes; in S3, of the objects' tags."""
    hashes = [
        str(storage.etag(uri)) if storage.is_s3(uri) else provenance.sha256_file(disk.to_path(uri)) for uri in uris
    ]
    return hashes[0] if len(hashes) == 1 else hashlib.sha256("".join(hashes).encode()).hexdigest()


def _manifest(outcome: Outcome, usage: Usage, facts: dict[str, Any], source: registry.Source) -> dict[str, Any]:
    return {
        "schema_version": SCHEMA_VERSION,
        "kind": "hotspots",
        **facts,
        "source": {
            **asdict(source),
            "n_rows": outcome.n_rows,
            "n_without_place": outcome.n_rows - outcome.n_points,
            "by_zone": False,
            "synthetic": outcome.synthetic,
        },
        "n_points": outcome.n_points,
        "n_clusters": len(outcome.hotspots),
        "n_noise": outcome.n_noise,
        "n_core": outcome.n_core,
        "n_blocks": outcome.n_blocks,
        "n_workers": outcome.n_workers,
        **asdict(usage),
        "worker_peak_rss_mb": outcome.worker_peak_rss_mb,
        "labels": [uri.rsplit("/", 1)[-1] for uri in outcome.labels_uris],
        "code_version": provenance.code_version(),
        "created_at": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def _result(manifest: dict[str, Any], target: str) -> dict[str, Any]:
    kept = ("engine", "n_workers", "n_blocks", "eps_m", "min_samples", "n_points", "n_clusters", "n_noise", "n_core")
    used = ("wall_s", "cpu_s", "peak_rss_mb", "worker_peak_rss_mb", "run_id", "run_key")
    return {
        **{name: manifest[name] for name in (*kept, *used)},
        "n_without_place": manifest["source"]["n_without_place"],
        "synthetic": manifest["source"]["synthetic"],
        "labels_uri": storage.join(target, LABELS),
        "hotspots_uri": storage.join(target, HOTSPOTS),
        "geojson_uri": storage.join(target, GEOJSON),
        "cores_uri": storage.join(target, CORES),
        "index_uri": storage.join(target, INDEX),
        "manifest_uri": storage.join(target, publish.MANIFEST),
    }
