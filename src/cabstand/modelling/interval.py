"""An honest interval around a point, at the price of a few small trees.

Locally weighted split conformal prediction (Lei, G'Sell, Rinaldo, Tibshirani, Wasserman, JASA 2018, section 5.2): one
small model of how large a row's error is, and two constants, taken from rows that neither it nor the point has seen,
of how many such errors the truth lies below and above the point.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from cabstand.modelling.problem import FeatureMatrix, FloatArray

# Ten trees of the error instead of 300 of two quantiles: intervals of the same width and coverage, at a thirtieth.
TREES: dict[str, Any] = {"max_iter": 10, "learning_rate": 0.3, "max_leaf_nodes": 15}
SMALLEST = 1e-3  # no error is expected to be less, as a share of the mean one


@dataclass(frozen=True)
class Interval:
    """From `point - below * error` to `point + above * error`.

    Attributes
    ----------
    error : estimator
        Predicts the absolute error of a row's point, in the target's unit.
    least : float
        No error is taken for less.
    below, above : float
        Numbers of errors, 0 or more.
    """

    error: Any
    least: float
    below: float
    above: float

    def around(self, point: FloatArray, matrix: FeatureMatrix) -> tuple[FloatArray, FloatArray]:
        """Return both ends (n,) around points (n,) of features (n, k)."""
        error = np.maximum(self.error.predict(matrix), self.least)
        return point - self.below * error, point + self.above * error


def fit(matrix: FeatureMatrix, point: FloatArray, truth: FloatArray, coverage: float, seed: int) -> Interval:
    """Return the interval that covers `coverage` of such rows.

    Parameters
    ----------
    matrix, point, truth
        Features (n, k), predictions and outcomes (n,) of rows that the point's model has not seen: the error is learned
        from one half of them and the constants from the other.
    coverage : float
        Nominal share of outcomes within, half of the rest on each side.
    seed : int
        Of the halves and the trees.
    """
    from cabstand.modelling.estimators import boosting

    order = np.random.default_rng(seed).permutation(len(truth))
    half, other = np.sort(order[: len(order) // 2]), np.sort(order[len(order) // 2 :])
    missed = np.abs(truth - point)
    error = boosting(seed, **TREES).fit(matrix[half], missed[half])
    least = SMALLEST * float(missed[half].mean()) or SMALLEST
    size = np.maximum(error.predict(matrix[other]), least)
    over = (point[other] - truth[other]) / size
    level = (1 + coverage) / 2
    return Interval(error, least, conformal(over, level), conformal(-over, level))


def conformal(scores: FloatArray, level: float) -> float:
    """Return what at least `level` of further scores like these (n,) will not exceed, and 0 where that is negative.

    The ceil((n + 1) level)-th smallest of them; the largest where there are too few.
    """
    rank = int(np.ceil((len(scores) + 1) * level))
    return max(0.0, float(np.sort(scores)[min(rank, len(scores)) - 1]))
