"""The pickups of a map by place and hour of the week: a density raster, and counts of each hotspot, packed for a page.

A page adds up the hours that its reader chooses, so both keep all 168 of them, as counts.
"""

from __future__ import annotations

import base64
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cabstand.clustering.rhythm import NO_HOUR, hours_of_week

Array = NDArray[Any]

HOURS_A_WEEK = 168
MOST_ENTRIES = 400_000  # of a raster: some 650 kB in a page
CELLS_M = (60.0, 90.0, 130.0, 200.0, 300.0, 500.0, 800.0, 1300.0, 2000.0)
MOST_CELLS = 1_000_000
_EDGE = 0.002  # share of the pickups that may lie outside on each side, if they are far: stray coordinates
_FAR = 2.0  # times the side of what holds the others
_PADDING = 8  # empty cells on each side, over which a page may spread the outermost
_METRES = 6_371_008.8


@dataclass(frozen=True)
class Raster:
    """Counts on a grid of square cells in Mercator's projection, which maps in a browser use.

    `cell` counts from the north-west corner along the rows; `hour` is that of the week, from Monday 00:00, and 0 where
    times are unknown. Entries are sorted by cell.
    """

    south: float  # degrees
    west: float
    north: float
    east: float
    n_rows: int
    n_columns: int
    cell_m: float  # side of a cell, about
    cell: Array
    hour: Array
    count: Array

    @property
    def page_data(self) -> dict[str, Any]:
        """The raster for a page's script: steps between cells (uint32), counts (uint16) and hours (uint8)."""
        steps = np.diff(self.cell, prepend=0).astype("<u4").tobytes()
        counts = np.minimum(self.count, 65_535).astype("<u2").tobytes()
        bounds = {name: round(float(getattr(self, name)), 6) for name in ("south", "west", "north", "east")}
        shape = {"rows": self.n_rows, "columns": self.n_columns, "cell_m": self.cell_m, "n": len(self.cell)}
        return bounds | shape | {"data": packed(steps + counts + self.hour.astype("u1").tobytes())}

    def centres(self, cell: Array) -> tuple[Array, Array]:
        """Return latitudes and longitudes in degrees of the centres of cells, each of shape (n,)."""
        (left, bottom), (right, top) = ((float(x[0]), float(y[0])) for x, y in self._corners())
        row, column = cell // self.n_columns + 0.5, cell % self.n_columns + 0.5
        x, y = left + (right - left) * column / self.n_columns, top - (top - bottom) * row / self.n_rows
        return np.degrees(np.arctan(np.sinh(y))), np.degrees(x)

    def _corners(self) -> Iterator[tuple[Array, Array]]:
        """Yield the south-west and the north-east corner in Mercator's projection."""
        for lat, lon in ((self.south, self.west), (self.north, self.east)):
            yield _mercator(np.array([[lat, lon]]))


def hour_of_week(at: NDArray[np.datetime64]) -> NDArray[np.int64]:
    """Return the hour of the week of local times, from 0 on Monday at midnight; -1 where the time is unknown."""
    hours = hours_of_week(at).astype(np.int64)
    return np.where(hours == NO_HOUR, -1, hours)


def rasterise(latlon: Array, hour: Array | None, weight: Array | None = None) -> Raster:
    """Return the density of points (n, 2) in degrees, on the finest grid whose raster is small enough for a page.

    Points of an unknown hour (-1) are left out, and so are stray ones, far from all others.
    """
    known = np.ones(len(latlon), bool) if hour is None else hour >= 0
    x, y = _mercator(latlon[known])
    hours = np.zeros(len(x), np.int64) if hour is None else hour[known]
    weights = np.ones(len(x)) if weight is None else weight[known]
    box = _box(x, y)
    per_metre = 1 / (_METRES * np.cos(np.arctan(np.sinh((box[1] + box[3]) / 2))))
    made = None
    for cell_m in CELLS_M:
        side = cell_m * per_metre
        if (box[2] - box[0]) * (box[3] - box[1]) / side**2 > MOST_CELLS and cell_m < CELLS_M[-1]:
            continue
        made = _binned(x, y, hours, weights, box, side, cell_m)
        if len(made.cell) <= MOST_ENTRIES:
            break
    assert made is not None
    return made


