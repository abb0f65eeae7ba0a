"""Points for `bench_plan.py`: towns, and what no town looks like."""

from __future__ import annotations

from collections.abc import Callable

import dbscan_points
import numpy as np
from dbscan_points import CITY, METRES_PER_DEGREE, Points, nyc_like, real_pickups


def suburbs(n: int) -> Points:
    """Many thin crowds side by side."""
    rng = np.random.default_rng(n)
    centres = rng.uniform([40.5, -74.3], [41.1, -73.6], (4_000, 2))
    return centres[rng.integers(0, 4_000, n)] + rng.normal(0, 0.004, (n, 2))


def uniform(n: int) -> Points:
    return np.random.default_rng(n).uniform((40.5, -74.3), (41.0, -73.7), (n, 2))


def airport(n: int) -> Points:
    """The city, and six points of ten along one line of three kilometres."""
    rng = np.random.default_rng(n)
    points, on_line = nyc_like(n, seed=5), rng.random(n) < 0.6
    along = rng.uniform(0, 3_000 / METRES_PER_DEGREE, on_line.sum())
    across = rng.normal(0, 8 / METRES_PER_DEGREE, (on_line.sum(), 2))
    points[on_line] = np.c_[40.64 + 0.6 * along, -73.78 + along] + across
    return points


def ring(n: int) -> Points:
    rng = np.random.default_rng(n)
    angle, radius = rng.uniform(0, 2 * np.pi, n), 0.15 + rng.normal(0, 0.0004, n)
    return np.c_[CITY[0] + radius * np.sin(angle), CITY[1] + 1.3 * radius * np.cos(angle)]


def stands(n: int) -> Points:
    """Places rounded to eleven metres, each some fifty times."""
    places = np.round(nyc_like(n // 50, seed=9), 4)
    return places[np.random.default_rng(n).integers(0, len(places), n)]


def far(n: int) -> Points:
    """The city, and a round one on the other side of the Earth."""
    rng = np.random.default_rng(n)
    other = rng.normal((-33.87, 151.2), 0.05, (n // 5, 2))
    return np.r_[nyc_like(n - len(other), seed=3), other][rng.permutation(n)]


def streets(n: int) -> Points:
    """A lattice of streets, busier towards the middle, a few metres wide."""
    rng = np.random.default_rng(n)
    points = rng.normal(CITY, (0.06, 0.08), (n, 2))
    axis = rng.integers(0, 2, n)
    at = np.arange(n), axis
    points[at] = np.round(points[at] / 0.0025) * 0.0025
    return points + rng.normal(0, 5 / METRES_PER_DEGREE, (n, 2))


def islands(n: int) -> Points:
    """Sixty towns all over the Earth, from hamlets to cities."""
    rng = np.random.default_rng(n)
    centres = np.c_[rng.uniform(-60, 65, 60), rng.uniform(-179, 179, 60)]
    size = rng.pareto(1.0, 60) + 0.05
    chosen = rng.choice(60, n, p=size / size.sum())
    return centres[chosen] + rng.normal(0, 1, (n, 2)) * rng.uniform(0.005, 0.06, 60)[chosen, None]


def float32(n: int) -> Points:
    return nyc_like(n, seed=11).astype(np.float32)


def mixture(n: int) -> Points:
    """Stands and suburbs in one."""
    rng = np.random.default_rng(n)
    return np.r_[stands(n // 2), suburbs(n - n // 2)][rng.permutation(n)]


def terminal(n: int) -> Points:
    """Half of all within 300 metres, the others all over the city."""
    rng = np.random.default_rng(n)
    points, there = nyc_like(n, seed=13), rng.random(n) < 0.5
    points[there] = rng.normal((40.645, -73.785), 100 / METRES_PER_DEGREE, (there.sum(), 2))
    return points


KINDS: dict[str, Callable[[int], Points]] = {
    "pickups": lambda n: real_pickups()[:n],
    **dbscan_points.KINDS,
    **{made.__name__: made for made in (suburbs, uniform, airport, ring, stands, far)},
    **{made.__name__: made for made in (streets, islands, float32, mixture, terminal)},
}
