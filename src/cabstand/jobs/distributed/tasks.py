"""The tasks of a worker, one function for each phase: survey, partition, cluster, relabel, measure, label.

A task reads files, writes whole files and returns little. Running it again does the same, on any worker, so nothing is
lost with a worker. It holds one chunk in memory, or one block with its halo.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from cabstand.clustering import blockwise, geofiles
from cabstand.clustering.blocks import OWNED, SHARED, Blocks
from cabstand.clustering.blockwise import LocalClusters
from cabstand.clustering.dbscan import Clustering
from cabstand.clustering.marks import to_metadata
from cabstand.clustering.member_sums import MemberSums, radii, sum_members
from cabstand.clustering.rhythm import NO_HOUR
from cabstand.io import storage
from cabstand.io.dask import chunks, work_files
from cabstand.io.dask.chunks import Chunk
from cabstand.jobs.distributed import core_points
from cabstand.jobs.distributed.context import Context

_LOCAL = pa.schema({"label": pa.int32(), "core": pa.uint8()})
_FINAL = pa.schema({"row": pa.int32(), "label": pa.int32(), "core": pa.uint8()})
_POINTS = pa.schema(
    {"row": pa.int32(), "lat": pa.float64(), "lon": pa.float64(), "flags": pa.uint8(), "week": pa.uint8()}
)
GROUP_ROWS = 1 << 20


@dataclass(frozen=True)
class Survey:
    """Counts of points and of points with a time, and a sample of points, shape (k, 2)."""

    n_points: int
    n_timed: int
    sample: NDArray[np.float64]


class Block(NamedTuple):
    """The points of a block and its halo, by ascending id."""

    points: NDArray[np.float64]  # shape (n, 2), in degrees
    ids: NDArray[np.int64]  # row numbers, counted through all files
    flags: NDArray[np.uint8]  # OWNED and SHARED
    week: NDArray[np.uint8]  # hour of the week
    sizes: list[int]  # number of points from each chunk


def survey(chunk: Chunk, step: int) -> Survey:
    """Count a chunk's points and sample each `step`-th row."""
    row, latlon, week = chunks.read(chunk)
    sampled = (chunk.first_row + row.astype(np.int64)) % step == 0
    return Survey(len(row), int(np.count_nonzero(week != NO_HOUR)), latlon[sampled])


def partition(context: Context, number: int, blocks: Blocks) -> None:
    """Sort a chunk's points into blocks and their halos; the parts of the file are the blocks."""
    row, latlon, week = chunks.read(context.chunks[number])
    parts = blocks.assign(latlon)
    columns = ((row[index], latlon[index, 0], latlon[index, 1], flags, week[index]) for index, flags in parts.values())
    work_files.write(context.uri("points", number), _POINTS, columns)


def cluster(context: Context, block: int) -> LocalClusters:
    """Cluster a block with its halo."""
    points, ids, flags, _, _ = _load(context, block)
    found = context.density.cluster(points)
    work_files.write(context.uri("local", block), _LOCAL, [(found.labels, found.core.view(np.uint8))])
    return blockwise.local_clusters(points, ids, flags, found, context.density)


def relabel(context: Context, block: int, numbers: NDArray[np.int32]) -> MemberSums:
    """Give a block's own points their final labels; the parts of the file are the chunks they came from."""
    points, ids, flags, week, sizes = _load(context, block)
    columns = work_files.read(context.uri("local", block), 0)
    found = Clustering(columns["label"], columns["core"].view(np.bool_), len(numbers))
    labels = blockwise.relabel(points, found, numbers, context.density)
    own = (flags & OWNED) > 0
    ends = np.cumsum(sizes)
    parts = [
        ((ids[part] - chunk.first_row).astype(np.int32), labels[part], columns["core"][part])
        for chunk, size, end in zip(context.chunks, sizes, ends, strict=True)
        for part in [np.flatnonzero(own[end - size : end]) + end - size]
    ]
    work_files.write(context.uri("final", block), _FINAL, parts)
    member = np.flatnonzero(own & (labels >= 0))
    shared = (flags[member] & SHARED) > 0
    return sum_members(points[member], labels[member], found.core[member], shared, week[member], context.density.eps_m)


def measure(
    context: Context, block: int, centroid: NDArray[np.float64], cuts: NDArray[np.uint64]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Measure the radii of clusters within a block, and sort its core points into segments.

    `centroid` holds those of all clusters, `cuts` the positions between segments.
    """
    loaded = _load(context, block)
    points = loaded.points[(loaded.flags & OWNED) > 0]
    del loaded
    final = [work_files.read(context.uri("final", block), number) for number in range(len(context.chunks))]
    labels, core = (np.concatenate([part[name] for part in final]) for name in ("label", "core"))
    is_core, member = core.view(np.bool_), labels >= 0
    core_points.sort_block(context, block, points[is_core], labels[is_core], cuts)
    return radii(points[member], labels[member], centroid)


def label(context: Context, numbers: Sequence[int], n_blocks: int, target: str) -> None:
    """Write the labels of one input file, which consists of the chunks `numbers`, in its order."""
    schema = geofiles.labels_table(np.empty(0, np.int64), np.empty(0, np.int32), np.empty(0, np.bool_)).schema
    schema = schema.with_metadata({**schema.metadata, **to_metadata(context.marks)})
    with storage.staged(target) as path, pq.ParquetWriter(path, schema, compression="zstd") as writer:
        for number in numbers:
            writer.write_table(_labels_of_chunk(context, number, n_blocks), row_group_size=GROUP_ROWS)


def _labels_of_chunk(context: Context, number: int, n_blocks: int) -> pa.Table:
    parts = [work_files.read(context.uri("final", block), number) for block in range(n_blocks)]
    row, labels, core = (np.concatenate([part[name] for part in parts]) for name in ("row", "label", "core"))
    order = np.argsort(row, kind="stable")
    rows = context.chunks[number].first_row + row[order].astype(np.int64)
    return geofiles.labels_table(rows, labels[order], core[order].view(np.bool_))


def _load(context: Context, block: int) -> Block:
    """Read the points of a block and its halo from all chunks."""
    parts: list[dict[str, NDArray[Any]]] = [
        work_files.read(context.uri("points", number), block) for number in range(len(context.chunks))
    ]
    sizes = [len(part["row"]) for part in parts]
    points = np.empty((sum(sizes), 2))
    points[:, 0] = np.concatenate([part["lat"] for part in parts])
    points[:, 1] = np.concatenate([part["lon"] for part in parts])
    ids = np.concatenate(
        [chunk.first_row + part["row"].astype(np.int64) for chunk, part in zip(context.chunks, parts, strict=True)]
    )
    flags, week = (np.concatenate([part[name] for part in parts]) for name in ("flags", "week"))
    return Block(points, ids, flags, week, sizes)
