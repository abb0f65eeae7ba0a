"""Find rows that equal an earlier one, in bounded memory."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

PART_ROWS = 2_000_000  # rows sorted at once: 32 MB, and as much again for the order
BLOCK_ROWS = 500_000
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_NULL = np.uint64(0x5851F42D4C957F2D)


def row_hashes(trips: pa.RecordBatch, names: Sequence[str]) -> npt.NDArray[np.uint64]:
    """Return a 64-bit hash of each row over the columns `names`.

    Each column's bits are mixed in with the finaliser of splitmix64 (Steele, Lea, Flood, OOPSLA 2014). Among 10 million
    rows the chance that any two different ones share a hash is 3 in a million.
    """
    total = np.zeros(trips.num_rows, np.uint64)
    for name in names:
        total ^= _mix(_bits(trips.column(name)))
        total = _mix(total)
    return total


def _bits(column: pa.Array) -> npt.NDArray[np.uint64]:
    """Return the values of a column as 64-bit words; a single one if all are null."""
    if column.null_count == len(column):
        return np.array([_NULL])
    filled = column.fill_null(pa.scalar(0).cast(column.type)) if column.null_count else column
    bits = np.asarray(filled.cast(pa.float64() if pa.types.is_floating(column.type) else pa.int64())).view(np.uint64)
    return np.where(np.asarray(column.is_null()), _NULL, bits) if column.null_count else bits


def _mix(bits: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    mixed = bits + _GOLDEN
    shifted = np.empty_like(mixed)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB), (31, 1)):
        np.right_shift(mixed, np.uint64(shift), out=shifted)
        mixed ^= shifted
        if factor != 1:
            mixed *= np.uint64(factor)
    return mixed


class Seen:
    """Hash and index of the rows seen so far, in an anonymous file."""

    def __init__(self, folder: Path) -> None:
        self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - lives as long as the object
        self._n = 0

    def add(self, trips: pa.RecordBatch, names: Sequence[str]) -> None:
        """Record every row of a batch in the canonical schema."""
        pairs = np.empty((trips.num_rows, 2), np.uint64)
        pairs[:, 0] = row_hashes(trips, names)
        pairs[:, 1] = np.asarray(trips.column("row")).astype(np.uint64)
        pairs.tofile(self._file)
        self._n += trips.num_rows

    def repeated(self) -> npt.NDArray[np.int64]:
        """Return the indices of rows that equal one with a lower index, sorted.

        Hashes are compared in parts, by value, of about `PART_ROWS` rows each.
        """
        if self._n == 0:
            return np.empty(0, np.int64)
        n_parts = -(-self._n // PART_ROWS)
        found = [_repeated(self._part(part, n_parts)) for part in range(n_parts)]
        return np.sort(np.concatenate(found)).astype(np.int64)

    def _part(self, part: int, n_parts: int) -> npt.NDArray[np.uint64]:
        self._file.seek(0)
        chosen = []
        # Read, not mapped: mapped pages would count as this process's memory.
        while len(block := np.fromfile(self._file, np.uint64, 2 * BLOCK_ROWS)):
            pairs = block.reshape(-1, 2)
            chosen.append(pairs[(pairs[:, 0] >> np.uint64(32)) % np.uint64(n_parts) == part])
        return np.concatenate(chosen)

    def __enter__(self) -> Seen:
        return self

    def __exit__(self, *error: object) -> None:
        self._file.close()


def _repeated(pairs: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    hashes = np.sort(pairs[:, 0])
    doubled = np.unique(hashes[1:][hashes[1:] == hashes[:-1]])
    if not len(doubled):
        return np.empty(0, np.uint64)
    # Most rows are unlike all of those by their first bits.
    about = np.zeros(1 << 16, bool)
    about[doubled >> np.uint64(48)] = True
    some = pairs[about[pairs[:, 0] >> np.uint64(48)]]
    some = some[np.isin(some[:, 0], doubled)]
    some = some[np.lexsort((some[:, 1], some[:, 0]))]
    return np.asarray(some[1:, 1][some[1:, 0] == some[:-1, 0]])
