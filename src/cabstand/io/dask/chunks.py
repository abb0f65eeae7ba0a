"""Split Parquet files into chunks of rows that a worker can hold, and read the points of a chunk."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from cabstand.clustering.columns import End
from cabstand.clustering.marks import SYNTHETIC, of_metadata
from cabstand.clustering.rhythm import NO_HOUR, hours_of_week
from cabstand.errors import DataError
from cabstand.io.dask.files import parquet
from cabstand.trips import columns, geometry, places
from cabstand.trips.columns import BY_ALIAS, Columns, Named
from cabstand.trips.eras import COORDINATES
from cabstand.trips.files import table_names, text_geometries
from cabstand.trips.geometry import Geometry
from cabstand.trips.places import Tally
from cabstand.trips.readers_parquet import first_texts
from cabstand.trips.times import merge_zones

_BATCH_ROWS = 1 << 17
_ZONED = "--era coordinates leaves them out, --engine multicore places them by their zones"


@dataclass(frozen=True)
class Chunk:
    """Consecutive rows of a file."""

    uri: str
    columns: Columns  # to read
    geometries: tuple[Geometry, ...]  # among its columns
    synthetic: bool  # whether the file's trips are synthetic
    groups: tuple[int, ...]  # row groups that contain the chunk
    skip: int  # rows of these groups before the chunk
    n_rows: int
    first_row: int  # number of its first row, counted through all files

    def reads(self, one: Geometry) -> bool:
        """Return whether these geometries are among the columns to read."""
        return one.axes[0] in self.columns.named


class Rows(NamedTuple):
    """The rows of a chunk that have coordinates."""

    row: NDArray[np.int32]  # number of each, counted from the chunk's first row
    latlon: NDArray[np.float64]  # shape (n, 2), in degrees
    week: NDArray[np.uint8]  # local hour of the week, `NO_HOUR` where unknown


class Findings(NamedTuple):
    """What else was found in a chunk."""

    tally: Tally  # of all rows of the chunk
    n_zoned: int  # rows without coordinates that have a zone
    zones: dict[str, set[str]]  # that its times were converted from, by column


def split(
    uris: Sequence[str], end: End, most_rows: int, named: Named = BY_ALIAS, era: str | None = None
) -> list[Chunk]:
    """Split files into chunks of at most `most_rows` rows, reading little more than their footers.

    Rows are counted in the order of `uris`. DataError if a file is not Parquet, or has no coordinates and `era`
    does not say to leave its trips out.
    """
    chunks: list[Chunk] = []
    first_row = 0
    for uri in uris:
        with parquet(uri) as file:
            chosen, geometries = _columns(file, end, named, era)
            synthetic = SYNTHETIC in of_metadata(file.schema_arrow.metadata)
            sizes = [file.metadata.row_group(group).num_rows for group in range(file.num_row_groups)]
        for groups, skip, n_rows in fit_row_groups(sizes, most_rows):
            chunks.append(Chunk(uri, chosen, geometries, synthetic, groups, skip, n_rows, first_row))
            first_row += n_rows
    return chunks


def _columns(file: pq.ParquetFile, end: End, named: Named, era: str | None) -> tuple[Columns, tuple[Geometry, ...]]:
    """Choose the columns of a file to read."""
    schema = file.schema_arrow
    declared = geometry.of_schema(schema)
    geometries = [*declared, *text_geometries(schema.names, declared, lambda name: first_texts(file, name))]
    chosen = columns.choose(table_names(schema.names, geometries), end, named=named)
    is_zoned = chosen.latitude is None or chosen.longitude is None or _is_zoned(file.metadata, chosen)
    if is_zoned and era != COORDINATES:
        raise DataError("trips with a zone but no coordinates", hint=_ZONED)
    geometry.physical(chosen.named, geometries)  # checks those that are read
    return chosen, tuple(geometries)


def _is_zoned(metadata: pq.FileMetaData, chosen: Columns) -> bool:
    """Return whether the footer says that no row has a latitude and some have a zone."""
    nulls = {chosen.latitude: 0, chosen.zone: 0}
    for group in (metadata.row_group(index) for index in range(metadata.num_row_groups)):
        for column in (group.column(index) for index in range(group.num_columns)):
            if column.path_in_schema in nulls:
                known = column.statistics is not None and column.statistics.has_null_count
                if not known:
                    return False
                nulls[column.path_in_schema] += column.statistics.null_count
    n_rows = metadata.num_rows
    return chosen.zone is not None and nulls[chosen.latitude] == n_rows > nulls[chosen.zone]


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
    """Read the rows of a chunk that have coordinates; DataError if one is no number or the file is damaged."""
    return examine(chunk)[0]


def examine(chunk: Chunk) -> tuple[Rows, Findings]:
    """Read the rows of a chunk as `read` does, with what else is in it."""
    rows = [Rows(np.empty(0, np.int32), np.empty((0, 2)), np.empty(0, np.uint8))]
    findings: list[Findings] = []
    wanted = geometry.physical(chunk.columns.named, chunk.geometries)
    with parquet(chunk.uri) as file:
        at = -chunk.skip
        for batch in file.iter_batches(_BATCH_ROWS, list(chunk.groups), wanted):
            first, at = at, at + len(batch)
            if at <= 0:
                continue
            if first >= chunk.n_rows:
                break
            start = max(0, -first)
            part, found = _rows(batch.slice(start, chunk.n_rows - first - start), chunk, first + start)
            rows.append(part)
            findings.append(found)
    return Rows(*(np.concatenate(column) for column in zip(*rows, strict=True))), add_up(findings)


def add_up(findings: Sequence[Findings]) -> Findings:
    """Return what was found in all chunks."""
    return Findings(
        places.add_up([one.tally for one in findings]),
        sum(one.n_zoned for one in findings),
        merge_zones(one.zones for one in findings),
    )


def _rows(batch: pa.RecordBatch, chunk: Chunk, start: int) -> tuple[Rows, Findings]:
    """Read a batch that begins at row `start` of its chunk."""
    batch = geometry.expand(batch, chunk.geometries, chunk.first_row + start)
    located = places.locate(batch, chunk.columns, np.arange(len(batch)) + chunk.first_row + start)
    week = np.full(len(located.row), NO_HOUR, np.uint8)
    zones: dict[str, set[str]] = {}
    if (name := chunk.columns.time) is not None and (times := places.local_times(batch, name)) is not None:
        week = hours_of_week(times.times.at.to_numpy(zero_copy_only=False)[located.row])
        zones[name] = set(times.times.zones)
    row = (located.row + start).astype(np.int32)
    return Rows(row, located.latlon, week), Findings(located.tally, len(located.zoned), zones)
