"""Distances between the distributions of one column in two sets of rows, and what chance alone makes of them.

All of them are 0 for equal distributions and have no unit. `evidently_numbers` has Evidently's own definitions.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.stats import chi2, norm

from cabstand.monitoring.numeric import Counts, Floats, Numbers

FLOOR = 1e-4  # least share in a population stability index, whose logarithm of 0 is infinite
BINS = 10
TAIL = 0.005  # share of the reference beyond each end of what counts as its usual range


def psi(reference: npt.ArrayLike, current: npt.ArrayLike) -> float:
    """Return the population stability index of counts by bin or category, shapes (k,), aligned.

    Sum over bins of (p - q) ln(p / q), with p and q the shares, none taken below `FLOOR`. Symmetric, from 0 up; by
    custom 0.1 is a small and 0.25 a large change.

    Source: Siddiqi, Credit Risk Scorecards (2006); the sum is the divergence J of Jeffreys (1946). Evidently fills
    zeros alone, with 0.0001 or a millionth of the smallest share: it gives the same where all shares reach 0.0001.
    """
    p, q = (np.maximum(_shares(one), FLOOR) for one in (reference, current))
    return float(np.sum((p - q) * np.log(p / q)))


def by_quantiles(reference: Numbers, current: Numbers, n_bins: int = BINS) -> tuple[Counts, Counts]:
    """Return counts by bins between the quantiles of the reference, aligned; both need rows.

    A bin includes its upper edge. The first and the last are open, so one far value moves one row's share. Equal
    quantiles make one bin; a constant reference makes three: below, equal and above.

    Evidently takes bins of equal width over both sets: one far value there puts all others into one bin, and hides any
    shift.
    """
    edges = np.unique(reference.quantiles(np.arange(1, n_bins) / n_bins))
    if len(reference.values) == 1:
        edges = np.append(np.nextafter(edges, -np.inf), edges)
    return _binned(reference, edges), _binned(current, edges)


def jensen_shannon(reference: npt.ArrayLike, current: npt.ArrayLike) -> float:
    """Return the Jensen-Shannon distance of counts by category, shapes (k,), aligned: from 0 to sqrt(ln 2) = 0.833.

    The root of (KL(p, m) + KL(q, m)) / 2 with m = (p + q) / 2 and natural logarithms. Symmetric; a metric.

    Source: Lin (1991), doi:10.1109/18.61115; Endres and Schindelin (2003), doi:10.1109/TIT.2003.813506. Evidently's
    number for categories is the same.
    """
    p, q = _shares(reference), _shares(current)
    middle = (p + q) / 2
    # Rounding may leave a tiny negative sum.
    return float(np.sqrt(max((_relative_entropy(p, middle) + _relative_entropy(q, middle)) / 2, 0.0)))


def wasserstein(reference: tuple[Floats, Counts], current: tuple[Floats, Counts]) -> float:
    """Return the first Wasserstein distance of two sets of values with counts, in the values' unit.

    The area between the two cumulative distributions. Symmetric.

    Source: Ramdas, Garcia Trillos and Cuturi (2017), doi:10.3390/e19020047; SciPy's `wasserstein_distance` is the same.
    """
    grid = np.union1d(reference[0], current[0])
    (below, n), (below_now, m) = (_cumulative(*one, grid) for one in (reference, current))
    # Whole numbers, so that equal distributions are at 0 exactly.
    apart = np.abs(below[:-1] * m - below_now[:-1] * n)
    return float(np.sum(apart * np.diff(grid)) / (float(n) * float(m)))


def normed_wasserstein(reference: Numbers, current: Numbers) -> float:
    """Return the Wasserstein distance in standard deviations of the reference, which needs two values; both need rows.

    Both sets are first clipped to the reference's usual range, from its 0.5 to its 99.5 % quantile, made longer by its
    own length at either end. So one far value can neither make a distance nor, through the standard deviation, hide
    one. Where nothing lies outside it is Evidently's number, which does not clip and takes 0.001 as the least norm.
    """
    low, high = usual_range(reference)
    # In shares of the range, since the square of a tiny deviation would be 0.
    ours, theirs = (((np.clip(one.values, low, high) - low) / (high - low), one.counts) for one in (reference, current))
    return wasserstein(ours, theirs) / standard_deviation(*ours)


def usual_range(reference: Numbers) -> tuple[float, float]:
    """Return the limits to which `normed_wasserstein` clips; smallest and largest value if both quantiles are equal."""
    low, high = reference.quantiles([TAIL, 1 - TAIL])
    if low == high:
        return float(reference.values[0]), float(reference.values[-1])
    return float(low - (high - low)), float(high + (high - low))


def standard_deviation(values: Floats, counts: Counts) -> float:
    """Return the population's standard deviation of values with counts."""
    mean = np.average(values, weights=counts)
    return float(np.sqrt(np.average(np.square(values - mean), weights=counts)))


def psi_by_chance(n_reference: int, n_current: int, n_bins: int, significance: float) -> float:
    """Return what the index of unchanged data exceeds with a probability of `significance`.

    Source: Yurdakul (2018), Statistical Properties of Population Stability Index: chi-square times (1/n + 1/m).
    """
    return float(chi2.isf(significance, max(n_bins - 1, 1)) * (1 / n_reference + 1 / n_current))


def jensen_shannon_by_chance(n_reference: int, n_current: int, n_categories: int, significance: float) -> float:
    """Return what the distance of unchanged data exceeds with a probability of `significance` or less.

    To second order the divergence is chi-square times (1/n + 1/m) / 8. A category of a row or two may add up to
    2 ln 2 times as much, so all are counted with that: with hundreds of rare ones it matters.
    """
    divergence = psi_by_chance(n_reference, n_current, n_categories, significance) / 8
    return float(np.sqrt(2 * np.log(2) * divergence))


def normal_by_chance(variance: float, n_reference: int, n_current: int, significance: float) -> float:
    """Return what two means of equal distributions differ by, at most, but for a probability of `significance`."""
    return float(norm.isf(significance / 2) * np.sqrt(variance * (1 / n_reference + 1 / n_current)))


def _shares(counts: npt.ArrayLike) -> Floats:
    numbers = np.asarray(counts, np.float64)
    return np.asarray(numbers / numbers.sum())


def _relative_entropy(p: Floats, q: Floats) -> float:
    some = p > 0
    return float(np.sum(p[some] * np.log(p[some] / q[some])))


def _binned(numbers: Numbers, edges: Floats) -> Counts:
    cumulative = np.concatenate([[0], np.cumsum(numbers.counts)])
    below = cumulative[np.searchsorted(numbers.values, edges, side="right")]
    return np.diff(below, prepend=0, append=cumulative[-1])


def _cumulative(values: Floats, counts: Counts, grid: Floats) -> tuple[Counts, int]:
    """Return how many rows are at or below each value of the grid, and how many there are."""
    cumulative = np.concatenate([[0], np.cumsum(counts)])
    return cumulative[np.searchsorted(values, grid, side="right")], int(cumulative[-1])
