"""Quality: the figures are those of all rows however they are batched, and the intervals cover what they say."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cabstand.errors import DataError
from cabstand.monitoring import quality
from cabstand.monitoring.findings import Quality

START = np.datetime64("2025-11-01T00", "s")


def rows(n: int, n_days: int, seed: int, day: float = 0.5, hour: float = 0.3) -> dict[str, np.ndarray]:
    """Return predictions whose errors share a part by day and a part by hour of the day; bias 1, MAE about 3."""
    rng = np.random.default_rng(seed)
    at = np.sort(rng.integers(n_days * 24, size=n))
    shared = day * rng.normal(size=n_days)[at // 24] + hour * rng.normal(size=n_days * 24)[at]
    truth = rng.gamma(4, 4, n)
    predicted = truth + 1 + shared + rng.normal(0, 3, n)
    time = START + at.astype("m8[h]")
    return {"predicted": predicted, "truth": truth, "low": predicted - 5, "high": predicted + 4, "time": time}


def slow(
    predicted: np.ndarray, truth: np.ndarray, low: np.ndarray, high: np.ndarray, time: np.ndarray
) -> dict[str, tuple[float, float]]:
    """Return value and standard error of each figure, all of it computed again without each block."""
    days = time.astype("M8[D]")
    sizes = [np.sum(days == day) for day in np.unique(days)]
    blocks = days if sum(sizes) ** 2 / sum(size**2 for size in sizes) >= quality.MIN_DAYS else time.astype("M8[h]")
    figures = {"mae": abs(predicted - truth), "bias": predicted - truth, "coverage": (low <= truth) & (truth <= high)}
    found = {}
    for name, values in figures.items():
        without = np.array([values[blocks != block].mean() for block in np.unique(blocks)])
        squares = np.square(without - values.mean()).sum()
        found[name] = (float(values.mean()), float(np.sqrt((len(without) - 1) / len(without) * squares)))
    return found


def in_batches(data: dict[str, np.ndarray], parts: list[np.ndarray]) -> Quality:
    tally = quality.Tally()
    for part in parts:
        tally.add(**{name: values[part] for name, values in data.items()})
    return tally.quality()


@given(st.integers(20, 300), st.integers(2, 20), st.integers(0, 2**31))
def test_figures_and_errors_are_those_of_leaving_out_each_block(n: int, n_days: int, seed: int) -> None:
    data = rows(n, n_days, seed)
    found, expected = quality.assess(**data), slow(**data)
    for name in ("mae", "bias"):
        value, error = expected[name]
        estimate = getattr(found, name)
        assert estimate.value == pytest.approx(value, abs=1e-9)
        assert (estimate.high - value) / error >= 1.95  # Student's quantile is never below the normal one
    assert found.coverage is not None
    assert found.coverage.value == pytest.approx(expected["coverage"][0])
    assert found.n == n


@given(st.integers(2, 300), st.integers(1, 20), st.integers(1, 6), st.integers(0, 2**31))
def test_batches_and_their_order_do_not_matter(n: int, n_days: int, n_parts: int, seed: int) -> None:
    data = rows(n, n_days, seed)
    order = np.random.default_rng(seed).permutation(n)
    whole, parted = quality.assess(**data), in_batches(data, np.array_split(order, n_parts))
    for name in ("mae", "bias", "coverage"):
        one, other = getattr(whole, name), getattr(parted, name)
        assert (one.value, one.low, one.high) == pytest.approx((other.value, other.low, other.high), abs=1e-9)


@given(st.integers(2, 300), st.integers(1, 20), st.integers(0, 2**31), st.floats(-50, 50), st.floats(0.1, 10))
def test_intervals_hold_their_value_and_follow_shift_and_scale(
    n: int, n_days: int, seed: int, shift: float, scale: float
) -> None:
    data = rows(n, n_days, seed)
    found = quality.assess(**data)
    for estimate in (found.mae, found.bias, found.coverage):
        assert estimate is not None
        assert estimate.low <= estimate.value <= estimate.high
    assert found.mae.low >= 0
    assert found.coverage is not None
    assert 0 <= found.coverage.low <= found.coverage.high <= 1
    moved = quality.assess(**{k: v if k == "time" else v * scale + shift * (k != "truth") for k, v in data.items()})
    assert moved.bias.value == pytest.approx(found.bias.value * scale + shift, abs=1e-6)
    assert moved.bias.high - moved.bias.value == pytest.approx(scale * (found.bias.high - found.bias.value), abs=1e-6)


@given(st.integers(2, 300), st.integers(1, 20), st.integers(0, 2**31))
def test_what_another_model_saves_is_the_mean_of_the_rows_differences(n: int, n_days: int, seed: int) -> None:
    data = rows(n, n_days, seed)
    data["other"] = data["truth"] + np.random.default_rng(seed).normal(0, 2, n)
    first, second = quality.Tally(), quality.Tally()
    for half in np.array_split(np.arange(n), 2):
        part = quality.Tally()
        part.add(data["predicted"][half], data["truth"][half], time=data["time"][half])
        first.merge(part)
    second.add(data["other"], data["truth"], time=data["time"])
    errors = [np.abs(data[name] - data["truth"]) for name in ("predicted", "other")]
    expected = quality.assess(errors[0], errors[1], time=data["time"]).bias
    found = first.saved(second)
    assert found.value == pytest.approx(np.mean(errors[0] - errors[1]), abs=1e-9)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=1e-9)


def test_models_are_compared_on_the_same_rows_alone() -> None:
    first, second = quality.Tally(), quality.Tally()
    first.add(np.ones(3), np.ones(3))
    second.add(np.ones(2), np.ones(2))
    with pytest.raises(DataError, match="different rows"):
        first.saved(second)


def test_rows_without_a_time_are_taken_for_independent() -> None:
    data = rows(50_000, 30, 1)
    del data["time"]
    error = data["predicted"] - data["truth"]
    found = quality.assess(**data)
    assert found.bias.high - found.bias.value == pytest.approx(1.962 * error.std() / np.sqrt(len(error)), rel=0.1)


def test_a_truth_that_has_not_come_does_not_count() -> None:
    data = rows(1_000, 10, 2)
    late = data["truth"].copy()
    late[::2] = np.nan
    known = {name: values[1::2] for name, values in data.items()}
    assert quality.assess(**data | {"truth": late}) == quality.assess(**known)


def test_without_an_interval_there_is_no_coverage() -> None:
    data = rows(100, 3, 3)
    assert quality.assess(data["predicted"], data["truth"]).coverage is None


def test_one_hour_says_nothing_of_the_error() -> None:
    found = quality.assess(**rows(100, 3, 4) | {"time": np.full(100, START)})
    assert found.bias.low == -np.inf
    assert found.mae.high == np.inf
    assert found.coverage is not None
    assert found.coverage.high - found.coverage.low > 0.7


def test_stray_rows_of_other_years_do_not_count_as_days() -> None:
    data, strays = rows(3_000, 2, 5), rows(20, 20, 6)
    strays["time"] = strays["time"] - np.timedelta64(16 * 365, "D")
    both = {name: np.concatenate([data[name], strays[name]]) for name in data}
    alone, found = quality.assess(**data), quality.assess(**both)
    assert found.bias.high - found.bias.low > 0.9 * (alone.bias.high - alone.bias.low)


def test_where_all_are_inside_the_interval_is_that_of_the_blocks() -> None:
    data = rows(20_000, 20, 7) | {"low": np.full(20_000, -1e9), "high": np.full(20_000, 1e9)}
    found = quality.assess(**data).coverage
    assert found is not None
    assert found.value == found.high == 1
    assert found.low == pytest.approx(0.025 ** (1 / 20), abs=0.01)


@pytest.mark.parametrize(
    ("predicted", "truth", "told"),
    [([np.nan, 1.0], [1.0, 1.0], "missing or infinite"), ([1.0, 1.0], [np.nan, np.inf], "no row with a known truth")],
)
def test_what_cannot_be_assessed_is_refused(predicted: list[float], truth: list[float], told: str) -> None:
    with pytest.raises(DataError, match=told):
        quality.assess(np.array(predicted), np.array(truth))


@pytest.mark.parametrize("n_days", [30, 14, 4])
def test_the_interval_covers_the_truth_where_rows_of_a_day_go_together(n_days: int) -> None:
    found = [quality.assess(**rows(150 * n_days, n_days, seed)) for seed in range(400)]
    many = quality.assess(**rows(1_000_000, 2_000, 400))
    for name in ("mae", "bias", "coverage"):
        truth, estimates = getattr(many, name).value, [getattr(one, name) for one in found]
        assert np.mean([one.low <= truth <= one.high for one in estimates]) >= 0.92, name
    alone = 1.96 * 3.1 / np.sqrt(150 * n_days)  # as if rows were independent
    assert np.mean([abs(one.bias.value - many.bias.value) <= alone for one in found]) < 0.75


def test_with_few_days_the_interval_knows_hours_alone() -> None:
    alike = [quality.assess(**rows(300, 2, seed, day=0.0)) for seed in range(400)]
    unlike = [quality.assess(**rows(300, 2, seed, day=0.5)) for seed in range(400)]
    assert np.mean([one.bias.low <= 1 <= one.bias.high for one in alike]) >= 0.92
    assert np.mean([one.bias.low <= 1 <= one.bias.high for one in unlike]) < 0.85
