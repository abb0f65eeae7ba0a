"""Statistical significance of measured differences between engines."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cabstand.errors import ConfigError

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Summary:
    """Repeats of one measurement; `std` is the sample standard deviation (n - 1), None for a single repeat."""

    n: int
    mean: float
    median: float
    std: float | None
    smallest: float
    largest: float


@dataclass(frozen=True)
class Difference:
    """Two-sided tests of the difference between two samples; None where a sample has one value or neither varies."""

    welch_t: float | None  # Welch 1947
    welch_p: float | None
    mann_whitney_u: float | None  # the rank test of Mann and Whitney 1947
    mann_whitney_p: float | None
    cohen_d: float | None  # Cohen 1988: difference of means in pooled standard deviations


@dataclass(frozen=True)
class SpeedUp:
    """Ratio of mean times with the bounds of its confidence interval, None for single repeats."""

    ratio: float
    low: float | None
    high: float | None


def summarise(values: Sequence[float]) -> Summary:
    """Summarise repeats."""
    data = np.asarray(values, np.float64)
    std = float(data.std(ddof=1)) if len(data) > 1 else None
    return Summary(len(data), float(data.mean()), float(np.median(data)), std, float(data.min()), float(data.max()))


def compare(first: Sequence[float], second: Sequence[float]) -> Difference:
    """Test whether two samples differ."""
    from scipy import stats

    a, b = np.asarray(first, np.float64), np.asarray(second, np.float64)
    if min(len(a), len(b)) < 2:
        return Difference(None, None, None, None, None)
    rank = stats.mannwhitneyu(a, b, alternative="two-sided")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # nearly equal values: NaN, and None here
        t = stats.ttest_ind(a, b, equal_var=False)
    return Difference(
        welch_t=_finite(t.statistic),
        welch_p=_finite(t.pvalue),
        mann_whitney_u=_finite(rank.statistic),
        mann_whitney_p=_finite(rank.pvalue),
        cohen_d=cohen_d(a, b),
    )


def cohen_d(a: Floats, b: Floats) -> float | None:
    """Return Cohen's d of two samples of two or more, None where neither varies."""
    pooled = ((len(a) - 1) * a.var(ddof=1) + (len(b) - 1) * b.var(ddof=1)) / (len(a) + len(b) - 2)
    return float((a.mean() - b.mean()) / math.sqrt(pooled)) if pooled > 0 else None


def speed_up(base: Sequence[float], other: Sequence[float], *, seed: int = 0) -> SpeedUp:
    """Return how many times faster `other` is than `base`, with a 95 % percentile bootstrap interval (Efron 1979).

    Both are times of repeats, in any one unit.
    """
    from scipy import stats

    a, b = np.asarray(base, np.float64), np.asarray(other, np.float64)
    ratio = float(a.mean() / b.mean())
    if min(len(a), len(b)) < 2:
        return SpeedUp(ratio, None, None)
    found = stats.bootstrap(
        (a, b),
        lambda x, y, axis: x.mean(axis=axis) / y.mean(axis=axis),
        method="percentile",
        confidence_level=0.95,
        n_resamples=2000,
        vectorized=True,
        rng=np.random.default_rng(seed),
    )
    return SpeedUp(ratio, float(found.confidence_interval.low), float(found.confidence_interval.high))


def parallel_efficiency(speed: float, n_workers: int) -> float:
    """Return the speed-up over one worker divided by the number of workers; 1 is ideal."""
    return speed / n_workers


def combined_scores(measured: Mapping[str, Mapping[str, float]], weights: Mapping[str, float]) -> dict[str, float]:
    """Score each engine between 0 and 1: the weighted mean of (smallest value / own value) over the measures.

    Lower is better in each measure. ConfigError if a weight is negative or all are zero.
    """
    total = sum(weights.values())
    if total <= 0 or min(weights.values()) < 0:
        raise ConfigError("the weights of the combined score must be 0 or more, and not all 0", where="settings")
    best = {name: min(values[name] for values in measured.values()) for name in weights} if measured else {}
    return {
        engine: sum(weight * _share(best[name], values[name]) for name, weight in weights.items()) / total
        for engine, values in measured.items()
    }


def _share(best: float, own: float) -> float:
    return best / own if own > 0 else 1.0


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
