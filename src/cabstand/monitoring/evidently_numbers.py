"""Evidently's numbers for columns of numbers, computed from profiles, as version 0.7.23 defines them.

They are there to be compared with Evidently's report. Bins over both sets of rows and an unlimited standard deviation
let one far value hide any shift, so decisions rest on `distances`. They equal Evidently's while a profile is exact.
"""

from __future__ import annotations

import numpy as np

from cabstand.monitoring import distances
from cabstand.monitoring.numeric import Floats, Numbers

MOST_VALUES = 20  # of the reference that are compared as categories, not binned
LEAST_NORM = 0.001


def wasserstein(reference: Numbers, current: Numbers) -> float:
    """Return the Wasserstein distance over the reference's standard deviation, which is at least 0.001."""
    ours, theirs = ((one.values, one.counts) for one in (reference, current))
    return distances.wasserstein(ours, theirs) / max(distances.standard_deviation(*ours), LEAST_NORM)


def jensen_shannon(reference: Numbers, current: Numbers) -> float:
    """Return the Jensen-Shannon distance of Sturges' bins over both sets, or of values if there are few."""
    return distances.jensen_shannon(*_counts(reference, current))


def psi(reference: Numbers, current: Numbers) -> float:
    """Return the population stability index on the same bins, zeros filled as Evidently does."""
    p, q = (_filled(counts / counts.sum()) for counts in _counts(reference, current))
    return float(np.sum((p - q) * np.log(p / q)))


def _counts(reference: Numbers, current: Numbers) -> tuple[Floats, Floats]:
    if len(reference.values) <= MOST_VALUES:
        grid = np.union1d(reference.values, current.values)
        return _at(reference, grid), _at(current, grid)
    edges = _edges(reference, current)
    return _histogram(reference, edges), _histogram(current, edges)


def _edges(reference: Numbers, current: Numbers) -> Floats:
    """Return the edges of `numpy.histogram_bin_edges(both, "sturges")`."""
    low = min(reference.values[0], current.values[0])
    high = max(reference.values[-1], current.values[-1])
    width = (high - low) / (np.log2(reference.n + current.n) + 1.0)
    if all(one.whole and not one.n_missing for one in (reference, current)):  # pandas makes gaps of integers floats
        width = max(width, 1.0)
    return np.linspace(low, high, int(np.ceil((high - low) / width)) + 1)


def _histogram(numbers: Numbers, edges: Floats) -> Floats:
    """Return counts by bin; each includes its lower edge, the last one both."""
    cumulative = np.concatenate([[0], np.cumsum(numbers.counts)])
    places = np.searchsorted(numbers.values, edges[:-1], side="left")
    last = np.searchsorted(numbers.values, edges[-1], side="right")
    return np.asarray(np.diff(cumulative[np.append(places, last)]), np.float64)


def _at(numbers: Numbers, grid: Floats) -> Floats:
    counts = np.zeros(len(grid))
    counts[np.searchsorted(grid, numbers.values)] = numbers.counts
    return counts


def _filled(shares: Floats) -> Floats:
    least = shares[shares > 0].min()
    return np.asarray(np.where(shares == 0, least / 1e6 if least <= 1e-4 else 1e-4, shares))
