"""Fisher's irises: the smallest complete example of a classification.

Data: R. A. Fisher, "The Use of Multiple Measurements in Taxonomic Problems" (1936), as scikit-learn ships it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from cabstand.errors import ConfigError
from cabstand.modelling.problem import Assets, Candidate, Columns, Examples, FeatureMatrix, Field, Problem, Target

FIELDS = (
    Field("sepal_length_cm", "number", "cm", 0.1, 20, "Length of the sepal.", example=5.1),
    Field("sepal_width_cm", "number", "cm", 0.1, 20, "Width of the sepal.", example=3.5),
    Field("petal_length_cm", "number", "cm", 0.1, 20, "Length of the petal.", example=1.4),
    Field("petal_width_cm", "number", "cm", 0.1, 20, "Width of the petal.", example=0.2),
)
NAMES = tuple(field.name for field in FIELDS)
CLASSES = ("setosa", "versicolor", "virginica")


def features(columns: Columns, assets: Assets) -> FeatureMatrix:
    """Return the four measures as they are, float32 (n, 4)."""
    del assets
    return np.stack([columns[name] for name in NAMES], axis=1).astype(np.float32)


def load(paths: Sequence[Path], extras: Mapping[str, Path]) -> Examples:
    """Return the 150 flowers that scikit-learn ships; no input is needed."""
    from sklearn.datasets import load_iris

    del extras
    if paths:
        raise ConfigError("iris comes with scikit-learn and takes no input", where=paths[0], hint="omit --input")
    flowers = load_iris()
    columns = {name: flowers.data[:, index].astype(np.float64) for index, name in enumerate(NAMES)}
    target = flowers.target.astype(np.int64)
    segments = {"species": np.asarray(CLASSES)[target]}
    return Examples(columns, target, segments=segments, facts={"rows": len(target), "kept": len(target)})


def candidates() -> list[Candidate]:
    """Return logistic regression (the reference), a random forest, and gradient boosting."""
    from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
    from sklearn.linear_model import LogisticRegression

    def boosting(seed: int) -> object:
        return HistGradientBoostingClassifier(max_iter=60, max_leaf_nodes=15, random_state=seed, early_stopping=False)

    return [
        Candidate("logistic", lambda seed: LogisticRegression(max_iter=1_000)),
        Candidate("random-forest", lambda seed: RandomForestClassifier(100, random_state=seed)),
        Candidate("hist-gradient-boosting", boosting),
    ]


PROBLEM = Problem(
    name="iris",
    task="classification",
    description="Species of an iris from four measures of its flower.",
    fields=FIELDS,
    target=Target("species", "", "Species of the flower.", classes=CLASSES),
    feature_names=NAMES,
    features=features,
    load=load,
    candidates=candidates,
    metric="error_rate",
)
