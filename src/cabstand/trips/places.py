"""Read the places of one end of trips from batches of a table, and tell those that are none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from cabstand.errors import DataError
from cabstand.trips import times
from cabstand.trips.columns import Columns
from cabstand.trips.convert import decoded, number, unread
from cabstand.trips.ranges import looks_like

Points = npt.NDArray[np.float64]
Rows = npt.NDArray[np.int64]

# Reasons to put a row aside, as `cabstand.trips.clean` names them; a row's first one counts.
MALFORMED, UNREADABLE, MISSING = "malformed_row", "unreadable_value", "location_missing"
ZERO, INVALID = "coordinates_zero", "coordinates_invalid"
_SAMPLE = 200  # points of each batch that their range is judged by
_HINTS = {
    MALFORMED: "a stray comma?",
    UNREADABLE: "is it the right column? --lat-column and --lon-column name others",
    INVALID: "latitudes are -90 to 90 degrees, longitudes -180 to 180",
}
_BOUNDS = (90.0, 360.0)  # of latitudes and longitudes
_WRONG = ("a coordinate is NaN or infinite", "a latitude is beyond 90 degrees", "a longitude is beyond 360 degrees")


@dataclass(frozen=True)
class Tally:
    """How many rows have a place, and how many are put aside for each reason."""

    n_rows: int = 0
    put_aside: dict[str, int] = field(default_factory=dict)
    first: tuple[int, str] | None = None  # the first row that is malformed, unreadable or invalid, and what is wrong
    sample: Points = field(default_factory=lambda: np.empty((0, 2)))  # of the points not null nor zero, valid or not

    def check(self) -> None:
        """Raise a DataError if the coordinates are clearly not in degrees, or half of them or more are bad."""
        finite = self.sample[np.isfinite(self.sample).all(axis=1)]
        likeness = looks_like(finite)
        likely = None if likeness is None else likeness.error(finite)
        n_bad = sum(self.put_aside.get(reason, 0) for reason in _HINTS)
        n_known = self.n_rows - self.put_aside.get(MISSING, 0) - self.put_aside.get(ZERO, 0)
        if self.first is not None and n_bad * 2 >= n_known:
            row, fault = self.first
            if likely is not None:
                raise DataError(f"{fault} in row {row}: {likely.what}", hint=likely.hint)
            hint = _HINTS[max(_HINTS, key=lambda reason: self.put_aside.get(reason, 0))]
            raise DataError(f"{fault} in row {row}, and {n_bad:,} of {n_known:,} rows are bad", hint=hint)
        if likely is not None:
            raise likely


def add_up(tallies: Sequence[Tally]) -> Tally:
    """Return the tally of all rows."""
    counts: dict[str, int] = {}
    for one in tallies:
        for reason, count in one.put_aside.items():
            counts[reason] = counts.get(reason, 0) + count
    firsts = [one.first for one in tallies if one.first is not None]
    sample = np.concatenate([np.empty((0, 2)), *(one.sample for one in tallies)])
    return Tally(sum(one.n_rows for one in tallies), counts, min(firsts, default=None), sample)


class Located(NamedTuple):
    """The places of a batch of n rows."""

    row: Rows  # (k,), indices in the batch of the rows with coordinates
    latlon: Points  # (k, 2), degrees
    zoned: Rows  # indices of the rows without coordinates that have a zone
    zone: Rows  # zones of those
    tally: Tally  # of the n rows, zoned ones among the missing


def locate(batch: pa.RecordBatch, columns: Columns, rows: Rows) -> Located:
    """Read the places of a batch; `rows` (n,) are the numbers of its rows, for errors."""
    names = (columns.latitude, columns.longitude)
    axes = [_numbers(batch, name) for name in names]
    if all(_is_good(axis.value, bound) for axis, bound in zip(axes, _BOUNDS, strict=True)):  # as in most batches
        latlon = np.column_stack([axis.value for axis in axes])
        none = rows[:0]
        return Located(np.arange(len(latlon)), latlon, none, none, Tally(len(latlon), sample=_sampled(latlon)))
    latlon = np.column_stack([axis.value.to_numpy(zero_copy_only=False) for axis in axes])
    known = np.asarray(axes[0].value.is_valid()) & np.asarray(axes[1].value.is_valid())
    unreadable = axes[0].lost | axes[1].lost
    zero = known & (latlon == 0).any(axis=1)
    faults = _faults(latlon)
    invalid = known & ~zero & faults.any(axis=0)
    missing = np.flatnonzero(~known & ~unreadable)
    first = None
    if (unreadable | invalid).any():
        worst = int(np.argmax(unreadable | invalid))
        lost = next((name for name, axis in zip(names, axes, strict=True) if axis.lost[worst]), None)
        what = _WRONG[int(np.argmax(faults[:, worst]))] if lost is None else _no_number(batch, lost, worst)
        first = int(rows[worst]), what
    counts = {UNREADABLE: unreadable.sum(), MISSING: len(missing), ZERO: zero.sum(), INVALID: invalid.sum()}
    aside = {reason: int(count) for reason, count in counts.items() if count}
    row = np.flatnonzero(known & ~zero & ~invalid)
    tally = Tally(batch.num_rows, aside, first, _sampled(latlon[known & ~zero]))
    return Located(row, latlon[row], *_zones(batch, columns.zone, missing), tally)


def _is_good(axis: pa.Array, bound: float) -> bool:
    """Return whether coordinates are all present, finite, other than zero and within a bound."""
    if axis.null_count or not len(axis):
        return False
    values = axis.to_numpy()
    return bool(values.min() >= -bound and values.max() <= bound and np.count_nonzero(values) == len(values))


def _sampled(latlon: Points) -> Points:
    return latlon[:: max(1, len(latlon) // _SAMPLE)].copy()


def malformed(lines: Sequence[tuple[int, str]]) -> Tally:
    """Return the tally of lines that could not be split into columns, with their numbers."""
    if not lines:
        return Tally()
    row, text = lines[0]
    return Tally(len(lines), {MALFORMED: len(lines)}, (row, f"another number of columns, {text[:60]!r},"))


class ReadTimes(NamedTuple):
    """Local times, and how many values are none."""

    times: times.Times
    n_unread: int


def local_times(batch: pa.RecordBatch, name: str) -> ReadTimes | None:
    """Return a column as local times (n,); None if it holds neither timestamps nor text."""
    source = decoded(batch.column(name), name)
    found = times.local(source)
    return None if found is None else ReadTimes(found, int(unread(source, found.at).sum()))


def weights(batch: pa.RecordBatch, name: str, rows: Rows) -> npt.NDArray[np.float64]:
    """Return a column as numbers (n,), null as NaN; a DataError if a value is none."""
    found = _numbers(batch, name)
    if found.lost.any():
        worst = int(np.argmax(found.lost))
        raise DataError(f"{_no_number(batch, name, worst)} in row {rows[worst]}")
    return np.asarray(found.value.fill_null(np.nan))


def _faults(latlon: Points) -> npt.NDArray[np.bool_]:
    """Return which points (n, 2) have each of the faults in `_WRONG`, shape (3, n)."""
    with np.errstate(invalid="ignore"):
        far = np.abs(latlon)
        return np.stack([~np.isfinite(latlon).all(axis=1), *(far > _BOUNDS).T])


class _Numbers(NamedTuple):
    value: pa.Array  # float64, (n,)
    lost: npt.NDArray[np.bool_]  # (n,), values that are no numbers


def _numbers(batch: pa.RecordBatch, name: str | None) -> _Numbers:
    if name is None:
        return _Numbers(pa.nulls(batch.num_rows, pa.float64()), np.zeros(batch.num_rows, bool))
    source = decoded(batch.column(name), name)
    found = number(source, name)
    return _Numbers(found, unread(source, found))


def _no_number(batch: pa.RecordBatch, name: str, index: int) -> str:
    return f"column {name} is not a number: {str(batch.column(name)[index].as_py())[:40]!r}"


def _zones(batch: pa.RecordBatch, name: str | None, missing: Rows) -> tuple[Rows, Rows]:
    """Return which of the rows `missing` coordinates have a zone, and their zones."""
    if name is None or not len(missing):
        return missing[:0], missing[:0]
    part = batch.column(name).take(pa.array(missing))
    zone: npt.NDArray[Any] = np.asarray(number(decoded(part, name), name).fill_null(np.nan))
    known = np.isfinite(zone)
    return missing[known], zone[known].astype(np.int64)
