"""Boosting of roots: between mean and median, and for any target."""

from __future__ import annotations

import numpy as np

from cabstand.modelling.estimators import RootBoosting, boosting
from cabstand.thread_limits import one_thread

SMALL = boosting(0, max_iter=20, learning_rate=0.35, max_leaf_nodes=255, l2_regularization=10.0)


def test_it_lies_between_mean_and_median_and_keeps_the_mean() -> None:
    rng = np.random.default_rng(0)
    matrix = rng.uniform(1, 5, (20_000, 1)).astype(np.float32)
    target = matrix[:, 0] * rng.lognormal(0, 1, len(matrix))
    with one_thread():
        found = RootBoosting(SMALL).fit(matrix, target)
        answers = found.predict(matrix)
        unscaled = np.square(found.root_.predict(matrix))
    assert np.isclose(answers.mean(), target.mean(), rtol=1e-9)
    assert np.median(target) < unscaled.mean() < target.mean()
    assert np.corrcoef(answers, matrix[:, 0])[0, 1] > 0.9


def test_negative_and_empty_targets() -> None:
    matrix = np.arange(400, dtype=np.float32).reshape(-1, 1)
    with one_thread():
        below = RootBoosting(SMALL).fit(matrix, matrix[:, 0] / 10.0 - 50).predict(matrix)
        nothing = RootBoosting(SMALL).fit(matrix, np.zeros(400)).predict(matrix)
    assert np.abs(below - (matrix[:, 0] / 10.0 - 50)).mean() < 2
    assert (nothing == 0).all()
