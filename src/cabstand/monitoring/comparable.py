"""Which columns of two samples a general report can compare, and why it cannot compare the others."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from cabstand.monitoring.sample import Samples

Values = npt.NDArray[np.float64] | npt.NDArray[np.object_]
Kind = Literal["number", "category"]


@dataclass(frozen=True)
class Pair:
    """A column of both samples: floats with NaN, or texts with None, where a value is missing."""

    kind: Kind
    reference: Values
    current: Values


@dataclass
class Sifted:
    """The columns that can be compared; the others with the reason; what was changed in those that can."""

    columns: dict[str, Pair] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)


class _UnfitError(Exception):
    """Why a column cannot be compared."""


def sift(samples: Samples) -> Sifted:
    """Return the comparable columns of two samples, in the reference's order, each with enough values to compare."""
    found = Sifted()
    names = dict.fromkeys([*samples.reference.column_names, *samples.current.column_names])
    for name in names:
        try:
            pair, n_infinite = _pair(samples, name)
            _require_spread(pair)
        except _UnfitError as reason:
            found.left_out[name] = str(reason)
            continue
        found.columns[name] = pair
        if n_infinite:
            found.notes[name] = f"{n_infinite:,} infinite value{'s' * (n_infinite > 1)} taken out"
    return found


def _pair(samples: Samples, name: str) -> tuple[Pair, int]:
    """Return the column's values of both samples, and how many were infinite."""
    sides = dict(_sides(samples, name))
    kinds = {side: _kind(column.type, name in samples.categorical) for side, column in sides.items()}
    kind = kinds["reference"]
    if kind != kinds["current"]:
        raise _UnfitError(f"a {kind} in the reference, a {kinds['current']} in the current rows")
    values = {side: _numbers(column) if kind == "number" else _texts(column) for side, column in sides.items()}
    n_infinite = 0
    for side, array in values.items():
        if kind == "number":
            infinite = np.isinf(array.astype(float))
            n_infinite += int(infinite.sum())
            array[infinite] = np.nan
        if not _present(array).size:
            raise _UnfitError(f"no {'finite ' if n_infinite else ''}value in {_SAYS[side]}")
    return Pair(kind, values["reference"], values["current"]), n_infinite


_SAYS = {"reference": "the reference", "current": "the current rows"}


def _sides(samples: Samples, name: str) -> Iterator[tuple[str, pa.ChunkedArray]]:
    for side, table in (("reference", samples.reference), ("current", samples.current)):
        places = table.schema.get_all_field_indices(name)
        if len(places) != 1:
            raise _UnfitError(f"{'named twice' if places else 'missing'} in {_SAYS[side]}")
        column = table.column(places[0])
        if column.null_count == len(column):
            raise _UnfitError(f"no value in {_SAYS[side]}")
        yield side, column


def _kind(of: pa.DataType, named: bool) -> Kind:
    value = of.value_type if pa.types.is_dictionary(of) else of
    texts = pa.types.is_string(value) or pa.types.is_large_string(value) or pa.types.is_string_view(value)
    if texts or pa.types.is_boolean(value):
        return "category"
    if pa.types.is_integer(value) or pa.types.is_floating(value) or pa.types.is_decimal(value):
        return "category" if named else "number"
    raise _UnfitError(f"of type {of}: neither a number nor a category")


def _numbers(column: pa.ChunkedArray) -> npt.NDArray[np.float64]:
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    return np.array(column.cast(pa.float64()).to_numpy(zero_copy_only=False), dtype=np.float64)


def _texts(column: pa.ChunkedArray) -> npt.NDArray[np.object_]:
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if pa.types.is_floating(column.type):
        column = pc.if_else(pc.is_finite(column), column, None)
        if pc.all(pc.equal(pc.round(column), column)).as_py():  # zones with gaps: 132.0 is zone 132
            column = column.cast(pa.int64())
    return np.array(column.cast(pa.string()).to_pylist(), dtype=object)


def _present(values: Values) -> Values:
    return values[~np.isnan(values)] if values.dtype == np.float64 else values[values != None]  # noqa: E711 (by element)


def _require_spread(pair: Pair) -> None:
    """Refuse a constant: the distance of numbers is divided by the reference's spread, and equal names have none."""
    reference, current = (set(_present(one).tolist()) for one in (pair.reference, pair.current))
    if len(reference) == 1 and (pair.kind == "number" or current == reference):
        raise _UnfitError(f"constant in the reference{' and in the current rows' if current == reference else ''}")
