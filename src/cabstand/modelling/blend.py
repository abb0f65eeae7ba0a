"""Mean and median in one estimator: nearer to both figures that rides are judged by than either alone.

The median has the least absolute error and misses the long rides; the mean has the least squared error and is drawn up
by them (a ride's time is skewed). A weighted mean of the two gives up little of either.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, RegressorMixin

FloatArray = npt.NDArray[np.float64]


class MeanMedian(RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """Gradient boosting twice, on the squared and on the absolute error, and the weighted mean of their answers.

    Parameters
    ----------
    weight : float
        Share of the mean, 0 to 1.
    max_iter, learning_rate, max_leaf_nodes : int, float, int
        Of either model.
    random_state : int
        Of either model.
    """

    def __init__(
        self,
        weight: float = 0.65,
        max_iter: int = 120,
        learning_rate: float = 0.12,
        max_leaf_nodes: int = 127,
        random_state: int = 0,
    ) -> None:
        self.weight = weight
        self.max_iter = max_iter
        self.learning_rate = learning_rate
        self.max_leaf_nodes = max_leaf_nodes
        self.random_state = random_state

    def fit(self, X: npt.NDArray[Any], y: npt.NDArray[Any]) -> MeanMedian:  # noqa: N803
        """Fit both to features (n, k) and targets (n,)."""
        from cabstand.modelling.estimators import boosting

        size = {name: getattr(self, name) for name in ("max_iter", "learning_rate", "max_leaf_nodes")}
        self.mean_ = boosting(self.random_state, **size).fit(X, y)
        self.median_ = boosting(self.random_state, loss="absolute_error", **size).fit(X, y)
        return self

    @property
    def parts(self) -> list[tuple[Any, float]]:
        """The fitted models with their weights."""
        return [(self.mean_, self.weight), (self.median_, 1 - self.weight)]

    def predict(self, X: npt.NDArray[Any]) -> FloatArray:  # noqa: N803
        """Return predictions (n,) for features (n, k)."""
        return np.asarray(sum(weight * model.predict(X) for model, weight in self.parts))
