"""Late truth: the estimate is right where rows change, blind where their errors do, and its interval says how sure."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cabstand.errors import DataError
from cabstand.monitoring import late_truth
from cabstand.monitoring.late_truth import Answers

START = np.datetime64("2025-11-01T00", "s")


def rides(n: int, seed: int, mean: float = 15.0, spread: float = 0.2) -> tuple[Answers, np.ndarray, np.ndarray]:
    """Return predictions, truths and times; a ride's error is in proportion to its length."""
    rng = np.random.default_rng(seed)
    predicted = rng.gamma(4, mean / 4, n)
    truth = predicted * (1 + spread * rng.normal(size=n))
    time = START + rng.integers(20 * 24, size=n).astype("m8[h]")
    return Answers(predicted, predicted * 0.7, predicted * 1.3), truth, time


def missed(answers: Answers, truth: np.ndarray) -> float:
    return float(np.abs(answers.predicted - truth).mean())


@pytest.mark.parametrize("mean", [10.0, 15.0, 20.0])
def test_the_estimate_follows_the_rows_that_come(mean: float) -> None:
    model = late_truth.fit(*rides(20_000, 0))
    answers, truth, _ = rides(20_000, 1, mean)
    found = model.estimate([answers])
    assert found.value == pytest.approx(missed(answers, truth), rel=0.04)
    assert found.low < found.value < found.high


def test_the_estimate_does_not_see_errors_that_grow() -> None:
    model = late_truth.fit(*rides(20_000, 0))
    answers, truth, _ = rides(20_000, 1, spread=0.4)
    assert model.estimate([answers]).value == pytest.approx(missed(answers, truth) / 2, rel=0.05)


def test_the_interval_holds_what_comes_from_windows_like_the_holdout() -> None:
    held = []
    for seed in range(200):
        model = late_truth.fit(*rides(2_000, seed))
        answers, truth, _ = rides(1_000, 1_000 + seed)
        found = model.estimate([answers])
        held.append(found.low <= missed(answers, truth) <= found.high)
    assert np.mean(held) >= 0.92


@given(st.integers(1, 5), st.integers(5, 500))
def test_batches_do_not_matter(n_parts: int, n: int) -> None:
    answers, _, _ = rides(n, 3)
    assert answers.low is not None
    assert answers.high is not None
    columns = (answers.predicted, answers.low, answers.high)
    parts = [Answers(*part) for part in zip(*(np.array_split(one, n_parts) for one in columns), strict=True)]
    whole, parted = MODEL.estimate([answers]), MODEL.estimate(parts)
    assert (whole.value, whole.low) == pytest.approx((parted.value, parted.low))


def test_a_point_alone_is_enough() -> None:
    answers, truth, _ = rides(5_000, 0)
    model = late_truth.fit(Answers(answers.predicted), truth)
    other, then, _ = rides(5_000, 1)
    assert model.estimate([Answers(other.predicted)]).value == pytest.approx(missed(other, then), rel=0.06)


@given(st.integers(200, 1_000), st.integers(0, 2**31), st.floats(0.1, 100))
def test_on_the_holdout_itself_the_estimate_is_its_error_in_any_unit(n: int, seed: int, scale: float) -> None:
    answers, truth, time = rides(n, seed)
    assert answers.low is not None
    assert answers.high is not None
    scaled = Answers(answers.predicted * scale, answers.low * scale, answers.high * scale)
    found, twin = late_truth.fit(answers, truth, time), late_truth.fit(scaled, truth * scale, time)
    assert found.estimate([answers]).value == pytest.approx(missed(answers, truth), rel=0.05)
    assert twin.estimate([scaled]).value == pytest.approx(scale * found.estimate([answers]).value)


def test_what_cannot_be_estimated_is_refused() -> None:
    with pytest.raises(DataError, match="too few"):
        late_truth.fit(*rides(100, 0))
    with pytest.raises(DataError, match="no predictions"):
        MODEL.estimate([])
    with pytest.raises(DataError, match="alone"):
        MODEL.estimate([Answers(np.ones(5))])


MODEL = late_truth.fit(*rides(2_000, 0))
