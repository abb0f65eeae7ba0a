"""Gradient boosting of the target's square root: few trees, near to both figures that rides are judged by.

The mean of a skewed target (a ride's time) is drawn up by its long tail, and the median, which has the least absolute
error, misses that tail. The mean of the root, squared, lies between the two, and takes one set of trees where a blend
of a mean and a median takes two.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, RegressorMixin

FloatArray = npt.NDArray[np.float64]


class RootBoosting(RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """Histogram gradient boosting of the root, squared and scaled so that its mean is the target's.

    Squaring the mean of a root falls short of the mean; the ratio of the two makes it up (the smearing of Duan, JASA
    1983, as a factor).

    Parameters
    ----------
    max_iter, learning_rate, max_leaf_nodes, min_samples_leaf, l2_regularization : int, float, int, int, float
        Of the boosting. A served tree costs each row some 30 nanoseconds: few large ones are cheaper than many small.
    random_state : int
        Of the boosting.
    """

    def __init__(
        self,
        max_iter: int = 20,
        learning_rate: float = 0.35,
        max_leaf_nodes: int = 255,
        min_samples_leaf: int = 40,
        l2_regularization: float = 10.0,
        random_state: int = 0,
    ) -> None:
        self.max_iter = max_iter
        self.learning_rate = learning_rate
        self.max_leaf_nodes = max_leaf_nodes
        self.min_samples_leaf = min_samples_leaf
        self.l2_regularization = l2_regularization
        self.random_state = random_state

    def fit(self, X: npt.NDArray[Any], y: npt.NDArray[Any]) -> RootBoosting:  # noqa: N803
        """Fit to features (n, k) and targets (n,); where some are negative, roots are taken from the least."""
        from cabstand.modelling.estimators import boosting

        size = {name: value for name, value in self.get_params().items() if name != "random_state"}
        self.floor_ = min(0.0, float(np.min(y)))
        above = np.asarray(y, np.float64) - self.floor_
        self.root_ = boosting(self.random_state, **size).fit(X, np.sqrt(above))
        self.scale_ = float(above.mean() / np.square(self.root_.predict(X)).mean()) if above.any() else 1.0
        return self

    def predict(self, X: npt.NDArray[Any]) -> FloatArray:  # noqa: N803
        """Return predictions (n,) for features (n, k)."""
        return np.asarray(self.floor_ + self.scale_ * np.square(self.root_.predict(X)))
