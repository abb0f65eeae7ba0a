"""The core points of a distributed clustering, put in the index's order and written, never whole in one memory.

Space is cut along the Z-order curve, at places that a sample gave, into stretches. Each block sorts its core places
into them; each stretch is then put in order on its own; and one task writes the stretches, one after the other, as
`cores.parquet` and `hotspots.npz`. Both are what one machine writes of the same points.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from cabstand.clustering import core_index, geofiles
from cabstand.clustering.point_tree import z_codes
from cabstand.io import storage
from cabstand.io.dask import pieces
from cabstand.jobs.distributed.work import Work

STRETCH_POINTS = 1 << 19
_PLACES = pa.schema([("lat", pa.float64()), ("lon", pa.float64()), ("cluster", pa.int32()), ("count", pa.int64())])
Codes = NDArray[np.uint64]


def cuts(sample: NDArray[np.float64], n_points: int) -> Codes:
    """Return the places along the curve between stretches that hold about as many points each."""
    n_stretches = max(1, min(math.ceil(n_points / STRETCH_POINTS), len(sample)))
    codes = np.sort(z_codes(sample, "haversine"))
    return codes[np.arange(1, n_stretches) * len(codes) // n_stretches]


def sort_into(work: Work, block: int, points: NDArray[np.float64], clusters: NDArray[np.int32], at: Codes) -> None:
    """Write a block's core points, distinct and in order; the file's parts are the stretches."""
    places, cluster, count = core_index.core_places(points, clusters)
    ends = [0, *np.searchsorted(z_codes(places, "haversine"), at), len(places)]
    columns = (places[:, 0], places[:, 1], cluster, count)
    parts = ([column[first:end] for column in columns] for first, end in pairwise(ends))
    pieces.write(work.uri("places", block), _PLACES, parts)


def order(work: Work, stretch: int, n_blocks: int) -> int:
    """Put all blocks' places of a stretch in order, and return their number."""
    parts = [pieces.read(work.uri("places", block), stretch) for block in range(n_blocks)]
    lat, lon, cluster, count = (np.concatenate([part[name] for part in parts]) for name in _PLACES.names)
    along = np.lexsort((lon, lat, z_codes(np.column_stack([lat, lon]), "haversine")))
    pieces.write(work.uri("ordered", stretch), _PLACES, [[column[along] for column in (lat, lon, cluster, count)]])
    return len(lat)


def write(work: Work, n_stretches: int, n_places: int, cores_uri: str, index_uri: str) -> None:
    """Write the core points and their index, stretch by stretch."""

    def stretches() -> Iterator[pa.Table]:
        for stretch in range(n_stretches):
            part = pieces.read(work.uri("ordered", stretch), 0)
            places = np.column_stack([part["lat"], part["lon"]])
            yield geofiles.cores_part(places, part["cluster"], part["count"])

    def index_parts() -> Iterator[core_index.Part]:
        for table in stretches():
            yield np.column_stack([table["lat"], table["lon"]]), table["cluster"].to_numpy()

    schema = geofiles.cores_part(np.empty((0, 2)), np.empty(0, np.int32), np.empty(0, np.int64)).schema
    with storage.staged(cores_uri) as path, pq.ParquetWriter(path, schema, compression="zstd") as writer:
        for table in stretches():
            writer.write_table(table)
    with storage.staged(index_uri) as path:
        core_index.write_parts(path, n_places, index_parts, work.density.eps_m)
