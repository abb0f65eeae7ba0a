"""Convert source columns to canonical ones, whatever type their era gave them."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from cabstand.errors import DataError
from cabstand.trips import times
from cabstand.trips.raw import NULLS, is_text
from cabstand.trips.schema import KM_PER_MILE, TRIPS

Mask = npt.NDArray[np.bool_]

MAX_TEXT = 64  # bytes; no number or date is longer, but a decompression bomb's strings are
_NUMBER = r"^[-+]?(\d{1,40}\.?\d{0,40}|\.\d{1,40})([eE][+-]?\d{1,2})?$|^-?(nan|NaN|NAN|inf|Inf|infinity|Infinity)$"


def to_canonical(
    raw: pa.RecordBatch, columns: Mapping[str, str], rows: npt.NDArray[np.int64], zones: dict[str, set[str]]
) -> tuple[pa.RecordBatch, Mask]:
    """Return `raw` in the canonical schema, and which rows hold a value that could not be read, bool (n,).

    `columns` names the source of each canonical column, and `rows` (n,) are the rows' indices in the source. To `zones`
    are added the zones that the times of a source column were converted from.
    """
    unreadable = np.zeros(raw.num_rows, bool)
    found: list[pa.Array] = []
    for field in TRIPS:
        if field.name == "row":
            found.append(pa.array(rows, pa.int64()))
        elif field.name in columns:
            name = columns[field.name]
            source = _without_nan(decoded(raw.column(name), name), field)
            value = _convert(source, field, name, zones)
            unreadable |= unread(source, value)
            found.append(value)
        else:
            found.append(pa.nulls(raw.num_rows, field.type))
    return pa.RecordBatch.from_arrays(found, schema=TRIPS), unreadable


def decoded(source: pa.Array, name: str) -> pa.Array:
    """Return values that may be dictionary-encoded as plain ones; a DataError if they are long text."""
    if not pa.types.is_dictionary(source.type):
        return source
    longest = pc.max(pc.binary_length(source.dictionary)).as_py() or 0
    if longest > MAX_TEXT:
        raise DataError(f"column {name} holds text of {longest} bytes", hint="not a file of trip records")
    return source.dictionary_decode()


def unread(source: pa.Array, value: pa.Array) -> Mask:
    """Return which values of `source` were not null and are null in `value`, bool (n,)."""
    if value.null_count == source.null_count:
        return np.zeros(len(source), bool)
    lost = pc.and_(value.is_null(), source.is_valid())
    if value.null_count > source.null_count and is_text(source.type):
        is_null = pc.is_in(pc.utf8_trim_whitespace(source.cast(pa.string())), pa.array(NULLS))
        lost = pc.and_(lost, pc.invert(is_null))
    return np.asarray(lost)


def number(source: pa.Array, name: str) -> pa.Array:
    """Return a column as float64, null where it holds no number."""
    if pa.types.is_null(source.type):
        return pa.nulls(len(source), pa.float64())
    if is_text(source.type):
        text = pc.utf8_trim_whitespace(source.cast(pa.string()))
        try:
            return text.cast(pa.float64())
        except pa.ArrowInvalid:  # one bad value fails the cast of the whole column: blank it first
            fit = pc.match_substring_regex(text, _NUMBER)
            text = pc.if_else(fit, text, pa.scalar(None, pa.string()))
            return pc.replace_substring_regex(text, r"^\+", "").cast(pa.float64())
    kinds = (pa.types.is_integer, pa.types.is_floating, pa.types.is_decimal)
    if not any(kind(source.type) for kind in kinds):
        raise DataError(f"column {name} is of type {source.type}, not a number", hint="not a file of trip records")
    return source.cast(pa.float64(), safe=False)


def _convert(source: pa.Array, field: pa.Field, name: str, zones: dict[str, set[str]]) -> pa.Array:
    if pa.types.is_timestamp(field.type):
        found = times.local(source)
        if found is None:
            raise DataError(f"column {name} is of type {source.type}, not a time", hint="not a file of trip records")
        zones.setdefault(name, set()).update(found.zones)
        return found.at
    if pa.types.is_integer(field.type):
        return _integer(source, field.type, name)
    value = number(source, name)
    return pc.multiply(value, KM_PER_MILE) if field.name == "distance_km" else value


def _without_nan(source: pa.Array, field: pa.Field) -> pa.Array:
    """Null the NaNs of an integer column: for years codes were stored as doubles, with NaN for null."""
    if pa.types.is_integer(field.type) and pa.types.is_floating(source.type):
        return pc.if_else(pc.is_nan(source), pa.scalar(None, source.type), source)
    return source


def _integer(source: pa.Array, kind: pa.DataType, name: str) -> pa.Array:
    """Return whole numbers in range; anything else becomes null."""
    if pa.types.is_integer(source.type) or pa.types.is_floating(source.type):
        with suppress(pa.ArrowInvalid):  # a value is none of those
            return source.cast(kind)
    limit = np.iinfo(str(kind))
    value = np.asarray(number(source, name).fill_null(np.nan))
    fit = (value >= limit.min) & (value <= limit.max)
    whole = np.where(fit, value, 0)
    return pa.array(whole.astype(limit.dtype), kind, mask=~fit | (whole != np.floor(whole)))
