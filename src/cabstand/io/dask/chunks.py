"""Split Parquet files into chunks of rows that a worker can hold, and read the points of a chunk."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from cabstand.clustering.columns import End, choose
from cabstand.clustering.marks import SYNTHETIC, of_metadata
from cabstand.clustering.rhythm import NO_HOUR, hours_of_week
from cabstand.errors import DataError
from cabstand.io import points
from cabstand.io.dask.files import parquet

_BATCH_ROWS = 1 << 17


@dataclass(frozen=True)
class Chunk:
    """Consecutive rows of a file."""

    uri: str
    latitude: str  # its columns
    longitude: str
    time: str | None  # column of local times, if it has one of timestamps
    synthetic: bool  # whether the file's trips are synthetic
    groups: tuple[int, ...]  # row groups that contain the chunk
    skip: int  # rows of these groups before the chunk
    n_rows: int
    first_row: int  # number of its first row, counted through all files


class Rows(NamedTuple):
    """The rows of a chunk that have coordinates."""

    row: NDArray[np.int32]  # number of each, counted from the chunk's first row
    latlon: NDArray[np.float64]  # shape (n, 2), in degrees
    week: NDArray[np.uint8]  # local hour of the week, `NO_HOUR` where unknown


def split(uris: Sequence[str], end: End, most_rows: int) -> list[Chunk]:
    """Split files into chunks of at most `most_rows` rows, reading their footers only.

    Rows are counted in the order of `uris`. DataError if a file is not Parquet, or has no coordinates.
    """
    chunks: list[Chunk] = []
    first_row = 0
    for uri in uris:
        with parquet(uri) as file:
            columns = choose(file.schema_arrow.names, end, where=uri)
            time = points.understood_time(columns.time, file.schema_arrow, uri)
            synthetic = SYNTHETIC in of_metadata(file.schema_arrow.metadata)
            sizes = [file.metadata.row_group(group).num_rows for group in range(file.num_row_groups)]
        if columns.latitude is None or columns.longitude is None:
            raise DataError("trips with a zone but no coordinates", where=uri, hint="use --engine multicore")
        for groups, skip, n_rows in fit_row_groups(sizes, most_rows):
            chunks.append(
                Chunk(uri, columns.latitude, columns.longitude, time, synthetic, groups, skip, n_rows, first_row)
            )
            first_row += n_rows
    return chunks


def fit_row_groups(sizes: Sequence[int], most_rows: int) -> Iterator[tuple[tuple[int, ...], int, int]]:
    """Join small row groups and cut large ones; yield row groups, rows to skip, and rows of each chunk."""
    joined: list[int] = []
    held = 0
    for group, size in enumerate(sizes):
        if joined and held + size > most_rows:
            yield tuple(joined), 0, held
            joined, held = [], 0
        if size > most_rows:
            for skip in range(0, size, most_rows):
                yield (group,), skip, min(most_rows, size - skip)
        else:
            joined.append(group)
            held += size
    if joined:
        yield tuple(joined), 0, held


def read(chunk: Chunk) -> Rows:
    """Read the rows of a chunk that have coordinates; DataError if one is out of range or the file is damaged."""
    found = [Rows(np.empty(0, np.int32), np.empty((0, 2)), np.empty(0, np.uint8))]
    columns = [name for name in (chunk.latitude, chunk.longitude, chunk.time) if name is not None]
    with parquet(chunk.uri) as file:
        at = -chunk.skip
        for batch in file.iter_batches(_BATCH_ROWS, list(chunk.groups), columns):
            first, at = at, at + len(batch)
            if at <= 0:
                continue
            if first >= chunk.n_rows:
                break
            start = max(0, -first)
            part = batch.slice(start, chunk.n_rows - first - start)
            row, latlon = _points(part, chunk)
            week = _hours_of_week(part, chunk)[row]
            row += first + start
            points.check_latlon(latlon, chunk.first_row + row, chunk.uri)
            found.append(Rows(row.astype(np.int32), latlon, week))
    return Rows(*(np.concatenate(column) for column in zip(*found, strict=True)))


def _hours_of_week(batch: pa.RecordBatch, chunk: Chunk) -> NDArray[np.uint8]:
    if chunk.time is None:
        return np.full(len(batch), NO_HOUR, np.uint8)
    return hours_of_week(batch.column(chunk.time).cast(points.TIME, safe=False).to_numpy(zero_copy_only=False))


def _points(batch: pa.RecordBatch, chunk: Chunk) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    try:
        columns = [batch.column(name).cast(pa.float64(), safe=False) for name in (chunk.latitude, chunk.longitude)]
    except pa.ArrowException as error:
        raise DataError("a coordinate is not a number", where=chunk.uri) from error
    known = columns[0].is_valid().to_numpy(zero_copy_only=False) & columns[1].is_valid().to_numpy(zero_copy_only=False)
    latlon = np.stack([column.to_numpy(zero_copy_only=False) for column in columns], axis=1)
    return np.flatnonzero(known), latlon[known]
