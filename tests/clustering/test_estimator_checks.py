"""scikit-learn's own checks of an estimator.

They feed tables of 1 to 30 columns, and points have two. So they run twice: on GeoDBSCAN as it is, where a check may
fail only because it was refused a table of another width, and on a subclass that looks at the first two columns of
whatever it gets, where every check must pass but those in `EXCLUDED`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.utils.estimator_checks import check_estimator

from cabstand import GeoDBSCAN

EXCLUDED = {
    "check_array_api_input": "skipped by scikit-learn itself: SCIPY_ARRAY_API is not set",
    "check_n_features_in_after_fitting": "the subclass narrows tables before the estimator can count their columns",
}


class FirstTwo(GeoDBSCAN):
    """GeoDBSCAN of the first two columns of any table that has two."""

    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> FirstTwo:  # noqa: N803
        super().fit(_narrow(X), y, sample_weight=sample_weight)
        self.n_features_in_ = np.asarray(X).shape[1]
        return self

    def predict(self, X: Any, return_distance: bool = False) -> Any:  # noqa: N803
        return super().predict(_narrow(X), return_distance=return_distance)


def _narrow(x: Any) -> Any:
    if isinstance(x, (list, tuple)):
        x = np.asarray(x)
    if isinstance(x, np.ndarray) and x.ndim == 2 and x.shape[1] > 2:
        return x[:, :2]
    if hasattr(x, "iloc") and x.shape[1] > 2:
        return x.iloc[:, :2]
    return x


def _results(estimator: GeoDBSCAN) -> list[dict[str, Any]]:
    return check_estimator(estimator, on_fail=None, on_skip=None)


@pytest.mark.filterwarnings("ignore")
def test_checks_on_first_two_columns() -> None:
    results = _results(FirstTwo(eps_m=0.5, min_samples=5, metric="euclidean"))
    wrong = {r["check_name"]: repr(r["exception"]) for r in results if r["status"] != "passed"}
    unexplained = {name: why for name, why in wrong.items() if name not in EXCLUDED}
    assert not unexplained
    assert len(results) - len(wrong) >= 40


@pytest.mark.filterwarnings("ignore")
def test_checks_as_it_is_fail_for_the_width_alone() -> None:
    for result in _results(GeoDBSCAN(eps_m=0.5, min_samples=5, metric="euclidean")):
        if result["status"] == "failed":
            trouble = _whole_story(result["exception"])
            assert "while exactly 2 are required" in trouble or "check for NaN and inf" in trouble, result["check_name"]


def _whole_story(error: BaseException | None) -> str:
    story = []
    while error is not None:
        story.append(str(error))
        error = error.__cause__ or error.__context__
    return " ".join(story)
