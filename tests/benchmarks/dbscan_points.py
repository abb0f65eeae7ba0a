"""Points to measure on: New York as it is, larger, and the shapes that break clusterings."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]
METRES_PER_DEGREE = 111_194.93
JITTER_M = 40.0
CITY = (40.75, -73.98)
SPREAD_CITY = 5_000_000  # points of each city of `spread`
SLICE = 1_000_000  # points that are put in random order together


def real_pickups() -> Points:
    """Read 196,605 real pickups if they are at hand, else draw a town of streets that resembles them."""
    shared = Path(os.environ.get("CABSTAND_SHARED", Path(__file__).resolve().parents[3] / "shared"))
    files = sorted((shared / "data" / "pickups").glob("uber-raw-data-*14.head65535.csv.gz"))
    if files:
        return np.concatenate([np.loadtxt(f, delimiter=",", skiprows=1, usecols=(1, 2)) for f in files])
    rng = np.random.default_rng(0)
    centres = rng.normal(CITY, (0.05, 0.06), (3000, 2))
    weights = rng.pareto(1.0, 3000)
    chosen = rng.choice(3000, 196_605, p=weights / weights.sum())
    return np.round(centres[chosen] + rng.normal(0, 0.0015, (196_605, 2)), 4)


def nyc_like(n: int, seed: int = 0) -> Points:
    """Copy real pickups, each moved by some 40 m: the city with more trips."""
    rng = np.random.default_rng(seed)
    base = real_pickups()
    points = base[rng.integers(0, len(base), n)]
    points[:, 0] += rng.normal(0, JITTER_M / METRES_PER_DEGREE, n)
    points[:, 1] += rng.normal(0, JITTER_M / (METRES_PER_DEGREE * np.cos(np.radians(CITY[0]))), n)
    return points


def cities(n: int) -> Points:
    """Put one city of a million pickups beside another: more points at the same density."""
    parts = [nyc_like(min(1_000_000, n - start), seed=start) for start in range(0, n, 1_000_000)]
    for i, part in enumerate(parts):
        part[:, 1] += 4.0 * i
    points = np.concatenate(parts)
    return points[np.random.default_rng(1).permutation(len(points))]


def spread(n: int) -> Points:
    """Spread cities of five million pickups over the Earth: more points at the same density, far from each other."""
    city = nyc_like(min(n, SPREAD_CITY))
    rng = np.random.default_rng(5)
    n_cities = -(-n // SPREAD_CITY)
    centres = np.c_[np.degrees(np.arcsin(rng.uniform(-0.8, 0.8, n_cities))), rng.uniform(-170, 170, n_cities)]
    points = np.empty((n, 2))
    for i in range(n_cities):  # in place: a hundred million points are 1.6 GB
        own = points[i::n_cities]
        own[:] = (city - CITY)[rng.permutation(len(city))[: len(own)]] + centres[i]
    for start in range(0, n, SLICE):
        own = points[start : start + SLICE]
        own[:] = own[rng.permutation(len(own))]
    return points


def uniform_earth(n: int) -> Points:
    rng = np.random.default_rng(2)
    return np.c_[np.degrees(np.arcsin(rng.uniform(-1, 1, n))), rng.uniform(-180, 180, n)]


def one_cell(n: int) -> Points:
    return np.random.default_rng(3).uniform(0, 1e-4, (n, 2)) + CITY


def two_clumps(n: int) -> Points:
    """Two squares of 20 m, facing edges full of points, 50.001 m apart."""
    rng = np.random.default_rng(4)
    half = n // 2
    side, gap = 20 / METRES_PER_DEGREE, 50.001 / METRES_PER_DEGREE
    ys, xs = rng.uniform(0, side, half), rng.uniform(0, side, half) * (rng.random(half) < 0.9)
    return np.r_[np.c_[ys, -xs], np.c_[rng.uniform(0, side, n - half), gap + np.resize(xs, n - half)]]


def chain(n: int) -> Points:
    """A point every 45 m along a spiral from pole to pole."""
    t = np.linspace(-1, 1, n)
    latitude = np.degrees(np.arcsin(t))
    return np.c_[
        latitude, (np.cumsum(45 / METRES_PER_DEGREE / np.maximum(np.cos(np.radians(latitude)), 1e-6)) + 180) % 360 - 180
    ]


def one_latitude(n: int) -> Points:
    return np.c_[np.full(n, CITY[0]), np.random.default_rng(5).uniform(-180, 180, n)]


def half_duplicates(n: int) -> Points:
    points = nyc_like(n, seed=6)
    points[n // 2 :] = points[: n - n // 2]
    return points


def outliers(n: int) -> Points:
    """New York and 64 points around the globe."""
    points = nyc_like(n, seed=7)
    points[:64] = uniform_earth(64)
    return points


KINDS: dict[str, Callable[[int], Points]] = {
    "nyc": nyc_like,
    "cities": cities,
    "spread": spread,
    "uniform_earth": uniform_earth,
    "one_cell": one_cell,
    "two_clumps": two_clumps,
    "chain": chain,
    "one_latitude": one_latitude,
    "half_duplicates": half_duplicates,
    "outliers": outliers,
}
WORST = tuple(KINDS)[3:]