def weeks(labels: Array, hour: Array, weight: Array | None, wanted: Sequence[int]) -> NDArray[np.int64]:
    """Return the pickups of each wanted hotspot in each hour of the week, shape (len(wanted), 168)."""
    place = np.full(max([*wanted, int(labels.max(initial=-1))], default=-1) + 2, -1)  # its last entry is for noise
    place[list(wanted)] = np.arange(len(wanted))
    row = place[labels]
    inside = (row >= 0) & (hour >= 0)
    flat = row[inside] * HOURS_A_WEEK + hour[inside]
    weights = None if weight is None else weight[inside]
    counts = np.bincount(flat, weights, minlength=len(wanted) * HOURS_A_WEEK)
    return np.rint(counts).astype(np.int64).reshape(len(wanted), HOURS_A_WEEK)


def week(hour: Array, weight: Array | None) -> list[int]:
    """Return the pickups in each hour of the week."""
    known = hour >= 0
    counts = np.bincount(hour[known], None if weight is None else weight[known], minlength=HOURS_A_WEEK)
    return [int(n) for n in np.rint(counts)]


def packed_weeks(counts: NDArray[np.int64]) -> str:
    """Return the counts of `weeks` as text for a page: uint32, row after row."""
    return packed(counts.astype("<u4").tobytes())


def packed(data: bytes) -> str:
    """Return bytes compressed (zlib) and in Base64."""
    return base64.b64encode(zlib.compress(data, 9)).decode()


def _mercator(latlon: Array) -> tuple[Array, Array]:
    lat = np.radians(np.clip(latlon[:, 0], -85, 85))
    return np.radians(latlon[:, 1]), np.arcsinh(np.tan(lat))


def _box(x: Array, y: Array) -> tuple[float, float, float, float]:
    """Return west, south, east and north of the points, of nearly all of them if a few are far away."""
    whole, most = ([np.quantile(axis, [edge, 1 - edge]) for axis in (x, y)] for edge in (0.0, _EDGE))
    side, room = (max(high - low for low, high in box) for box in (whole, most))
    (west, east), (south, north) = whole if side <= _FAR * max(room, 1000.0 / _METRES) else most
    return float(west), float(south), float(east), float(north)


def _binned(
    x: Array, y: Array, hour: Array, weight: Array, box: tuple[float, float, float, float], side: float, cell_m: float
) -> Raster:
    west, north = box[0] - _PADDING * side, box[3] + _PADDING * side
    n_columns = int((box[2] - box[0]) / side) + 1 + 2 * _PADDING
    n_rows = int((box[3] - box[1]) / side) + 1 + 2 * _PADDING
    column, row = np.floor((x - west) / side).astype(np.int64), np.floor((north - y) / side).astype(np.int64)
    inside = (x >= box[0]) & (x <= box[2]) & (y >= box[1]) & (y <= box[3])
    key = (row[inside] * n_columns + column[inside]) * HOURS_A_WEEK + hour[inside]
    keys, index = np.unique(key, return_inverse=True)
    count = np.maximum(np.rint(np.bincount(index, weight[inside], minlength=len(keys))), 0).astype(np.int64)
    keys, count = keys[count > 0], count[count > 0]
    edges = _degrees(west, north - n_rows * side), _degrees(west + n_columns * side, north)
    (low_lon, low_lat), (high_lon, high_lat) = edges
    cell, hours = keys // HOURS_A_WEEK, keys % HOURS_A_WEEK
    return Raster(low_lat, low_lon, high_lat, high_lon, n_rows, n_columns, cell_m, cell, hours, count)


def _degrees(x: float, y: float) -> tuple[float, float]:
    return float(np.degrees(x)), float(np.degrees(np.arctan(np.sinh(y))))
