"""Sort the core points of a distributed clustering and write them, never all in one memory.

The Z-order curve is cut into segments at positions taken from a sample. Each block sorts its core points into them,
each segment is then sorted on its own, and two tasks write the segments one after another, as `cores.parquet` and as
`hotspots.npz`: the same files that one machine writes of the same points.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from cabstand.clustering import core_index, distinct_points, geofiles
from cabstand.clustering.marks import to_metadata
from cabstand.clustering.z_order import Codes, z_codes
from cabstand.io import storage
from cabstand.io.dask import work_files
from cabstand.jobs.distributed.context import Context

SEGMENT_POINTS = 1 << 19
_SCHEMA = geofiles.cores_table(np.empty((0, 2)), np.empty(0, np.int32), np.empty(0, np.int64)).schema


def cuts(sample: NDArray[np.float64], n_points: int) -> Codes:
    """Return the positions on the curve between segments of about equally many points."""
    n_segments = max(1, min(math.ceil(n_points / SEGMENT_POINTS), len(sample)))
    codes = np.sort(z_codes(sample, "haversine"))
    return codes[np.arange(1, n_segments) * len(codes) // n_segments]


def sort_block(
    context: Context, block: int, points: NDArray[np.float64], clusters: NDArray[np.int32], at: Codes
) -> None:
    """Write the distinct core points of a block; the parts of the file are the segments."""
    distinct, cluster, count = distinct_points.distinct_core_points(points, clusters)
    ends = [0, *np.searchsorted(z_codes(distinct, "haversine"), at), len(distinct)]
    columns = (distinct[:, 0], distinct[:, 1], cluster, count)
    parts = ([column[first:end] for column in columns] for first, end in pairwise(ends))
    work_files.write(context.uri("cores", block), _SCHEMA, parts)


def sort_segment(context: Context, segment: int, n_blocks: int) -> int:
    """Sort the core points of all blocks in a segment, and return their number."""
    parts = [work_files.read(context.uri("cores", block), segment) for block in range(n_blocks)]
    lat, lon, cluster, count = (np.concatenate([part[name] for part in parts]) for name in _SCHEMA.names)
    order = _along_the_curve(lat, lon)
    columns = [column[order] for column in (lat, lon, cluster, count)]
    work_files.write(context.uri("ordered", segment), _SCHEMA, [columns])
    return len(lat)


def _along_the_curve(lat: NDArray[np.float64], lon: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return the order of distinct points by their position on the curve, then by latitude and longitude.

    They come block by block, each in this order, so that little is left to sort; seldom do blocks share a position.
    """
    codes = z_codes(np.column_stack([lat, lon]), "haversine")
    order = np.argsort(codes, kind="stable")
    before, after = order[:-1], order[1:]
    tied = np.flatnonzero(codes[before] == codes[after])
    before, after = before[tied], after[tied]
    swapped = (lat[after] < lat[before]) | ((lat[after] == lat[before]) & (lon[after] < lon[before]))
    return np.lexsort((lon, lat, codes)) if swapped.any() else order


def write_table(context: Context, n_segments: int, uri: str) -> None:
    """Write the core points, segment by segment."""
    schema = _SCHEMA.with_metadata({**(_SCHEMA.metadata or {}), **to_metadata(context.marks)})
    with storage.staged(uri) as path, pq.ParquetWriter(path, schema, compression="zstd") as writer:
        for part in _segments(context, n_segments):
            writer.write_table(pa.table(part, _SCHEMA))


def write_index(context: Context, n_segments: int, n_points: int, uri: str) -> None:
    """Write the index of the core points, `n_points` in all, segment by segment."""

    def parts() -> Iterator[core_index.Part]:
        return (
            (np.column_stack([part["lat"], part["lon"]]), part["cluster"]) for part in _segments(context, n_segments)
        )

    with storage.staged(uri) as path:
        core_index.write_parts(path, n_points, parts, context.density.eps_m, context.marks)


def _segments(context: Context, n_segments: int) -> Iterator[dict[str, NDArray[Any]]]:
    return (work_files.read(context.uri("ordered", segment), 0) for segment in range(n_segments))
