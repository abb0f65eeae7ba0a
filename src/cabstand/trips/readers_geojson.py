"""Read the points of a GeoJSON file, plain or gzipped, feature by feature; or of one with a feature a line."""

from __future__ import annotations

import codecs
import json
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from cabstand.errors import DataError
from cabstand.trips import crs as reference
from cabstand.trips.geometry import Geometry, not_a_point
from cabstand.trips.raw import Limits, RawBatch, unpacked

_BLOCK = 2**20
_LONGEST = 2**26  # letters of one feature
_SPACE = " \t\r\n,\x1e\ufeff"
GEOMETRY = "geometry"


class GeoJsonFile:
    """A GeoJSON file of points; a DataError if it holds no feature, or its CRS is unknown.

    Opening it reads it once, to learn the properties and the CRS, which may stand behind the features.
    """

    def __init__(self, path: Path, limits: Limits, *, gzipped: bool) -> None:
        self._path, self._limits, self._gzipped = path, limits, gzipped
        names: dict[str, None] = {}
        self.n_rows: int = 0
        self._members: dict[str, Any] = {}
        for feature in self._features():
            names.update(dict.fromkeys(feature.get("properties") or {}))
            self.n_rows += 1
        limits.check_rows(self.n_rows)
        if self.n_rows == 0:
            raise DataError("no latitude and longitude: JSON without a feature of GeoJSON")
        self.geometries = [_geometry(self._members)]
        self.names = [*(name for name in names if name != GEOMETRY), GEOMETRY]

    def batches(self, wanted: list[str], size: int, numbers: Collection[str] = ()) -> Iterator[RawBatch]:
        """Yield `wanted` columns as text, `size` rows at a time, and the points as x and y; ignore `numbers`."""
        first, rows = 0, []
        for feature in self._features():
            rows.append(feature)
            if len(rows) == size:
                yield _batch(rows, wanted, first)
                first, rows = first + size, []
        if rows:
            yield _batch(rows, wanted, first)

    def first_texts(self, name: str) -> list[str | None]:
        """Return nothing: the points are among the geometries."""
        return []

    def _features(self) -> Iterator[dict[str, Any]]:
        with unpacked(self._path, self._limits, gzipped=self._gzipped) as stream:
            yield from _Parser(stream, self._members).features()


class _Parser:
    """Finds features in a stream of JSON, and the members of the collection around them."""

    def __init__(self, stream: pa.NativeFile, members: dict[str, Any]) -> None:
        self._stream, self._members = stream, members
        self._utf8 = codecs.getincrementaldecoder("utf-8")()
        self._decoder = json.JSONDecoder()
        self._text, self._at = "", 0

    def features(self) -> Iterator[dict[str, Any]]:
        while (sign := self._peek()) is not None:
            if sign != "{":
                raise DataError("JSON, but not GeoJSON", hint="give a FeatureCollection of points")
            yield from self._object()

    def _object(self) -> Iterator[dict[str, Any]]:
        """Yield the features of a collection, or the object itself if it is one."""
        self._at += 1
        own: dict[str, Any] = {}
        while self._peek() != "}":
            name = self._value()
            self._expect(":")
            if name == "features" and self._peek() == "[":
                self._at += 1
                yield from self._array()
            else:
                own[name] = self._value()
        self._at += 1
        if own.get("type") == "Feature":
            yield _checked(own)
        else:
            self._members.update(own)

    def _array(self) -> Iterator[dict[str, Any]]:
        while self._peek() != "]":
            yield _checked(self._value())
        self._at += 1

    def _value(self) -> Any:
        """Return the next value, reading on until it is whole."""
        self._peek()
        while True:
            try:
                value, end = self._decoder.raw_decode(self._text, self._at)
                if end < len(self._text) or not self._more():  # a number may go on
                    self._at = end
                    return value
            except RecursionError:
                raise DataError("JSON, but not GeoJSON: nested too deeply") from None
            except ValueError as error:
                if len(self._text) - self._at > _LONGEST or not self._more():
                    raise DataError(f"not valid JSON: {error}", hint="is it truncated or damaged?") from error

    def _expect(self, sign: str) -> None:
        if self._peek() != sign:
            raise DataError("not valid JSON", hint="is it truncated or damaged?")
        self._at += 1

    def _peek(self) -> str | None:
        """Return the next letter that is no space or comma; None at the end."""
        while True:
            while self._at < len(self._text) and self._text[self._at] in _SPACE:
                self._at += 1
            if self._at < len(self._text):
                return self._text[self._at]
            if not self._more():
                return None

    def _more(self) -> bool:
        data = self._stream.read(max(_BLOCK, len(self._text) - self._at))
        self._text, self._at = self._text[self._at :] + self._utf8.decode(data, final=not data), 0
        return bool(data)


def _checked(feature: Any) -> dict[str, Any]:
    if not isinstance(feature, dict) or not isinstance(feature.get("properties") or {}, dict):
        raise DataError("JSON, but not GeoJSON: a feature is no object", hint="give a FeatureCollection of points")
    return feature


def _geometry(members: dict[str, Any]) -> Geometry:
    """Return the column of points, with the CRS that the collection names in the manner of GeoJSON 2008."""
    if "crs" not in members:
        return Geometry(GEOMETRY, "point", reference.WGS84)
    crs = members["crs"]
    try:
        name = None if crs is None else str(crs["properties"]["name"])
    except (KeyError, TypeError):
        raise DataError(f"unknown CRS {json.dumps(crs)[:60]}", hint="reproject the points to EPSG:4326") from None
    return Geometry(GEOMETRY, "point", name, is_of_no_crs=name is None)


def _batch(features: list[dict[str, Any]], wanted: list[str], first: int) -> RawBatch:
    columns: dict[str, pa.Array] = {}
    for name in wanted:
        if name == GEOMETRY:
            xy = [_xy(feature.get("geometry"), first + row) for row, feature in enumerate(features)]
            columns[name] = pa.array(xy, pa.struct({"x": pa.float64(), "y": pa.float64()}))
        else:
            values = ((feature.get("properties") or {}).get(name) for feature in features)
            columns[name] = pa.array([_text(value) for value in values], pa.string())
    rows = np.arange(first, first + len(features), dtype=np.int64)
    return RawBatch(pa.RecordBatch.from_pydict(columns), rows, [])


def _text(value: Any) -> str | None:
    return value if value is None or isinstance(value, str) else json.dumps(value)


def _xy(geometry: Any, row: int) -> dict[str, float] | None:
    if geometry is None:
        return None
    kind = geometry.get("type") if isinstance(geometry, dict) else type(geometry).__name__
    if kind != "Point":
        raise not_a_point(str(kind), row)
    at = geometry.get("coordinates") or []
    try:
        return {"x": float(at[0]), "y": float(at[1])} if at else None
    except (IndexError, TypeError, ValueError):
        raise DataError(f"the coordinates of row {row} are not two numbers: {json.dumps(at)[:60]}") from None
