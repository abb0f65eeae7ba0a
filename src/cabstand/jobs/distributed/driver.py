"""Cluster more than one machine's memory holds: blocks of space on Dask workers, files between the phases.

survey     each chunk of the input tells how many points it has, and some of them
partition  each chunk is sorted into blocks with halos
cluster    each block is clustered on its own; it tells how its clusters meet the neighbours'
(merge)    the driver joins clusters that meet, and numbers them
settle     each block's points get their final labels
measure    each block tells how far its points lie from the middles of their clusters, and sorts its core points
label      each input file gets a file of labels, in its own order
order      each stretch of space gets its core points in order
index      the stretches are written as core points and their index

The driver sees footers, a sample, and what blocks tell of their boundaries; never the points.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cabstand.clustering import blocks, blockwise, hotspot_parts
from cabstand.clustering.blockwise import Density
from cabstand.clustering.columns import End
from cabstand.clustering.hotspots import Hotspots
from cabstand.errors import DataError
from cabstand.io import storage
from cabstand.io.dask import chunks, ecs_workers, scratch, workers
from cabstand.io.ecs_tasks import Fleet
from cabstand.jobs.distributed import cores, tasks
from cabstand.jobs.distributed.work import Crew, Work
from cabstand.jobs.publishing.hotspots import CORES, INDEX

_log = logging.getLogger(__name__)

LABELS = "labels"
CHUNK_ROWS = 1 << 20
SAMPLE_POINTS = 200_000


@dataclass(frozen=True)
class Plan:
    """How to distribute a clustering.

    Attributes
    ----------
    density : Density
        What makes a cluster.
    end : {"pickup", "dropoff"}
        Which end of the trips.
    n_workers : int
        Workers to start; ignored with a scheduler.
    scheduler : str, optional
        Address of a Dask scheduler that runs already.
    fleet : Fleet, optional
        Where the workers run as ECS tasks, rather than on this machine.
    worker_memory_bytes : int, optional
        What each worker that is started may use.
    n_blocks : int, optional
        Blocks; by default as many as memory asks for.
    """

    density: Density
    end: End = "pickup"
    n_workers: int = 2
    scheduler: str | None = None
    worker_memory_bytes: int | None = None
    n_blocks: int | None = None
    fleet: Fleet | None = None


@dataclass(frozen=True)
class Outcome:
    """What came of it."""

    n_points: int
    n_rows: int
    n_noise: int
    n_core: int
    hotspots: Hotspots
    n_blocks: int
    n_workers: int
    worker_peak_rss_mb: float
    labels_uris: tuple[str, ...]
    synthetic: bool


def run(uris: Sequence[str], folder: str, place: str, plan: Plan) -> Outcome:
    """Cluster the points of Parquet files; write their labels, their core points and the index of these.

    Parameters
    ----------
    uris : sequence of str
        The files, in the order in which their rows are counted.
    folder : str
        URI below which the result is written; of labels a file for each input file.
    place : str
        URI of a place for work files that all workers reach: about 50 bytes a point, removed afterwards.
    plan : Plan
        How.

    Raises
    ------
    ConfigError, DataError, StorageError, TaskError
        In one line; no file is left half-written.
    """
    uris = [_absolute(uri) for uri in uris]
    pieces_of_input = tuple(chunks.plan(uris, plan.end, CHUNK_ROWS))
    with scratch.folder(_absolute(place)) as work_folder, _workers(plan, work_folder) as client:
        work = Work(work_folder, pieces_of_input, plan.density)
        return _phases(Crew(client), work, uris, _absolute(folder), plan)


def _phases(crew: Crew, work: Work, uris: Sequence[str], folder: str, plan: Plan) -> Outcome:
    survey = _survey(crew, work, uris[0])
    n_workers, memory = workers.memory_of(crew.client)
    wanted = plan.n_blocks or blocks.wanted(survey.n_points, n_workers, memory)
    space = blocks.Blocks.balanced(survey.sample, wanted, plan.density.eps_m, plan.density.metric)
    every = range(space.n_blocks)
    _log.info(
        "%d points in %d chunks, %d blocks, %d workers", survey.n_points, len(work.chunks), space.n_blocks, n_workers
    )
    crew.each("partition", tasks.partition, [(work, number, space) for number in range(len(work.chunks))])
    findings = crew.each("cluster", tasks.cluster, [(work, block) for block in every])
    final, n_clusters = blockwise.merge(findings)
    settled = crew.each("settle", tasks.settle_block, [(work, block, final[block]) for block in every])
    parts = [block.part for block in settled]
    middles = hotspot_parts.centroids(parts, n_clusters)
    cuts = cores.cuts(survey.sample, survey.n_points)
    reaches = crew.each("measure", tasks.measure, [(work, block, middles, cuts) for block in every])
    hotspots = hotspot_parts.join(parts, reaches, middles, plan.density.eps_m, timed=survey.n_timed > 0)
    labels_uris = _label(crew, work, uris, storage.join(folder, LABELS), space.n_blocks)
    _write_cores(crew, work, folder, len(cuts) + 1, space.n_blocks)
    return Outcome(
        n_points=survey.n_points,
        n_rows=sum(chunk.n_rows for chunk in work.chunks),
        n_noise=sum(block.n_noise for block in settled),
        n_core=sum(block.n_core for block in settled),
        hotspots=hotspots,
        n_blocks=space.n_blocks,
        n_workers=n_workers,
        worker_peak_rss_mb=crew.peak_rss_mb,
        labels_uris=labels_uris,
        synthetic=any(chunk.synthetic for chunk in work.chunks),
    )


def _survey(crew: Crew, work: Work, where: str) -> tasks.Survey:
    """Look at all chunks."""
    n_rows = sum(chunk.n_rows for chunk in work.chunks)
    step = max(1, n_rows // SAMPLE_POINTS)
    found = crew.each("survey", tasks.survey, [(chunk, step) for chunk in work.chunks])
    n_points = sum(one.n_points for one in found)
    if n_points == 0:
        raise DataError("no row has coordinates" if n_rows else "no rows", where=where)
    sample = np.concatenate([one.sample for one in found])
    return tasks.Survey(n_points, sum(one.n_timed for one in found), sample)


def _label(crew: Crew, work: Work, uris: Sequence[str], folder: str, n_blocks: int) -> tuple[str, ...]:
    targets = _targets(uris, folder)
    of_file = [[number for number, chunk in enumerate(work.chunks) if chunk.uri == uri] for uri in uris]
    given = [(work, numbers, n_blocks, target) for numbers, target in zip(of_file, targets, strict=True)]
    crew.each("label", tasks.label, given)
    return tuple(targets)


def _write_cores(crew: Crew, work: Work, folder: str, n_stretches: int, n_blocks: int) -> None:
    sizes = crew.each("order", cores.order, [(work, number, n_blocks) for number in range(n_stretches)])
    targets = (storage.join(folder, CORES), storage.join(folder, INDEX))
    crew.each("index", cores.write, [(work, n_stretches, sum(sizes), *targets)])


def _workers(plan: Plan, folder: str) -> AbstractContextManager[Any]:
    if plan.fleet:
        return ecs_workers.on_ecs(plan.fleet, plan.n_workers, folder)
    if plan.scheduler:
        return workers.at(plan.scheduler)
    here = folder if not storage.is_s3(folder) else str(Path.cwd())
    return workers.local(plan.n_workers, plan.worker_memory_bytes, here)


def _targets(uris: Sequence[str], folder: str) -> list[str]:
    """Return a name for each labels file: that of its input, with a number where two have the same."""
    names = [uri.rsplit("/", 1)[-1].removesuffix(".parquet") for uri in uris]
    return [
        storage.join(folder, f"{name}.parquet" if names.count(name) == 1 else f"{name}-{number:04d}.parquet")
        for number, name in enumerate(names)
    ]


def _absolute(uri: str) -> str:
    return uri if "://" in uri else str(Path(uri).resolve())
