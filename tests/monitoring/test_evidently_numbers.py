"""Our numbers against those of Evidently itself: equal where the definition is the same."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from cabstand.monitoring import distances, evidently_numbers
from cabstand.monitoring.drift import Thresholds, compare
from cabstand.monitoring.numeric import Numbers
from cabstand.monitoring.profiles import of_table

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # it reaches into NumPy when imported
    from evidently.legacy.calculations.stattests import jensenshannon, psi, wasserstein_distance_norm
    from evidently.legacy.core import ColumnType

N = 4_000
RNG = np.random.default_rng(3)
PAIRS = {
    "normal": (RNG.normal(40.7, 0.03, N), RNG.normal(40.71, 0.04, N + 500)),
    "skewed": (RNG.lognormal(2, 0.8, N).round(2), RNG.lognormal(2.1, 0.9, N).round(2)),
    "integers": (RNG.poisson(30, N), RNG.poisson(33, N)),
    "few": (RNG.integers(1, 7, N), RNG.integers(1, 8, N)),
    "outlier": (np.append(RNG.normal(0, 1, N), 1e6), RNG.normal(1, 1, N)),
    "tiny": (RNG.normal(0, 1e-5, N), RNG.normal(0, 2e-5, N)),
}


def both(name: str) -> tuple[Numbers, Numbers]:
    found = Numbers(), Numbers()
    for one, values in zip(found, PAIRS[name], strict=True):
        one.add(pa.array(values))
    return found


@pytest.mark.parametrize("name", PAIRS)
def test_its_definitions_give_its_numbers(name: str) -> None:
    series = [pd.Series(values) for values in PAIRS[name]]
    for theirs, ours in (
        (wasserstein_distance_norm._wasserstein_distance_norm, evidently_numbers.wasserstein),
        (jensenshannon._jensenshannon, evidently_numbers.jensen_shannon),
        (psi._psi, evidently_numbers.psi),
    ):
        assert ours(*both(name)) == pytest.approx(theirs(*series, ColumnType.Numerical, 0.1)[0], rel=1e-9), theirs


@pytest.mark.parametrize("name", ["normal", "integers", "few"])
def test_where_nothing_is_clipped_the_wasserstein_distance_is_its_own(name: str) -> None:
    assert distances.normed_wasserstein(*both(name)) == pytest.approx(
        evidently_numbers.wasserstein(*both(name)), rel=1e-9
    )


def test_the_distance_of_categories_is_its_own() -> None:
    before, now = RNG.choice(list("abcdef"), N), RNG.choice(list("bcdefg"), N, p=[0.3, 0.3, 0.1, 0.1, 0.1, 0.1])
    drift = compare(*(of_table(pa.table({"zone": values.tolist()})) for values in (before, now)), Thresholds())
    theirs = jensenshannon._jensenshannon(pd.Series(before), pd.Series(now), ColumnType.Categorical, 0.1)[0]
    assert drift.columns[0].distance == pytest.approx(theirs, rel=1e-9)
