"""Cluster more points than one machine's memory holds: blocks of space on Dask workers, with files between phases.

survey     count the points of each chunk of the input and take a sample
partition  sort the points of each chunk into blocks with halos
cluster    cluster each block on its own, and report its clusters along the boundary
(merge)    in the driver: join clusters that meet, and number them
relabel    give each block's points their final labels
measure    measure the radii of clusters in each block, and sort its core points into segments
label      write a file of labels for each input file, in its order
order      sort the core points of each segment
index      write the segments as core points and their index

The driver sees footers, a sample, and the summaries of blocks, but never the points.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cabstand.clustering import blocks, blockwise, hotspots
from cabstand.clustering.blockwise import Density
from cabstand.clustering.columns import End
from cabstand.clustering.hotspots import Hotspots
from cabstand.clustering.member_sums import add_up
from cabstand.errors import DataError
from cabstand.io import storage
from cabstand.io.dask import chunks, ecs_workers, work_files, workers
from cabstand.io.dask.chunks import Findings
from cabstand.io.dask.phases import PhaseRunner
from cabstand.io.ecs_tasks import Fleet
from cabstand.io.points import OTHER_ERA
from cabstand.jobs.distributed import core_points, tasks
from cabstand.jobs.distributed.context import Context
from cabstand.jobs.publishing.hotspots import CORES, INDEX
from cabstand.trips.columns import BY_ALIAS, Named
from cabstand.trips.eras import COORDINATES
from cabstand.trips.places import MISSING
from cabstand.trips.raw import reading
from cabstand.trips.times import shown_zones

LABELS = "labels"
CHUNK_ROWS = 1 << 20
SAMPLE_POINTS = 200_000
_ASK = f"--era {COORDINATES} leaves these out; --engine multicore with --era zones takes them alone"
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Plan:
    """How to distribute a clustering."""

    density: Density
    end: End = "pickup"
    n_workers: int = 2  # to start; ignored with a scheduler
    scheduler: str | None = None  # address of a running one
    worker_memory_bytes: int | None = None  # limit of each worker that is started on this machine
    n_blocks: int | None = None  # by default as many as the workers' memory requires
    fleet: Fleet | None = None  # where to start workers as ECS tasks, instead of on this machine
    named: Named = BY_ALIAS  # columns by other names than the known ones
    era: str | None = None  # `COORDINATES` leaves trips out that have only a zone


@dataclass(frozen=True)
class Outcome:
    """The result of a distributed clustering, other than its files."""

    n_points: int
    n_rows: int
    hotspots: Hotspots
    n_blocks: int
    n_workers: int
    worker_peak_rss_mb: float
    labels_uris: tuple[str, ...]
    synthetic: bool
    reading: dict[str, Any]  # what was put aside or converted

    @property
    def n_noise(self) -> int:
        """Points in no cluster."""
        return self.n_points - int(self.hotspots.size.sum())

    @property
    def n_core(self) -> int:
        """Core points."""
        return int(self.hotspots.core.sum())


def run(uris: Sequence[str], folder: str, scratch: str, plan: Plan) -> Outcome:
    """Cluster the points of Parquet files; write their labels, their core points and the index of these.

    The rows of the files are counted in the order of `uris`. `folder` is the output folder, with a file of labels for
    each input file. `scratch` is a folder that all workers can reach, for work files of about 80 bytes a point, which
    are removed afterwards. No file is left half-written, whatever is raised.
    """
    uris = [_absolute(uri) for uri in uris]
    input_chunks = tuple(chunks.split(uris, plan.end, CHUNK_ROWS, plan.named, plan.era))
    with work_files.folder(_absolute(scratch)) as work_folder, _workers(plan, work_folder) as client:
        context = Context(work_folder, input_chunks, plan.density)
        return _cluster(PhaseRunner(client), context, uris, _absolute(folder), plan)


def _cluster(runner: PhaseRunner, context: Context, uris: Sequence[str], folder: str, plan: Plan) -> Outcome:
    survey = _survey(runner, context, uris[0], plan.era)
    n_workers, memory = workers.memory_of(runner.client)
    n_blocks = plan.n_blocks or blocks.blocks_needed(survey.n_points, n_workers, memory)
    space = blocks.Blocks.balanced(survey.sample, n_blocks, plan.density.eps_m)
    n_chunks, every = len(context.chunks), range(space.n_blocks)
    _log.info("%d points in %d chunks, %d blocks, %d workers", survey.n_points, n_chunks, len(every), n_workers)
    runner.run("partition", tasks.partition, [(context, number, space) for number in range(n_chunks)])
    local = runner.run("cluster", tasks.cluster, [(context, block) for block in every])
    numbers, n_clusters = blockwise.merge(local)
    sums = runner.run("relabel", tasks.relabel, [(context, block, numbers[block]) for block in every])
    totals = add_up(sums, n_clusters)
    cuts = core_points.cuts(survey.sample, survey.n_points)
    radii = runner.run("measure", tasks.measure, [(context, block, totals["centroid"], cuts) for block in every])
    labels_uris = _write_labels(runner, context, uris, storage.join(folder, LABELS), space.n_blocks)
    _write_cores(runner, context, folder, len(cuts) + 1, space.n_blocks)
    return Outcome(
        n_points=survey.n_points,
        n_rows=sum(chunk.n_rows for chunk in context.chunks),
        hotspots=hotspots.describe(totals, radii, plan.density.eps_m, timed=survey.n_timed > 0),
        n_blocks=space.n_blocks,
        n_workers=n_workers,
        worker_peak_rss_mb=runner.peak_rss_mb,
        labels_uris=labels_uris,
        synthetic=any(chunk.synthetic for chunk in context.chunks),
        reading=_reading(context, survey.findings),
    )


def _survey(runner: PhaseRunner, context: Context, where: str, era: str | None) -> tasks.Survey:
    n_rows = sum(chunk.n_rows for chunk in context.chunks)
    step = max(1, n_rows // SAMPLE_POINTS)
    found = runner.run("survey", tasks.survey, [(chunk, step) for chunk in context.chunks])
    n_points = sum(one.n_points for one in found)
    findings = chunks.add_up([one.findings for one in found])
    with reading(where):
        findings.tally.check()
    if findings.n_zoned and era != COORDINATES:
        what = f"{n_points:,} of {n_rows:,} rows have coordinates, {findings.n_zoned:,} have only a zone"
        raise DataError(what, where=where, hint=_ASK)
    if n_points == 0:
        raise DataError("no row has coordinates" if n_rows else "no rows", where=where)
    sample = np.concatenate([one.sample for one in found])
    return tasks.Survey(n_points, sum(one.n_timed for one in found), sample, findings)


def _reading(context: Context, findings: Findings) -> dict[str, Any]:
    aside = dict(findings.tally.put_aside)
    if findings.n_zoned:
        aside |= {MISSING: aside[MISSING] - findings.n_zoned, OTHER_ERA: findings.n_zoned}
    crs = (one.crs_name for chunk in context.chunks for one in chunk.geometries if chunk.reads(one))
    return {
        "put_aside": {reason: count for reason, count in aside.items() if count},
        "times_converted": shown_zones(findings.zones),
        "crs": next(crs, None),
    }


def _write_labels(
    runner: PhaseRunner, context: Context, uris: Sequence[str], folder: str, n_blocks: int
) -> tuple[str, ...]:
    targets = _label_uris(uris, folder)
    of_file = [[number for number, chunk in enumerate(context.chunks) if chunk.uri == uri] for uri in uris]
    given = [(context, numbers, n_blocks, target) for numbers, target in zip(of_file, targets, strict=True)]
    runner.run("label", tasks.label, given)
    return targets


def _write_cores(runner: PhaseRunner, context: Context, folder: str, n_segments: int, n_blocks: int) -> None:
    given = [(context, segment, n_blocks) for segment in range(n_segments)]
    sizes = runner.run("order", core_points.sort_segment, given)
    table = (core_points.write_table, context, n_segments, storage.join(folder, CORES))
    index = (core_points.write_index, context, n_segments, sum(sizes), storage.join(folder, INDEX))
    runner.run("index", _call, [table, index])


def _call(function: Callable[..., None], *given: Any) -> None:
    function(*given)


def _workers(plan: Plan, folder: str) -> AbstractContextManager[Any]:
    if plan.fleet:
        return ecs_workers.on_ecs(plan.fleet, plan.n_workers, folder)
    if plan.scheduler:
        return workers.at(plan.scheduler)
    here = folder if not storage.is_s3(folder) else str(Path.cwd())
    return workers.local(plan.n_workers, plan.worker_memory_bytes, here)


def _label_uris(uris: Sequence[str], folder: str) -> tuple[str, ...]:
    """Name each file of labels like its input, with a number where several inputs have the same name."""
    names = [uri.rsplit("/", 1)[-1].removesuffix(".parquet") for uri in uris]
    return tuple(
        storage.join(folder, f"{name}.parquet" if names.count(name) == 1 else f"{name}-{number:04d}.parquet")
        for number, name in enumerate(names)
    )


def _absolute(uri: str) -> str:
    return uri if "://" in uri else str(Path(uri).resolve())
