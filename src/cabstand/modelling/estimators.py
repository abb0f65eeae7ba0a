"""The estimators that shipped problems try; all of scikit-learn's interface."""

from __future__ import annotations

from typing import Any

from cabstand.modelling.problem import Candidate

# Each tree sees a third of the rows: leaves are bounded, so more would cost time and hardly lower the error.
FOREST_SHARE = 0.35
FOREST_COST = 50 * 11.0  # trees, and the depth of one of 2,000 leaves
TREE_COST = 9.0


def forest(seed: int) -> Any:
    """Return a random forest of 50 trees that is small enough to serve."""
    from sklearn.ensemble import RandomForestRegressor

    trees = RandomForestRegressor(
        50, max_leaf_nodes=2_000, min_samples_leaf=5, max_features=0.5, max_samples=FOREST_SHARE, random_state=seed
    )
    return _imputed(trees)


def tree(seed: int) -> Any:
    """Return a single regression tree."""
    from sklearn.tree import DecisionTreeRegressor

    return _imputed(DecisionTreeRegressor(max_leaf_nodes=500, min_samples_leaf=5, random_state=seed))


def imputed_linear() -> Any:
    """Return ordinary least squares on standardised columns, gaps filled with the median."""
    from sklearn.linear_model import LinearRegression
    from sklearn.preprocessing import StandardScaler

    return _imputed(StandardScaler(), LinearRegression())


def _imputed(*steps: Any) -> Any:
    """Return a pipeline that fills gaps with the median: trees' own way with NaN does not survive conversion."""
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline

    return make_pipeline(SimpleImputer(strategy="median", keep_empty_features=True), *steps)


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
    """Return histogram gradient boosting.

    Never `loss="poisson"` nor `categorical_features`: both convert to ONNX without an error and answer wrongly.
    """
    from sklearn.ensemble import HistGradientBoostingRegressor

    chosen: dict[str, Any] = {"max_iter": 300, "learning_rate": 0.1, "max_leaf_nodes": 31}
    chosen |= {"min_samples_leaf": 40, "max_features": 0.4} | parameters
    return HistGradientBoostingRegressor(early_stopping=False, random_state=seed, **chosen)


def boosting_search() -> list[Candidate]:
    """Return the small search over gradient boosting: one of the target's mean, one of its root."""
    from cabstand.modelling.root import RootBoosting

    mean: dict[str, Any] = {"max_iter": 200, "learning_rate": 0.1, "max_leaf_nodes": 31}
    root: dict[str, Any] = {"max_iter": 20, "learning_rate": 0.35, "max_leaf_nodes": 255, "min_samples_leaf": 40}
    return [
        Candidate("hist-gradient-boosting", lambda seed: boosting(seed, **mean), mean, 200 * 5.0),
        Candidate("root-boosting", lambda seed: RootBoosting(**root, random_state=seed), root, 20 * 8.0),
    ]
