"""A column's profile, which its distances are computed from: built batch by batch, and mergeable.

Neither the order of rows nor the size of batches changes a profile, and merged parts equal the whole.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import pyarrow as pa
import pyarrow.compute as pc

from cabstand.monitoring.numeric import Numbers

Kind = Literal["number", "category"]

MAX_CATEGORIES = 50_000  # a column with more is an identifier: its categories are dropped


@dataclass
class Categories:
    """A column of categories, as text; missing are nulls, NaN and infinite values."""

    max_categories: int = MAX_CATEGORIES
    n_rows: int = 0
    n_missing: int = 0
    n_infinite: int = 0
    too_many: bool = False
    counts: Counter[str] = field(default_factory=Counter)

    def add(self, column: pa.Array) -> None:
        """Add the rows of an Arrow array."""
        self.n_rows += len(column)
        for entry in pc.value_counts(column):
            name, count = _name(entry["values"].as_py()), entry["counts"].as_py()
            if name in {None, "inf", "-inf"}:
                self.n_missing += count
                self.n_infinite += count if name else 0
            else:
                self.counts[str(name)] += count
        self._limit()

    def add_missing(self, n: int) -> None:
        """Add `n` rows without a value."""
        self.n_rows += n
        self.n_missing += n

    def merge(self, other: Categories) -> None:
        """Add the rows of another profile."""
        self.n_rows += other.n_rows
        self.n_missing += other.n_missing
        self.n_infinite += other.n_infinite
        self.too_many |= other.too_many
        self.counts.update(other.counts)
        self._limit()

    @property
    def n(self) -> int:
        """Rows with a category."""
        return self.n_rows - self.n_missing

    def _limit(self) -> None:
        self.too_many |= len(self.counts) > self.max_categories
        if self.too_many:
            self.counts.clear()


Profile = Numbers | Categories


@dataclass(frozen=True)
class Batches:
    """Rows as a stream of Arrow batches that can be read again; a batch may lack columns of the schema."""

    schema: pa.Schema
    read: Callable[[], Iterable[pa.RecordBatch]]

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        """Read the batches."""
        return iter(self.read())


def of_table(table: pa.Table, size: int | None = None) -> Batches:
    """Return a table's rows as a stream, `size` rows a batch."""
    return Batches(table.schema, lambda: table.to_batches(max_chunksize=size))


def kind_of(column_type: pa.DataType) -> Kind | None:
    """Return how a column of this type is compared; None if it is not."""
    types = pa.types
    value = column_type.value_type if types.is_dictionary(column_type) else column_type
    if value != column_type or types.is_boolean(value) or types.is_string(value) or types.is_large_string(value):
        return "category"
    if types.is_integer(value) or types.is_floating(value) or types.is_decimal(value):
        return "number"
    return "category" if types.is_string_view(value) else None


def profile(batches: Batches, kinds: Mapping[str, Kind]) -> dict[str, Profile]:
    """Return the profile of each column that `kinds` names, in one pass over all rows.

    A column that a batch lacks, or has with another type than its kind's, is missing in the rows of that batch.
    """
    found: dict[str, Profile] = {name: new(kind) for name, kind in kinds.items()}
    for batch in batches:
        for name, one in found.items():
            _add(one, batch, name)
    return found


def new(kind: Kind) -> Profile:
    """Return an empty profile."""
    return Numbers() if kind == "number" else Categories()


def as_categories(numbers: Numbers) -> Categories:
    """Return numbers with few distinct values as categories."""
    counts = Counter({str(_name(value)): int(n) for value, n in zip(numbers.values, numbers.counts, strict=True)})
    return Categories(MAX_CATEGORIES, numbers.n_rows, numbers.n_missing, numbers.n_infinite, False, counts)


def _add(one: Profile, batch: pa.RecordBatch, name: str) -> None:
    column = batch.column(name) if name in batch.schema.names else None
    kind = None if column is None else kind_of(column.type)
    if kind is None or (kind == "category" and isinstance(one, Numbers)):
        one.add_missing(batch.num_rows)
    else:
        one.add(column)


def _name(value: Any) -> str | None:
    """Return a value as the name of a category, so that 1 and 1.0 are the same; None if it is missing."""
    if value is None or value != value:  # noqa: PLR0124 - NaN
        return None
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:.15g}" if isinstance(value, float) else str(value)
