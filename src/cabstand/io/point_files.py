"""Read one end of the trips of a file: places, zones, times and weights."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from cabstand.trips import columns, places
from cabstand.trips.columns import Columns, Named
from cabstand.trips.files import TableFile
from cabstand.trips.places import Tally
from cabstand.trips.raw import Limits, RawBatch, reading
from cabstand.trips.readers import BATCH_ROWS

_LIMITS = Limits(max_rows=2**62, max_rows_per_byte=float("inf"))  # what fits in memory is clustered


@dataclass(frozen=True)
class Rows:
    """Some rows of a file."""

    row: NDArray[np.int64]  # (k,), indices in the file
    where: NDArray[Any]  # degrees (k, 2), or zones (k,)
    at: NDArray[np.datetime64] | None  # (k,), local time in microseconds
    weight: NDArray[np.float64] | None  # (k,)

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.row)


@dataclass(frozen=True)
class PointFile:
    """What was read from a file."""

    uri: str
    located: Rows  # with coordinates
    zoned: Rows  # with zones, but without coordinates
    tally: Tally
    zones: dict[str, set[str]]  # that the times of a column were converted from
    unknown_times: dict[str, int]  # of a column: values that are no times
    crs: str | None
    schema: pa.Schema


def read(path: Path, uri: str, end: str, weight: str | None, named: Named) -> PointFile:
    """Read a local file, called `uri` in errors; CSV is read as text if some of its values are no numbers."""
    with reading(uri):
        file = TableFile(path, _LIMITS)
        chosen = columns.choose(file.names, end, named=named, weight=weight)
        numbers = [name for name in (chosen.latitude, chosen.longitude, chosen.weight) if name is not None]
        try:
            return _read(file, uri, chosen, file.batches(chosen.named, BATCH_ROWS, numbers))
        except pa.ArrowInvalid:
            return _read(file, uri, chosen, file.batches(chosen.named, BATCH_ROWS))


def join(parts: Sequence[Rows]) -> Rows:
    """Return rows together; `at` is None if no part has times."""
    row, where = (np.concatenate(found) for found in ([part.row for part in parts], [part.where for part in parts]))
    return Rows(row, where, _join_times(parts), _join([part.weight for part in parts]))


def _read(file: TableFile, uri: str, chosen: Columns, batches: Iterator[RawBatch]) -> PointFile:
    located, zoned, tallies = [], [], []
    zones: dict[str, set[str]] = {}
    unknown: dict[str, int] = {}
    for raw in batches:
        found = places.locate(raw.columns, chosen, raw.rows)
        at = _times(raw.columns, chosen.time, zones, unknown)
        weight = None if chosen.weight is None else places.weights(raw.columns, chosen.weight, raw.rows)
        located.append(_select(raw.rows, found.row, found.latlon, at, weight))
        zoned.append(_select(raw.rows, found.zoned, found.zone, at, weight))
        tallies += [found.tally, places.malformed(raw.malformed)]
    crs = file.crs_among(chosen.named)
    return PointFile(uri, join(located), join(zoned), places.add_up(tallies), zones, unknown, crs, file.schema)


def _times(
    batch: pa.RecordBatch, name: str | None, zones: dict[str, set[str]], unknown: dict[str, int]
) -> NDArray[np.datetime64] | None:
    """Return local times (n,), None where there is no column of times; note its zones and what cannot be read."""
    if name is None:
        return None
    found = places.local_times(batch, name)
    if found is None:
        unknown[name] = unknown.get(name, 0) + batch.num_rows
        return None
    if found.n_unread:
        unknown[name] = unknown.get(name, 0) + found.n_unread
    zones.setdefault(name, set()).update(found.times.zones)
    return found.times.at.to_numpy(zero_copy_only=False)  # type: ignore[no-any-return]


def _select(
    rows: NDArray[np.int64],
    index: NDArray[np.int64],
    where: NDArray[Any],
    at: NDArray[np.datetime64] | None,
    weight: NDArray[np.float64] | None,
) -> Rows:
    """Return the rows `index` of a batch; `where` holds theirs, the other arrays hold all rows."""
    chosen = slice(None) if len(index) == len(rows) else index
    return Rows(rows[chosen], where, None if at is None else at[chosen], None if weight is None else weight[chosen])


def _join(parts: Sequence[NDArray[Any] | None]) -> NDArray[Any] | None:
    return None if any(part is None for part in parts) else np.concatenate([part for part in parts if part is not None])


def _join_times(parts: Sequence[Rows]) -> NDArray[np.datetime64] | None:
    """Return the times of all parts, NaT for those without."""
    if all(part.at is None for part in parts):
        return None
    none = np.datetime64("NaT", "us")
    return np.concatenate([np.full(len(part), none) if part.at is None else part.at for part in parts])
