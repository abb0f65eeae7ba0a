"""What a worker does, one function a phase: survey, partition, cluster, settle, measure, label.

A task reads files, writes files whole and returns little. Run again, by whomever, it does the same; so nothing is lost
with a worker. What it holds in memory is one chunk, or one block with its halo.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from cabstand.clustering import geofiles
from cabstand.clustering.blocks import OWNED, SHARED, Blocks, straight
from cabstand.clustering.blockwise import Density, Finding, describe, settle
from cabstand.clustering.dbscan import Clustering
from cabstand.clustering.hotspot_parts import Part, part_of, reach
from cabstand.io import chunks, pieces, storage
from cabstand.io.chunks import Chunk
from cabstand.jobs.usage import peak_rss_mb

_PIECES = pa.schema([("row", pa.int32()), ("lat", pa.float64()), ("lon", pa.float64()), ("flags", pa.uint8())])
_FOUND = pa.schema([("label", pa.int32()), ("core", pa.uint8())])
_SETTLED = pa.schema([("row", pa.int32()), ("label", pa.int32()), ("core", pa.uint8())])
GROUP_ROWS = 1 << 20


@dataclass(frozen=True)
class Work:
    """What all tasks of a run know.

    Attributes
    ----------
    folder : str
        URI of the work files.
    chunks : tuple of Chunk
        The input.
    density : Density
        What makes a cluster.
    """

    folder: str
    chunks: tuple[Chunk, ...]
    density: Density

    def uri(self, kind: str, number: int) -> str:
        """Return where a work file stands."""
        return storage.join(self.folder, f"{kind}-{number:05d}.arrow")


@dataclass(frozen=True)
class Survey:
    """A look at a chunk: how many rows have coordinates, and some of these, shape (k, 2)."""

    n_points: int
    sample: NDArray[np.float64]


@dataclass(frozen=True)
class Summary:
    """What became of a block's own points, and the most memory its worker ever held, in MiB."""

    n_noise: int
    n_core: int
    part: Part
    peak_rss_mb: float


def survey(chunk: Chunk, step: int) -> Survey:
    """Count a chunk's points and take each `step`-th."""
    row, latlon = chunks.read(chunk)
    return Survey(len(row), latlon[(chunk.first_row + row.astype(np.int64)) % step == 0])


def partition(work: Work, number: int, blocks: Blocks) -> float:
    """Sort a chunk's points into blocks, halos included (the file's parts), and return the worker's peak memory."""
    row, latlon = chunks.read(work.chunks[number])
    parts = blocks.assign(straight(latlon, work.density.metric))
    columns = ((row[index], latlon[index, 0], latlon[index, 1], flags) for index, flags in parts.values())
    pieces.write(work.uri("pieces", number), _PIECES, columns)
    return peak_rss_mb()


def cluster(work: Work, block: int) -> Finding:
    """Cluster a block with its halo."""
    points, ids, flags, _ = _load(work, block)
    found = work.density.cluster(points)
    pieces.write(work.uri("found", block), _FOUND, [(found.labels, found.core.view(np.uint8))])
    return describe(points, ids, flags, found, work.density)


def settle_block(work: Work, block: int, numbers: NDArray[np.int32]) -> Summary:
    """Give a block's own points their final labels; the file's parts are the chunks they came from."""
    points, ids, flags, sizes = _load(work, block)
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
    part = part_of(points[own], labels, core, (flags[own] & SHARED) > 0, work.density.eps_m)
    return Summary(int(np.count_nonzero(labels < 0)), int(core.sum()), part, peak_rss_mb())


def measure(work: Work, block: int, centroid: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return how far a block's points lie from the middles of their clusters."""
    points, _, flags, _ = _load(work, block)
    labels = np.concatenate([pieces.read(work.uri("settled", block), n)["label"] for n in range(len(work.chunks))])
    return reach(points[(flags & OWNED) > 0], labels, centroid)


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


def _load(work: Work, block: int) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.uint8], list[int]]:
    """Return a block's points by ascending id, their ids, their flags, and how many came from each chunk."""
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
    return points, ids, np.concatenate([part["flags"] for part in parts]), sizes
