"""Estimators that the built-in problems share, with scikit-learn's interface."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, RegressorMixin, clone
from sklearn.ensemble import HistGradientBoostingRegressor, RandomForestRegressor
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline

from cabstand.modelling.problem import Candidate, FloatArray

FOREST_COST = 50 * 11.0  # the number of trees times the depth of one of 2,000 leaves


def imputed(*steps: Any) -> Any:
    """Return a pipeline that fills gaps with the median: the trees' own handling of NaN is lost in conversion."""
    return make_pipeline(SimpleImputer(strategy="median", keep_empty_features=True), *steps)


def forest(seed: int) -> Any:
    """Return a random forest of 50 trees that is small enough to serve."""
    return imputed(
        RandomForestRegressor(
            50,
            max_leaf_nodes=2_000,
            min_samples_leaf=5,
            max_features=0.5,
            max_samples=0.35,  # leaves are bounded, so more rows would take longer and hardly lower the error
            random_state=seed,
        )
    )


def boosting(seed: int, **parameters: Any) -> Any:
    """Return histogram gradient boosting.

    Never use `loss="poisson"` or `categorical_features`: both convert to ONNX without an error and answer wrongly.
    """
    chosen: dict[str, Any] = {"max_iter": 300, "learning_rate": 0.1, "max_leaf_nodes": 31}
    chosen |= {"min_samples_leaf": 40, "max_features": 0.4} | parameters
    return HistGradientBoostingRegressor(early_stopping=False, random_state=seed, **chosen)


def boosting_candidates() -> list[Candidate]:
    """Return gradient boosting of the target's mean and of its root."""
    mean: dict[str, Any] = {"max_iter": 200, "learning_rate": 0.1, "max_leaf_nodes": 31}
    root: dict[str, Any] = {"max_iter": 20, "learning_rate": 0.35, "max_leaf_nodes": 255, "min_samples_leaf": 40}
    regularised = root | {"l2_regularization": 10.0}

    return [
        Candidate("hist-gradient-boosting", lambda seed: boosting(seed, **mean), mean, 200 * 5.0),
        Candidate("root-boosting", lambda seed: RootBoosting(boosting(seed, **regularised)), root, 20 * 8.0),
    ]


class RootBoosting(RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """Gradient boosting of the target's square root, squared and scaled so that its mean is the target's.

    The mean of a skewed target, such as a ride's duration, is raised by its long tail; the median, which has the least
    absolute error, misses that tail. The squared mean of the root lies between the two, and takes one set of trees
    where a blend of mean and median takes two. Being below the mean, it is scaled by the ratio of the two (the smearing
    of Duan, JASA 1983, as a factor). A tree takes some 30 ns per row to serve: few large ones are cheaper than many
    small ones.
    """

    def __init__(self, boosting: Any) -> None:
        self.boosting = boosting

    def fit(self, X: npt.NDArray[Any], y: npt.NDArray[Any]) -> RootBoosting:  # noqa: N803
        """Fit to features (n, k) and targets (n,); if some are negative, roots are taken of what is above the least."""
        self.floor_ = min(0.0, float(np.min(y)))
        above = np.asarray(y, np.float64) - self.floor_
        self.root_ = clone(self.boosting).fit(X, np.sqrt(above))
        self.scale_ = float(above.mean() / np.square(self.root_.predict(X)).mean()) if above.any() else 1.0
        return self

    def predict(self, X: npt.NDArray[Any]) -> FloatArray:  # noqa: N803
        """Return predictions (n,) for features (n, k)."""
        return np.asarray(self.floor_ + self.scale_ * np.square(self.root_.predict(X)))
