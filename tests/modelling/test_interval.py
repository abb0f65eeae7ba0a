"""The interval covers what it says, where errors are even and where they are not."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from cabstand.modelling import interval
from cabstand.thread_limits import one_thread


@given(st.integers(30, 400), st.floats(0.5, 0.98), st.integers(0, 2**31))
def test_the_constant_covers_what_it_was_taken_from(n: int, level: float, seed: int) -> None:
    scores = np.random.default_rng(seed).normal(size=n)
    found = interval.conformal(scores, level)
    covered = np.mean(scores <= found)
    assert covered >= min(level, 1 - 1 / n) - 1e-9
    assert covered <= level + 2.0 / n + 1e-9 or found == 0


def rows(n: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Features (n, 2), points and skewed outcomes whose spread grows with the first feature."""
    rng = np.random.default_rng(seed)
    matrix = rng.uniform(0, 10, (n, 2)).astype(np.float32)
    point = 20 + matrix[:, 1].astype(np.float64)
    return matrix, point, point + (1 + matrix[:, 0]) * (rng.gamma(2, 1, n) - 2)


def test_it_covers_and_is_wide_where_errors_are_large() -> None:
    with one_thread():
        found = interval.fit(*rows(8_000, 0), 0.9, 0)
        matrix, point, truth = rows(8_000, 1)
        low, high = found.around(point, matrix)
    for part in (matrix[:, 0] < 3, matrix[:, 0] > 7, np.ones(len(truth), bool)):
        assert 0.86 <= np.mean((truth >= low)[part] & (truth <= high)[part]) <= 0.94
    width = high - low
    assert width[matrix[:, 0] > 9].mean() > 3 * width[matrix[:, 0] < 1].mean()
    assert np.mean(truth < low) <= 0.07
    assert np.mean(truth > high) <= 0.07


def test_a_point_that_never_errs_has_an_interval_of_no_width() -> None:
    matrix, point, _ = rows(200, 0)
    with one_thread():
        low, high = interval.fit(matrix, point, point, 0.9, 0).around(point, matrix)
    assert (low <= point).all()
    np.testing.assert_array_equal(high - low, 0)
