"""Read times of any form as local New York time: timestamps with or without a zone, and text."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from cabstand.tlc import ZONE
from cabstand.trips.raw import is_text

Ints = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

LOCAL = pa.timestamp("us")
_UTC = pa.timestamp("us", "UTC")
_US_PER = {"s": 1_000_000, "ms": 1_000, "us": 1}
_LARGEST = 2**62  # microseconds
# ISO and other year-first dates, and month-first ones, with 24 or 12 hours; a zone may follow.
_FORM = (
    r"^(?:(?P<y>\d{4})[-/.](?P<m>\d{1,2})[-/.](?P<d>\d{1,2})|(?P<m2>\d{1,2})/(?P<d2>\d{1,2})/(?P<y2>\d{4}|\d{2}))"
    r"(?:[T ]+(?P<h>\d{1,2}):(?P<min>\d{2})(?::(?P<s>\d{2})(?:[.,](?P<f>\d{1,9}))?)?"
    r"(?:\s*(?P<half>[AaPp])\.?[Mm]\.?)?(?:\s*(?P<zone>[Zz]|UTC|GMT|E[SD]T|(?:UTC)?[+-]\d{2}(?::?\d{2})?))?)?$"
)
_MINUTES = {"Z": 0, "z": 0, "UTC": 0, "GMT": 0, "EST": -300, "EDT": -240}


class Times(NamedTuple):
    """Local times, and the zones that some of them were converted from."""

    at: pa.Array  # timestamp[us]; null where there is none or it cannot be read
    zones: frozenset[str] = frozenset()


def local(source: pa.Array) -> Times | None:
    """Return times as local New York time; None if the values are neither timestamps nor text."""
    if pa.types.is_null(source.type):
        return Times(pa.nulls(len(source), LOCAL))
    if is_text(source.type):
        return _from_text(source)
    if not pa.types.is_timestamp(source.type):
        return None
    at = _microseconds(source)
    zone = source.type.tz
    return Times(_to_local(at), frozenset({zone} - {ZONE})) if zone else Times(at)


def shown_zones(zones: dict[str, set[str]]) -> dict[str, str]:
    """Return the columns that have zones, as `{"t": "UTC to America/New_York"}`."""
    return {name: f"{', '.join(sorted(found))} to {ZONE}" for name, found in zones.items() if found}


def merge_zones(parts: Iterable[dict[str, set[str]]]) -> dict[str, set[str]]:
    """Return the zones of each column in all parts."""
    merged: dict[str, set[str]] = {}
    for part in parts:
        for name, zones in part.items():
            merged.setdefault(name, set()).update(zones)
    return merged


def _microseconds(source: pa.Array) -> pa.Array:
    """Return timestamps in microseconds, as they read in UTC; null where out of range."""
    if source.type.unit == "ns":
        return source.cast(pa.timestamp("us", source.type.tz), safe=False).cast(pa.int64()).cast(LOCAL)
    factor = _US_PER[source.type.unit]
    number, most = source.cast(pa.int64()), _LARGEST // factor
    extremes = pc.min_max(number).as_py()
    if any(abs(extreme or 0) >= most for extreme in extremes.values()):
        fit = pc.and_(pc.greater(number, -most), pc.less(number, most))
        number = pc.if_else(fit, number, pa.scalar(None, pa.int64()))
    return (number if factor == 1 else pc.multiply(number, factor)).cast(LOCAL)


def _to_local(utc: pa.Array) -> pa.Array:
    """Return New York's time at naive times of UTC."""
    return pc.local_timestamp(utc.cast(pa.int64()).cast(pa.timestamp("us", ZONE)))


def _from_text(source: pa.Array) -> Times:
    try:  # nearly every file has ISO times without a zone
        return Times(source.cast(LOCAL))
    except pa.ArrowInvalid:
        pass
    text = pc.utf8_trim_whitespace(source.cast(pa.string()))
    parts = pc.extract_regex(text, _FORM)
    names = set(pc.unique(parts.field("zone").drop_null()).to_pylist()) - {""}
    try:  # or all of them with one
        return Times(_to_local(text.cast(_UTC).cast(pa.int64()).cast(LOCAL)), frozenset(map(_shown, names)))
    except pa.ArrowInvalid:
        return _parse(parts, names)


def _parse(parts: pa.StructArray, names: set[str]) -> Times:
    """Return the times that the parts of texts, by `_FORM`, make."""
    us, fit = _instants(parts)
    zone = parts.field("zone").fill_null("")
    minutes = np.zeros(len(parts), np.int64)
    for name in names:
        minutes[np.asarray(pc.equal(zone, name))] = _offset(name)
    zoned = np.asarray(pc.not_equal(zone, ""))
    utc = pa.array(us - minutes * 60_000_000, LOCAL)
    at = pc.if_else(pa.array(zoned), _to_local(utc), utc)
    return Times(pc.if_else(pa.array(fit), at, pa.scalar(None, LOCAL)), frozenset(map(_shown, names)))


def _instants(parts: pa.StructArray) -> tuple[Ints, Mask]:
    """Return microseconds since 1970, whatever the zone, and which rows hold a possible time; both (n,)."""
    year, month, day = (_ints(parts, name) + _ints(parts, f"{name}2") for name in "ymd")
    year += np.where(np.asarray(pc.equal(pc.utf8_length(parts.field("y2").fill_null("")), 2)), 2000, 0)
    hour, minute, second = (_ints(parts, name) for name in ("h", "min", "s"))
    half = np.asarray(pc.utf8_lower(parts.field("half").fill_null("")).cast(pa.string()).to_numpy(zero_copy_only=False))
    fit = np.asarray(parts.is_valid()) & (month >= 1) & (month <= 12) & (minute < 60) & (second < 60)
    fit &= np.where(half == "", hour < 24, (hour >= 1) & (hour <= 12))
    hour = np.where(half == "", hour, hour % 12 + np.where(half == "p", 12, 0))
    start = (np.where(fit, (year - 1970) * 12 + month - 1, 0)).astype("M8[M]")
    days = (start + 1).astype("M8[D]") - start.astype("M8[D]")
    fit &= (day >= 1) & (day <= days.astype(np.int64))
    date = start.astype("M8[D]").astype(np.int64) + day - 1
    fraction = _ints(parts, "f", pc.utf8_rpad(parts.field("f").fill_null(""), 6, "0"))
    return (((date * 24 + hour) * 60 + minute) * 60 + second) * 1_000_000 + fraction, fit


def _ints(parts: pa.StructArray, name: str, text: Any = None) -> Ints:
    text = parts.field(name).fill_null("") if text is None else pc.utf8_slice_codeunits(text, 0, 6)
    digits = pc.if_else(pc.equal(text, ""), "0", text)
    return np.asarray(digits.cast(pa.int64())).copy()


def _offset(name: str) -> int:
    """Return the minutes that a zone is ahead of UTC."""
    if name in _MINUTES:
        return _MINUTES[name]
    digits = name.removeprefix("UTC").replace(":", "")
    minutes = int(digits[1:3]) * 60 + int(digits[3:] or 0)
    return -minutes if digits[0] == "-" else minutes


def _shown(name: str) -> str:
    """Return what a zone is called in a result."""
    return "UTC" if _offset(name) == 0 else name
