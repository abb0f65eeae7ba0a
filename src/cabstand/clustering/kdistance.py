"""The k-distance curve and the eps that its knee suggests."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import KDTree

from cabstand.clustering.metrics import EARTH_RADIUS_M, unit_sphere
from cabstand.clustering.rows import sample_indices

Floats = NDArray[np.float64]
SAMPLE = 5000


def k_distances(latlon: Floats, k: int, *, sample: int = SAMPLE, seed: int = 0) -> Floats:
    """Return the distances in metres of sampled points to their k-th neighbour, themselves counted, ascending.

    Neighbours are searched among all points, which are in degrees, shape (n, 2). The curve is that of Ester, Kriegel,
    Sander and Xu (KDD 1996, section 4.2), there in descending order.
    """
    # On the sphere in space the order of neighbours is that of great-circle distances. For thousands of neighbours
    # scikit-learn's ball tree takes ten times longer.
    points = unit_sphere(latlon)
    chord, _ = KDTree(points).query(points[sample_indices(len(points), sample, seed)], k=[min(k, len(points))])
    return np.sort(2 * EARTH_RADIUS_M * np.arcsin(np.minimum(chord[:, 0] / 2, 1.0)))


def knee(distances: Floats, *, share: float = 0.95) -> float:
    """Return the distance at the knee of an ascending curve, of which the first `share` is used.

    The point farthest below the chord of the curve, as in Kneedle (Satopaa et al. 2011). The end of the curve is left
    out: a few trips from far away would otherwise stretch the chord until the knee is theirs.
    """
    curve = distances[: max(2, int(len(distances) * share))]
    rise = float(curve[-1] - curve[0])
    if rise <= 0:
        return float(curve[-1])
    below = np.linspace(0.0, 1.0, len(curve)) - (curve - curve[0]) / rise
    return float(curve[int(np.argmax(below))])


def thinned(distances: Floats, points: int = 200) -> list[float]:
    """Return the curve at equally spaced points, for a picture."""
    at = np.unique(np.linspace(0, len(distances) - 1, min(points, len(distances))).astype(int))
    return [round(float(value), 3) for value in distances[at]]
