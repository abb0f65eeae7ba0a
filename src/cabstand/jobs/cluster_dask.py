"""Cluster on Dask workers and publish the hotspots; the points never come to this process.

The result is that of `cabstand.jobs.cluster`, except that labels are a folder with one file for each input file, in its
order.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

from cabstand.clustering import engines
from cabstand.clustering.blockwise import Density
from cabstand.clustering.columns import End
from cabstand.clustering.marks import marks
from cabstand.errors import ConfigError
from cabstand.io import disk, provenance, storage, synthetic, tables, zones
from cabstand.io.ecs_tasks import Fleet
from cabstand.io.tracking import Source
from cabstand.io.usage import Usage, measure
from cabstand.jobs.distributed import driver
from cabstand.jobs.distributed.driver import LABELS, Outcome
from cabstand.jobs.publishing import chaining as chains
from cabstand.jobs.publishing import hotspots
from cabstand.jobs.publishing.once import Output, publish_once
from cabstand.settings import Settings

GIB = 1 << 30


@dataclass(frozen=True)
class Params:
    """What to cluster, and on which workers; the fields are the options of `cabstand cluster --engine dask`.

    `n_workers` are started unless a `scheduler` runs already; `scheduler` is its address, or `ecs`, instead of the
    setting's. By default a worker gets its share of the machine's memory.
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
    """Cluster and publish, unless the same result exists already."""
    uris = tables.expand(params.input)
    settings = synthetic.admit(settings, params.input)
    plan = _plan(settings, params)
    source = Source(params.input, _sha256(uris))
    outlines = zones.outlines(settings.lake_uri)

    def compute(output: Output) -> dict[str, Any]:
        # In S3 the workers write straight to the bucket, on a disk beside the other files.
        target = output.uri if storage.is_s3(output.uri) else str(output.folder)
        outcome, usage = measure(lambda: driver.run(uris, target, _scratch(settings, output.uri), plan))
        found = marks(synthetic=outcome.synthetic)
        hotspots.write(output.folder, outcome.hotspots, outlines, params.eps_m, params.input, found)
        return hotspots.complete(output, _facts(outcome, usage, source))

    request = hotspots.request(params, source, outlines, "dask", params.n_workers, planned={"n_files": len(uris)})
    result = publish_once(settings, hotspots.KIND, request, compute, partial(hotspots.result, labels=LABELS))
    chains.warn(result)
    return result


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


def _facts(outcome: Outcome, usage: Usage, source: Source) -> dict[str, Any]:
    """Return what the manifest says of the clustering."""
    return {
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
        "parts": None,  # dividing hotspots needs all points in one memory
        "n_core": outcome.n_core,
        "chaining": chains.judge(outcome.hotspots, outcome.n_points),
        "n_blocks": outcome.n_blocks,
        "n_workers": outcome.n_workers,
        **asdict(usage),
        "worker_peak_rss_mb": outcome.worker_peak_rss_mb,
        "labels": [uri.rsplit("/", 1)[-1] for uri in outcome.labels_uris],
    }
