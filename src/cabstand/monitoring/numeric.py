"""The profile of a numeric column: its distinct values and how often each occurs, in bounded memory.

Up to `MAX_DISTINCT` distinct values the profile is exact. Beyond it, all values keep only as many leading bits of their
mantissa as leave `MAX_DISTINCT` or fewer distinct ones. Fewer bits give a coarser version of what more bits give, so
the number of bits, and with it the profile, follows from the set of rows alone: neither their order nor the size of
batches matters, and merged parts equal the whole.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

Floats = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int64]

MAX_DISTINCT = 1 << 18
EXACT_BITS = 52  # of a float64's mantissa
LARGEST = 1e150  # squares of larger ones may overflow: they count as infinite
_BUFFER_ROWS = 1 << 18  # sorted at a time


def _no_floats() -> Floats:
    return np.empty(0)


def _no_counts() -> Counts:
    return np.empty(0, np.int64)


@dataclass
class Numbers:
    """A numeric column; missing are nulls, NaN and infinite values.

    Attributes
    ----------
    n_rows, n_missing, n_infinite : int
        Rows; those without a finite value; those that are infinite.
    bits : int
        Leading bits of the mantissa that are kept.
    whole : bool
        Whether every value came from a column of integers.
    """

    max_distinct: int = MAX_DISTINCT
    n_rows: int = 0
    n_missing: int = 0
    n_infinite: int = 0
    bits: int = EXACT_BITS
    whole: bool = True
    _values: Floats = field(default_factory=_no_floats)
    _counts: Counts = field(default_factory=_no_counts)
    _pending: list[Floats] = field(default_factory=list)
    _n_pending: int = 0

    def add(self, column: pa.Array) -> None:
        """Add the rows of an Arrow array of numbers."""
        values = column.drop_null() if column.null_count else column
        if not (pa.types.is_integer(values.type) or pa.types.is_floating(values.type)):
            values = pc.cast(values, pa.float64())
        self.add_numbers(values.to_numpy(zero_copy_only=False))
        self.add_missing(column.null_count)

    def add_missing(self, n: int) -> None:
        """Add `n` rows without a value."""
        self.n_rows += n
        self.n_missing += n

    def add_numbers(self, values: npt.NDArray[Any]) -> None:
        """Add the rows of an array (n,) of numbers."""
        numbers = values.astype(np.float64, copy=False)
        self.whole &= bool(np.issubdtype(values.dtype, np.integer)) or not len(values)
        finite = np.abs(numbers) <= LARGEST  # false for NaN
        if not finite.all():
            self.n_infinite += int((np.abs(numbers) > LARGEST).sum())
            numbers = numbers[finite]
        self.n_rows += len(values)
        self.n_missing += len(values) - len(numbers)
        self._pending.append(numbers)
        self._n_pending += len(numbers)
        if self._n_pending >= _BUFFER_ROWS:
            self._settle()

    def merge(self, other: Numbers) -> None:
        """Add the rows of another profile."""
        other._settle()
        self._settle()
        self.n_rows += other.n_rows
        self.n_missing += other.n_missing
        self.n_infinite += other.n_infinite
        self.whole &= other.whole
        self.bits = min(self.bits, other.bits)
        self._combine(other._values, other._counts)

    @property
    def values(self) -> Floats:
        """Distinct finite values, ascending, shape (k,)."""
        self._settle()
        return self._values

    @property
    def counts(self) -> Counts:
        """How often each of `values` occurs, shape (k,)."""
        self._settle()
        return self._counts

    @property
    def n(self) -> int:
        """Rows with a finite value."""
        return self.n_rows - self.n_missing

    @property
    def resolution(self) -> float:
        """Largest relative error of a value, 0 if exact; a Wasserstein distance errs by at most this times mean |x|."""
        self._settle()
        return 0.0 if self.bits == EXACT_BITS else 2.0**-self.bits

    def quantiles(self, shares: npt.ArrayLike) -> Floats:
        """Return the smallest values that at least `shares` of the rows do not exceed; there must be rows."""
        cumulative = np.cumsum(self.counts)
        # Shares like 0.1 are not exact in binary: 0.1 * 30 rows must be the third, not the fourth.
        wanted = np.ceil(np.asarray(shares, np.float64) * self.n * (1 - 1e-12))
        return self.values[np.minimum(np.searchsorted(cumulative, wanted), len(cumulative) - 1)]

    def _settle(self) -> None:
        """Move pending rows into the distinct values."""
        if not self._n_pending:
            return
        numbers = np.concatenate(self._pending) + 0.0  # a copy, and -0.0 becomes 0.0
        self._pending, self._n_pending = [], 0
        numbers = _truncated(numbers, self.bits)
        numbers.sort()
        self._combine(*_grouped(numbers, np.ones(len(numbers), np.int64)))

    def _combine(self, values: Floats, counts: Counts) -> None:
        both = np.concatenate([_truncated(self._values, self.bits), _truncated(values, self.bits)])
        order = np.argsort(both, kind="stable")
        self._values, self._counts = _grouped(both[order], np.concatenate([self._counts, counts])[order])
        while len(self._values) > self.max_distinct and self.bits:
            self.bits -= 1
            self._values, self._counts = _grouped(_truncated(self._values, self.bits), self._counts)


def _truncated(values: Floats, bits: int) -> Floats:
    """Return values with all but the first `bits` of their mantissa cleared, which keeps their order."""
    if bits == EXACT_BITS:
        return values
    mask = np.int64(-1) << np.int64(EXACT_BITS - bits)
    return (values.view(np.int64) & mask).view(np.float64) + 0.0


def _grouped(ascending: Floats, counts: Counts) -> tuple[Floats, Counts]:
    """Return the distinct ones of ascending values, with their counts summed."""
    if not len(ascending):
        return ascending, counts
    first = np.flatnonzero(np.concatenate([[True], ascending[1:] != ascending[:-1]]))
    return ascending[first], np.add.reduceat(counts, first)
