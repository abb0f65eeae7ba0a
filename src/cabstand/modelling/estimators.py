"""The estimators that shipped problems try; all of scikit-learn's interface."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cabstand.modelling.problem import Candidate

# A forest learns from at most so many rows a tree: more would cost memory and time, and hardly lower its error.
FOREST_ROWS = 100_000


def forest(seed: int) -> Any:
    """Return a random forest of 60 trees that is small enough to serve; NaN goes its own way in each split."""
    from sklearn.ensemble import RandomForestRegressor

    return RandomForestRegressor(60, max_leaf_nodes=2_000, min_samples_leaf=5, max_features=0.5, random_state=seed)


def tree(seed: int) -> Any:
    """Return a single regression tree."""
    from sklearn.tree import DecisionTreeRegressor

    return DecisionTreeRegressor(max_leaf_nodes=500, min_samples_leaf=5, random_state=seed)


def imputed_linear() -> Any:
    """Return ordinary least squares on standardised columns, gaps filled with the median."""
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LinearRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return make_pipeline(SimpleImputer(strategy="median"), StandardScaler(), LinearRegression())


def logistic() -> Any:
    """Return multinomial logistic regression on the columns as they are."""
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(max_iter=1_000)


def forest_classifier(seed: int) -> Any:
    """Return a random forest for classes."""
    from sklearn.ensemble import RandomForestClassifier

    return RandomForestClassifier(100, random_state=seed)


def boosting_classifier(seed: int) -> Any:
    """Return gradient boosting for classes."""
    from sklearn.ensemble import HistGradientBoostingClassifier

    return HistGradientBoostingClassifier(max_iter=60, max_leaf_nodes=15, random_state=seed, early_stopping=False)


def boosting(seed: int, **parameters: Any) -> Any:
    """Return histogram gradient boosting; `quantile` among the parameters makes it predict that quantile.

    Never `loss="poisson"` nor `categorical_features`: both convert to ONNX without an error and answer wrongly.
    """
    from sklearn.ensemble import HistGradientBoostingRegressor

    chosen = {"max_iter": 300, "learning_rate": 0.1, "max_leaf_nodes": 31, "min_samples_leaf": 40} | parameters
    if "quantile" in chosen:
        chosen["loss"] = "quantile"
    return HistGradientBoostingRegressor(early_stopping=False, random_state=seed, **chosen)


def boosting_search() -> list[Candidate]:
    """Return the small search over gradient boosting: three sizes of model."""
    grid: list[dict[str, Any]] = [
        {"max_iter": 150, "learning_rate": 0.1, "max_leaf_nodes": 31},
        {"max_iter": 250, "learning_rate": 0.1, "max_leaf_nodes": 63},
        {"max_iter": 400, "learning_rate": 0.06, "max_leaf_nodes": 63},
    ]
    return [
        Candidate(f"hist-gradient-boosting-{n}", _with(parameters), parameters) for n, parameters in enumerate(grid)
    ]


def _with(parameters: dict[str, Any]) -> Callable[[int], Any]:
    return lambda seed: boosting(seed, **parameters)
