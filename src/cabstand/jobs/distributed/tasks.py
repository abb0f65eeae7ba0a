"""What a worker does, one function a phase: survey, partition, cluster, settle, measure, label.

A task reads files, writes files whole and returns little. Run again, by whomever, it does the same; so nothing is lost
with a worker. What it holds in memory is one chunk, or one block with its halo.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from cabstand.clustering import geofiles
from cabstand.clustering.blocks import OWNED, SHARED, Blocks, straight
from cabstand.clustering.blockwise import Finding, describe, settle
from cabstand.clustering.dbscan import Clustering
from cabstand.clustering.hotspot_parts import Part, part_of, reach
from cabstand.clustering.hotspots import NO_HOUR
from cabstand.io import storage
from cabstand.io.dask import chunks, pieces
from cabstand.io.dask.chunks import Chunk
from cabstand.jobs.distributed import cores
from cabstand.jobs.distributed.work import Work

_PIECES = pa.schema(
    [
        ("row", pa.int32()),
        ("lat", pa.float64()),
        ("lon", pa.float64()),
        ("flags", pa.uint8()),
        ("week", pa.uint8()),
    ]
)
_FOUND = pa.schema([("label", pa.int32()), ("core", pa.uint8())])
_SETTLED = pa.schema([("row", pa.int32()), ("label", pa.int32()), ("core", pa.uint8())])
GROUP_ROWS = 1 << 20


@dataclass(frozen=True)
class Survey:
    """A look at a chunk: how many rows have coordinates, how many of them a time, and some places, shape (k, 2)."""

    n_points: int
    n_timed: int
    sample: NDArray[np.float64]


@dataclass(frozen=True)
class Summary:
    """What became of a block's own points."""

    n_noise: int
    n_core: int
    part: Part


class Block(NamedTuple):
    """A block's points and those of its halo, by ascending id.

    Attributes
    ----------
    points : ndarray of float64, shape (n, 2)
        Degrees.
    ids : ndarray of int64, shape (n,)
        Rows, counted through all files.
    flags : ndarray of uint8, shape (n,)
        OWNED and SHARED.
    week : ndarray of uint8, shape (n,)
        Hour of the week.
    sizes : list of int
        How many came from each chunk.
    """

    points: NDArray[np.float64]
    ids: NDArray[np.int64]
    flags: NDArray[np.uint8]
    week: NDArray[np.uint8]
    sizes: list[int]


def survey(chunk: Chunk, step: int) -> Survey:
    """Count a chunk's points and take each `step`-th."""
    row, latlon, week = chunks.read(chunk)
    picked = (chunk.first_row + row.astype(np.int64)) % step == 0
    return Survey(len(row), int(np.count_nonzero(week != NO_HOUR)), latlon[picked])


def partition(work: Work, number: int, blocks: Blocks) -> None:
    """Sort a chunk's points into blocks, halos included; the file's parts are the blocks."""
    row, latlon, week = chunks.read(work.chunks[number])
    parts = blocks.assign(straight(latlon, work.density.metric))
    columns = ((row[index], latlon[index, 0], latlon[index, 1], flags, week[index]) for index, flags in parts.values())
    pieces.write(work.uri("pieces", number), _PIECES, columns)


def cluster(work: Work, block: int) -> Finding:
    """Cluster a block with its halo."""
    points, ids, flags, _, _ = _load(work, block)
    found = work.density.cluster(points)
    pieces.write(work.uri("found", block), _FOUND, [(found.labels, found.core.view(np.uint8))])
    return describe(points, ids, flags, found, work.density)


def settle_block(work: Work, block: int, numbers: NDArray[np.int32]) -> Summary:
    """Give a block's own points their final labels; the file's parts are the chunks they came from."""
    points, ids, flags, week, sizes = _load(work, block)
    columns = pieces.read(work.uri("found", block), 0)
    found = Clustering(columns["label"], columns["core"].view(np.bool_), len(numbers))
    labels = settle(points, found, numbers, work.density)
    own = (flags & OWNED) > 0
    core = found.core[own]
    ends = np.cumsum(sizes)
    parts = [
        ((ids[part] - chunk.first_row).astype(np.int32), labels[part], columns["core"][part])
        for chunk, size, end in zip(work.chunks, sizes, ends, strict=True)
        for part in [np.flatnonzero(own[end - size : end]) + end - size]
    ]
    pieces.write(work.uri("settled", block), _SETTLED, parts)
    labels = labels[own]
    part = part_of(points[own], labels, core, (flags[own] & SHARED) > 0, week[own], work.density.eps_m)
    return Summary(int(np.count_nonzero(labels < 0)), int(core.sum()), part)


def measure(
    work: Work, block: int, centroid: NDArray[np.float64], cuts: NDArray[np.uint64]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return how far a block's points lie from the middles of their clusters, and sort its core points into stretches.

    Parameters
    ----------
    centroid : ndarray of float64, shape (k, 2)
        Middles of all clusters.
    cuts : ndarray of uint64
        Where one stretch ends and the next begins.
    """
    loaded = _load(work, block)
    points = loaded.points[(loaded.flags & OWNED) > 0]
    del loaded
    settled = [pieces.read(work.uri("settled", block), number) for number in range(len(work.chunks))]
    labels, core = (np.concatenate([part[name] for part in settled]) for name in ("label", "core"))
    is_core = core.view(np.bool_)
    cores.sort_into(work, block, points[is_core], labels[is_core], cuts)
    return reach(points, labels, centroid)


def label(work: Work, numbers: Sequence[int], n_blocks: int, target: str) -> int:
    """Write the labels of one input file, in its order, and return their number.

    Parameters
    ----------
    numbers : sequence of int
        The file's chunks.
    target : str
        URI of the labels.
    """
    schema = geofiles.labels_table(np.empty(0, np.int64), np.empty(0, np.int32), np.empty(0, np.bool_)).schema
    n_rows = 0
    with storage.staged(target) as path, pq.ParquetWriter(path, schema, compression="zstd") as writer:
        for number in numbers:
            table = _labels_of_chunk(work, number, n_blocks)
            writer.write_table(table, row_group_size=GROUP_ROWS)
            n_rows += len(table)
    return n_rows


def _labels_of_chunk(work: Work, number: int, n_blocks: int) -> pa.Table:
    parts = [pieces.read(work.uri("settled", block), number) for block in range(n_blocks)]
    row, labels, core = (np.concatenate([part[name] for part in parts]) for name in ("row", "label", "core"))
    order = np.argsort(row, kind="stable")
    rows = work.chunks[number].first_row + row[order].astype(np.int64)
    return geofiles.labels_table(rows, labels[order], core[order].view(np.bool_))


def _load(work: Work, block: int) -> Block:
    """Read a block's parts of all chunks."""
    parts: list[dict[str, NDArray[Any]]] = [
        pieces.read(work.uri("pieces", number), block) for number in range(len(work.chunks))
    ]
    sizes = [len(part["row"]) for part in parts]
    points = np.empty((sum(sizes), 2))
    points[:, 0] = np.concatenate([part["lat"] for part in parts])
    points[:, 1] = np.concatenate([part["lon"] for part in parts])
    ids = np.concatenate(
        [chunk.first_row + part["row"].astype(np.int64) for chunk, part in zip(work.chunks, parts, strict=True)]
    )
    flags, week = (np.concatenate([part[name] for part in parts]) for name in ("flags", "week"))
    return Block(points, ids, flags, week, sizes)
