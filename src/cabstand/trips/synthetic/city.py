"""A made-up city on New York's site: boroughs as rectangles of a rotated street grid, taxi ranks, airports and zones.

Positions are metres `u` along the avenues (bearing 29 degrees) and `v` across them, from a corner of the park.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Indices = npt.NDArray[np.intp]

ORIGIN_LAT, ORIGIN_LON = 40.7680, -73.9819
BEARING = math.radians(29.0)
METRES_PER_DEGREE = 6_371_008.8 * math.pi / 180
_X_PER_DEGREE = METRES_PER_DEGREE * math.cos(math.radians(ORIGIN_LAT))


class Region(NamedTuple):
    """A rectangle of the street grid, in metres."""

    name: str
    u0: float
    u1: float
    v0: float
    v1: float
    share: float  # of the trips that begin at no rank
    block_u: float  # from street to street
    block_v: float  # from avenue to avenue
    zones_u: int  # number of zones along either side
    zones_v: int


class Rank(NamedTuple):
    """A taxi rank, in metres."""

    name: str
    u: float
    v: float
    weight: float  # share of the trips that begin at any rank, before all are scaled to 1
    spread_m: float  # standard deviation of its pickups along either axis
    profile: str  # its busy hours: `office`, `night` or `airport`


class Positions(NamedTuple):
    """Positions in metres and the index of the region of each; shape (n,)."""

    u: Floats
    v: Floats
    region: Indices


REGIONS = (
    Region("Manhattan", -7_700, 12_300, -1_500, 1_900, 0.60, 80, 274, 23, 3),
    Region("Brooklyn", -19_000, -3_400, 2_500, 12_000, 0.18, 200, 80, 9, 7),
    Region("Queens", -3_200, 7_500, 2_500, 17_500, 0.13, 180, 80, 8, 9),
    Region("Bronx", 7_700, 16_000, 2_100, 8_000, 0.05, 180, 90, 7, 6),
    Region("Staten Island", -25_000, -19_500, -9_000, -1_000, 0.01, 250, 120, 3, 5),
    Region("JFK", -4_750, -2_750, 20_500, 22_500, 0.02, 250, 250, 1, 1),
    Region("EWR", -16_500, -14_500, -11_000, -9_000, 0.01, 250, 250, 1, 1),
)

RANKS = (
    Rank("Harbour terminal", -7_400, 900, 0.045, 15, "office"),
    Rank("Exchange", -6_900, 700, 0.055, 14, "office"),
    Rank("Twin squares", -6_400, 250, 0.040, 16, "office"),
    Rank("Lower east bars", -4_600, 1_500, 0.045, 13, "night"),
    Rank("Village corner", -4_050, 150, 0.050, 13, "night"),
    Rank("Union steps", -3_500, 1_000, 0.045, 15, "night"),
    Rank("West pier", -2_900, -1_100, 0.025, 18, "night"),
    Rank("South station", -2_170, 80, 0.095, 17, "office"),
    Rank("East tunnel", -1_800, 1_700, 0.025, 14, "office"),
    Rank("Bus terminal", -1_430, -300, 0.055, 16, "office"),
    Rank("Grand station", -1_300, 1_170, 0.085, 16, "office"),
    Rank("Theatre row", -1_050, 350, 0.070, 15, "night"),
    Rank("Park corner", 150, 100, 0.040, 15, "office"),
    Rank("East hospital", 900, 1_750, 0.030, 13, "office"),
    Rank("Museum mile", 1_900, 950, 0.030, 14, "office"),
    Rank("West side hall", 2_300, -700, 0.025, 14, "night"),
    Rank("Uptown hub", 5_360, 1_300, 0.030, 14, "office"),
    Rank("Bridge plaza", -3_950, 4_600, 0.030, 14, "night"),
    Rank("Arena", -8_000, 4_850, 0.035, 15, "night"),
    Rank("Long island yard", -500, 3_850, 0.020, 14, "office"),
    Rank("Flushing gate", 5_400, 11_600, 0.020, 14, "office"),
    Rank("Bronx concourse", 8_700, 3_000, 0.020, 14, "office"),
    Rank("LaGuardia stand", 5_140, 7_740, 0.060, 18, "airport"),
    Rank("Kennedy stand", -3_750, 21_540, 0.055, 18, "airport"),
    Rank("Newark stand", -15_500, -9_950, 0.020, 18, "airport"),
)

# Columns of `REGIONS`, to be indexed by region.
_SIDES = np.array([region[1:5] for region in REGIONS], float)
_ZONES = np.array([region[8:10] for region in REGIONS], float)
_BLOCKS = np.array([region[6:8] for region in REGIONS], float)


def to_degrees(u: Floats, v: Floats) -> tuple[Floats, Floats]:
    """Return latitude and longitude (degrees) of positions in metres."""
    x = u * math.sin(BEARING) + v * math.cos(BEARING)
    y = u * math.cos(BEARING) - v * math.sin(BEARING)
    return ORIGIN_LAT + y / METRES_PER_DEGREE, ORIGIN_LON + x / _X_PER_DEGREE


def region_of(u: float, v: float) -> int:
    """Return the index of the region that holds a position."""
    for index, region in enumerate(REGIONS):
        if region.u0 <= u <= region.u1 and region.v0 <= v <= region.v1:
            return index
    raise ValueError(f"no region holds {u}, {v}")


def zone_of(at: Positions) -> npt.NDArray[np.int32]:
    """Return the LocationIDs of positions, numbered from 1, region by region; outside a region, its nearest zone."""
    u0, u1, v0, v1 = _SIDES[at.region].T
    n_u, n_v = _ZONES[at.region].T
    along = np.clip((at.u - u0) / (u1 - u0) * n_u, 0, n_u - 1).astype(np.int32)
    across = np.clip((at.v - v0) / (v1 - v0) * n_v, 0, n_v - 1).astype(np.int32)
    first = np.concatenate([[1], 1 + np.cumsum(_ZONES.prod(axis=1))[:-1]]).astype(np.int32)
    return np.asarray(first[at.region] + along * n_v.astype(np.int32) + across)


def on_streets(region: Indices, rng: np.random.Generator, *, lateral_m: float = 4.0) -> tuple[Floats, Floats]:
    """Draw positions along the streets of each given region, half of them on avenues.

    `lateral_m` is the standard deviation across the street, in metres.
    """
    u, v = anywhere(region, rng)
    block_u, block_v = _BLOCKS[region].T
    on_avenue = rng.random(len(region)) < 0.5
    off = rng.normal(0.0, lateral_m, len(region))
    u = np.where(on_avenue, u, np.round(u / block_u) * block_u + off)
    v = np.where(on_avenue, np.round(v / block_v) * block_v + off, v)
    return u, v


def anywhere(region: Indices, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Draw positions spread evenly over each given region."""
    u0, u1, v0, v1 = _SIDES[region].T
    return rng.uniform(u0, u1), rng.uniform(v0, v1)


def within(u: Floats, v: Floats, region: Indices) -> tuple[Floats, Floats]:
    """Return positions, those outside their region reflected back into it."""
    u0, u1, v0, v1 = _SIDES[region].T
    return _reflect(u, u0, u1), _reflect(v, v0, v1)


def _reflect(value: Floats, low: Floats, high: Floats) -> Floats:
    span = high - low
    along = np.mod(value - low, 2 * span)
    return low + np.where(along > span, 2 * span - along, along)
