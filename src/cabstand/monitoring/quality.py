"""How well a model did on rows whose truth is known: mean absolute error, bias and interval coverage, with intervals.

Rides of one day share weather and traffic. An interval that takes rows for independent draws is therefore too narrow:
whole days are the blocks here. With fewer than `MIN_DAYS`, hours are, and the interval does not know how
days differ. A figure's standard error is the jackknife's that leaves out one block after the other (Efron and Stein
1981, "The jackknife estimate of variance"; for clusters MacKinnon, Nielsen and Webb 2023, "Fast and reliable jackknife
and bootstrap methods for cluster-robust inference": with few or unequal clusters it covers better than the sandwich).
Its quantiles are Student's, with one degree of freedom less than there are blocks of equal size that would say as much
(Carter, Schnepel and Steigerwald 2017, "Asymptotic behavior of a t-test robust to cluster heterogeneity"), so a few
stray rows of other years do not count as days. Nothing is drawn, so there is no seed.

Coverage is a share and near 1. Its interval is Clopper and Pearson's for the effective number of rows (Korn and
Graubard 1998, "Confidence intervals for proportions with small expected number of positive counts estimated from survey
data").

Only sums by hour are kept, so memory grows with the hours, not with the rows.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import stats

from cabstand.errors import DataError
from cabstand.monitoring.findings import Estimate, Quality

LEVEL = 0.95
MIN_DAYS = 3  # of equal size; in practice four
N_BLOCKS = 1_000  # rows without a time are dealt to so many blocks in turn
WHERE = "predictions"

Array = npt.NDArray[Any]
FloatArray = npt.NDArray[np.float64]


class Tally:
    """Sums over batches of rows; their order and how rows are split into them do not matter, if rows have a time."""

    def __init__(self) -> None:
        self._blocks: dict[int, FloatArray] = {}  # by hour: rows, absolute errors, errors, rows inside the interval
        self._n = 0
        self._with_interval = self._with_time = True

    def add(
        self,
        predicted: Array,
        truth: Array,
        low: Array | None = None,
        high: Array | None = None,
        time: Array | None = None,
    ) -> None:
        """Add rows (n,); those whose truth is not known yet (NaN) do not count.

        `low` and `high` bound the predicted intervals, `time` is datetime64; a figure needs its columns in all batches.
        Raises a DataError if a prediction of a known truth is missing or infinite.
        """
        known = np.isfinite(truth.astype(np.float64))
        predicted, truth = predicted[known].astype(np.float64), truth[known].astype(np.float64)
        if not np.isfinite(predicted).all():
            raise DataError("a prediction is missing or infinite", where=WHERE, hint="leave that row out")
        self._with_time &= time is not None
        blocks = (self._n + np.arange(len(truth))) % N_BLOCKS if time is None else _hours(time[known])
        self._n += len(truth)
        inside = np.zeros(len(truth))
        if low is None or high is None:
            self._with_interval = False
        else:
            inside = ((truth >= low[known]) & (truth <= high[known])).astype(np.float64)
        keys, codes = np.unique(blocks, return_inverse=True)
        columns = (None, np.abs(predicted - truth), predicted - truth, inside)
        sums = np.stack([np.bincount(codes, one, len(keys)) for one in columns], axis=1)
        for key, row in zip(keys.tolist(), sums, strict=True):
            self._blocks[key] = self._blocks.get(key, 0.0) + row

    def quality(self) -> Quality:
        """Return the figures; a DataError if no row with a known truth was added."""
        if not self._n:
            raise DataError("no row with a known truth", where=WHERE, hint="`cabstand labels join` brings the truth")
        n, absolute, error, inside = self._sums().T
        coverage = share(inside, n) if self._with_interval else None
        return Quality(self._n, mean(absolute, n, least=0.0), mean(error, n), coverage)

    def merge(self, other: Tally) -> None:
        """Add the rows of another tally."""
        self._n += other._n
        self._with_interval &= other._with_interval
        self._with_time &= other._with_time
        for key, row in other._blocks.items():
            self._blocks[key] = self._blocks.get(key, 0.0) + row

    def saved(self, other: Tally) -> Estimate:
        """Return by how much the mean absolute error of another model is lower, on the same rows, with its interval.

        Both errors of a row stay together, so what makes a day hard for both models does not widen the interval.
        """
        if {key: row[0] for key, row in self._blocks.items()} != {key: row[0] for key, row in other._blocks.items()}:
            raise DataError("two models are compared on different rows", where=WHERE)
        both = Tally()
        both._with_time = self._with_time
        for key, row in self._blocks.items():
            both._blocks[key] = np.array([row[0], row[1] - other._blocks[key][1]])
        n, absolute = both._sums().T
        return mean(absolute, n)

    def _sums(self) -> FloatArray:
        """Return the sums (blocks, k) of days if there are enough, else of hours."""
        keys, hours = np.array(list(self._blocks)), np.stack(list(self._blocks.values()))
        codes = np.unique(keys // 24, return_inverse=True)[1]
        days = np.zeros((codes.max() + 1, hours.shape[1]))
        np.add.at(days, codes, hours)
        return days if self._with_time and n_equal(days[:, 0]) >= MIN_DAYS else hours


def assess(
    predicted: Array, truth: Array, low: Array | None = None, high: Array | None = None, time: Array | None = None
) -> Quality:
    """Return the quality on rows (n,) that are in memory; the arguments are those of `Tally.add`."""
    tally = Tally()
    tally.add(predicted, truth, low, high, time)
    return tally.quality()


def mean(sums: FloatArray, n: FloatArray, least: float = -np.inf) -> Estimate:
    """Return the mean of rows, given their sums and numbers in each block (blocks,), with its interval.

    From a single block nothing can be said about the error, and the interval is infinite, or begins at `least`.
    """
    value = float(sums.sum() / n.sum())
    margin = quantile(n_equal(n)) * standard_error(sums, n) if len(n) > 1 else np.inf
    return Estimate(value, max(value - margin, least), value + margin)


def share(inside: FloatArray, n: FloatArray) -> Estimate:
    """Return the share of rows inside, given their numbers in each block (blocks,), with its interval.

    Where all or none are inside, blocks show no difference, and each counts as one row.
    """
    rows, effective = float(n.sum()), n_equal(n)
    value = float(inside.sum() / rows)
    if 0 < value < 1 and (error := standard_error(inside, n)) > 0:
        effective = min(rows, value * (1 - value) / error**2 * (quantile(rows) / quantile(n_equal(n))) ** 2)
    return Estimate(value, *_clopper_pearson(value * effective, effective))


def n_equal(n: FloatArray) -> float:
    """Return how many blocks of equal size say as much as blocks with these numbers of rows, from 1 to their number."""
    return float(n.sum() ** 2 / np.square(n).sum())


def quantile(n_blocks: float) -> float:
    """Return how many standard errors the interval reaches; infinitely many for a single block."""
    return float(stats.t.ppf((1 + LEVEL) / 2, n_blocks - 1)) if n_blocks > 1 else float("inf")


def standard_error(sums: FloatArray, n: FloatArray) -> float:
    """Return the jackknife's standard error of the mean of all rows; NaN from a single block."""
    if len(n) < 2:
        return float("nan")
    without = (sums.sum() - sums) / (n.sum() - n)
    # Around the mean of all rows, which is not below the spread around their own mean.
    return float(np.sqrt((len(n) - 1) / len(n) * np.sum(np.square(without - sums.sum() / n.sum()))))


def _clopper_pearson(successes: float, n: float) -> tuple[float, float]:
    tail = (1 - LEVEL) / 2
    low = float(stats.beta.ppf(tail, successes, n - successes + 1)) if successes > 0 else 0.0
    high = float(stats.beta.ppf(1 - tail, successes + 1, n - successes)) if successes < n else 1.0
    return low, high


def _hours(time: Array) -> npt.NDArray[np.int64]:
    return time.astype("M8[h]").astype(np.int64)
