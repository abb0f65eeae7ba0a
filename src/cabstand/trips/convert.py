"""Convert source columns to canonical ones, whatever type their era gave them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from cabstand.errors import DataError
from cabstand.trips.eras import Era
from cabstand.trips.raw import is_text
from cabstand.trips.schema import KM_PER_MILE, TRIPS

Mask = npt.NDArray[np.bool_]

MAX_TEXT = 64  # bytes; no number or date is longer, but a decompression bomb's strings are
# ISO first, for nearly every file has it. The others are Uber's, as published and as saved by spreadsheets.
DATE_FORMATS = ("%Y-%m-%d %H:%M:%S", "%m/%d/%Y %H:%M:%S", "%Y/%m/%d %H:%M:%S", "%m/%d/%Y %H:%M", "%Y-%m-%d %H:%M")
_NUMBER = r"^-?(\d{1,40}\.?\d{0,40}|\.\d{1,40})([eE][+-]?\d{1,2})?$|^-?(nan|NaN|NAN|inf|Inf|infinity|Infinity)$"
_US_PER = {"s": 1_000_000, "ms": 1_000, "us": 1}


def to_canonical(raw: pa.RecordBatch, era: Era, rows: npt.NDArray[np.int64]) -> tuple[pa.RecordBatch, Mask]:
    """Return `raw` in the canonical schema, and which rows hold a value that could not be read, bool (n,).

    `rows` (n,) are the rows' indices in the source.
    """
    unreadable = np.zeros(raw.num_rows, bool)
    columns: list[pa.Array] = []
    for field in TRIPS:
        if field.name == "row":
            columns.append(pa.array(rows, pa.int64()))
        elif field.name in era.columns:
            source = _without_nan(raw.column(era.columns[field.name]), field)
            value = _convert(source, field, era.columns[field.name])
            unreadable |= np.asarray(pc.and_(value.is_null(), source.is_valid()))
            columns.append(value)
        else:
            columns.append(pa.nulls(raw.num_rows, field.type))
    return pa.RecordBatch.from_arrays(columns, schema=TRIPS), unreadable


def _convert(source: pa.Array, field: pa.Field, name: str) -> pa.Array:
    if pa.types.is_dictionary(source.type):
        longest = pc.max(pc.binary_length(source.dictionary)).as_py() or 0
        if longest > MAX_TEXT:
            raise DataError(f"column {name} holds text of {longest} bytes", hint="not a file of trip records")
        source = source.dictionary_decode()
    if pa.types.is_null(source.type):
        return pa.nulls(len(source), field.type)
    if pa.types.is_timestamp(field.type):
        return _timestamp(source, name)
    value = _number(source, name)
    if pa.types.is_integer(field.type):
        return _integer(value, field.type)
    return pc.multiply(value, KM_PER_MILE) if field.name == "distance_km" else value


def _number(source: pa.Array, name: str) -> pa.Array:
    if is_text(source.type):
        text = pc.utf8_trim_whitespace(source.cast(pa.string()))
        try:
            return text.cast(pa.float64())
        except pa.ArrowInvalid:  # one bad value fails the cast of the whole column: blank it first
            fit = pc.match_substring_regex(text, _NUMBER)
            return pc.if_else(fit, text, pa.scalar(None, pa.string())).cast(pa.float64())
    kinds = (pa.types.is_integer, pa.types.is_floating, pa.types.is_decimal)
    if not any(kind(source.type) for kind in kinds):
        raise DataError(f"column {name} is of type {source.type}, not a number", hint="not a file of trip records")
    return source.cast(pa.float64(), safe=False)


def _without_nan(source: pa.Array, field: pa.Field) -> pa.Array:
    """Null the NaNs of an integer column: for years codes were stored as doubles, with NaN for null."""
    if pa.types.is_integer(field.type) and pa.types.is_floating(source.type):
        return pc.if_else(pc.is_nan(source), pa.scalar(None, source.type), source)
    return source


def _integer(value: pa.Array, kind: pa.DataType) -> pa.Array:
    """Return whole numbers in range; anything else becomes null."""
    limit = np.iinfo(kind.to_pandas_dtype())
    number = np.asarray(value.fill_null(np.nan))
    fit = (number >= limit.min) & (number <= limit.max)
    whole = np.where(fit, number, 0)
    return pa.array(whole.astype(kind.to_pandas_dtype()), kind, mask=~fit | (whole != np.floor(whole)))


def _timestamp(source: pa.Array, name: str) -> pa.Array:
    if is_text(source.type):
        return _parse(pc.utf8_trim_whitespace(source.cast(pa.string())))
    if not pa.types.is_timestamp(source.type):
        raise DataError(f"column {name} is of type {source.type}, not a date", hint="not a file of trip records")
    if source.type.tz:
        source = pc.local_timestamp(source)
    if source.type.unit == "ns":
        return source.cast(pa.timestamp("us"), safe=False)
    factor = _US_PER[source.type.unit]
    number = source.cast(pa.int64())
    bound = 2**62 // factor
    fit = pc.and_(pc.greater(number, -bound), pc.less(number, bound))
    number = pc.if_else(fit, number, pa.scalar(None, pa.int64()))
    return pc.multiply(number, factor).cast(pa.timestamp("us"))


def _parse(text: pa.Array) -> pa.Array:
    try:
        return text.cast(pa.timestamp("us"))
    except pa.ArrowInvalid:
        value = pa.nulls(len(text), pa.timestamp("us"))
    for pattern in DATE_FORMATS:
        if value.null_count == text.null_count:
            break
        value = pc.coalesce(value, pc.strptime(text, format=pattern, unit="us", error_is_null=True))
    return value
