"""Which points can be in a cluster: counts by squares of ground rule the others out, sooner than clustering does.

A core point has its neighbourhood within the three by three squares around it, if these are as wide as eps. Where those
hold too little it is none; and a point with no possible core point in the squares around it is noise, and in no core
point's neighbourhood. To leave out such points changes no label. Weights must not be negative.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cabstand.clustering import ground
from cabstand.clustering.metrics import EARTH_RADIUS_M

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
_ROUNDING = 1e-6  # relative, more than there is
_MOST_ROWS = 1e8  # from the equator to a pole: with more, the rounding of the number of a square would count


def candidates(points: Floats, weight: Floats | None, eps_m: float, min_samples: int) -> Flags | None:
    """Return which points in degrees, shape (n, 2), can be in a cluster; None if that cannot be told.

    Squares that share a place in the table share counts, which only lets more points pass.
    """
    sides = _sides(points, eps_m) if len(points) else None
    if sides is None:
        return None
    length = 1 << max(len(points) - 1, 1).bit_length()
    square = ground.squares(points, (1 / sides[0], 1 / sides[1]), length)
    held: NDArray[Any] = np.bincount(square, weight, length)
    held = held.astype(np.int32 if weight is None else np.float64)
    may_be_core = _around(held, np.add) >= (min_samples if weight is None else min_samples * (1 - _ROUNDING))
    if weight is None:
        may_be_core &= held > 0
    return np.take(_around(may_be_core, np.logical_or), square)


def _sides(points: Floats, eps_m: float) -> tuple[float, float] | None:
    """Return the height and the width of squares, in degrees, such that neighbours are in adjacent ones.

    None where a neighbourhood may reach over a pole or the antimeridian, or is some centimetres wide.
    """
    angle = eps_m / EARTH_RADIUS_M * (1 + _ROUNDING)
    (south, north), (west, east) = ((axis.min(), axis.max()) for axis in points.T)
    furthest = math.radians(max(abs(south), abs(north)))
    sine = math.sin(min(angle / 2, math.pi / 2)) / max(math.cos(furthest), 1e-300)
    if furthest + angle >= math.pi / 2 or sine >= 0.5 or angle * _MOST_ROWS < math.pi / 2:
        return None
    width = math.degrees(2 * math.asin(sine)) * (1 + _ROUNDING)
    return None if min(west, -east) - width <= -180 else (math.degrees(angle), width)


def _around(table: NDArray[Any], join: np.ufunc) -> NDArray[Any]:
    """Join the entry of each square with those of the eight around it."""
    for step in (1, ground.ROW % len(table)):
        found = table.copy()
        for shift in (step, len(table) - step):
            join(found[shift:], table[: len(table) - shift], out=found[shift:])
            join(found[:shift], table[len(table) - shift :], out=found[:shift])
        table = found
    return table
