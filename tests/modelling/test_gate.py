"""The gate: worse and equal are refused with numbers, better passes, a gain at a segment's price does not."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cabstand.modelling import gate
from cabstand.modelling.gate import GateLimits

SEED = 5
RNG = np.random.default_rng(0)
CHAMPION = np.abs(RNG.normal(5, 3, 4_000))


@pytest.mark.parametrize(
    ("challenger", "passes", "told"),
    [
        (CHAMPION * 1.1, False, "below the least one"),
        (CHAMPION.copy(), False, "+0.00%"),
        (CHAMPION * 0.998, False, "below the least one"),
        (CHAMPION * 0.9, True, "gain of +10.00%"),
    ],
)
def test_worse_and_equal_are_refused_and_better_passes(challenger: np.ndarray, passes: bool, told: str) -> None:
    verdict = gate.judge(CHAMPION, challenger, GateLimits())
    assert verdict.passed is passes
    assert told in verdict.reason
    assert verdict.n == 4_000


def test_a_gain_that_may_be_chance_is_refused() -> None:
    few = np.array([5.0, 5.0, 5.0, 5.0, 50.0] * 6)
    other = few.copy()
    other[::5] -= RNG.normal(1, 40, 6)
    verdict = gate.judge(few, other, GateLimits(min_gain=0.0))
    if verdict.gain > 0:
        assert not verdict.passed
        assert "chance" in verdict.reason


def test_a_gain_at_the_price_of_a_segment_is_refused() -> None:
    segments = {"borough": np.where(np.arange(4_000) < 600, "Bronx", "Queens")}
    challenger = np.where(segments["borough"] == "Bronx", CHAMPION * 1.3, CHAMPION * 0.7)
    verdict = gate.judge(CHAMPION, challenger, GateLimits(), segments=segments)
    assert not verdict.passed
    assert "Bronx" in verdict.reason
    assert gate.judge(CHAMPION, challenger, GateLimits(min_segment_rows=601), segments=segments).passed


def test_hours_are_drawn_whole() -> None:
    time = np.datetime64("2023-03-01T00", "s") + np.repeat(np.arange(40), 100).astype("m8[h]")
    # One lucky hour in forty: by rows it looks certain, by hours it does not.
    challenger = CHAMPION.copy()
    challenger[:100] *= 0.01
    by_rows = gate.judge(CHAMPION, challenger, GateLimits())
    by_hours = gate.judge(CHAMPION, challenger, GateLimits(), time=time)
    assert by_rows.passed
    assert not by_hours.passed


@given(st.floats(0.5, 2.0), st.integers(0, 2**31))
def test_the_lower_bound_is_below_the_gain(factor: float, seed: int) -> None:
    verdict = gate.judge(CHAMPION[:200], CHAMPION[:200] * factor, GateLimits(resamples=100), seed=seed)
    assert verdict.gain == pytest.approx(1 - factor, abs=1e-9)
    assert verdict.gain_low <= verdict.gain + 1e-9


def equal_models(kind: str, n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return two models' losses with equal means: alike, or the challenger better on most rows and far worse on few."""
    if kind == "skewed":
        gained = np.where(rng.random(n) < 0.01, -9.9, 0.1)
        champion = 17 + rng.normal(0, 1, n)
        return champion, champion - gained
    if kind == "few differ":
        return (rng.random(n) < 0.002).astype(float), (rng.random(n) < 0.002).astype(float)
    scale = np.exp(0.9 * rng.normal(size=n))
    error = 5 * rng.normal(size=n)
    first, second = (np.abs(scale * (error + rng.normal(size=n))) for _ in range(2))
    return first, second


@pytest.mark.parametrize("kind", ["heavy tails", "skewed", "few differ"])
def test_an_equal_model_passes_no_more_often_than_promised(kind: str) -> None:
    """Half of the budget of 5 % is the first attempt's: 5 of 200; 11 or more would have a probability of 1.3 %."""
    rng, limits = np.random.default_rng(SEED), GateLimits(min_gain=0.0, resamples=100)
    passed = sum(gate.judge(*equal_models(kind, 3_000, rng), limits).passed for _ in range(200))
    assert passed <= 10


@pytest.mark.slow
def test_equal_models_tried_again_and_again_pass_no_more_often_than_promised() -> None:
    """Five challengers of one champion on one holdout: any of them passes in at most 5 % of such series."""
    rng, limits = np.random.default_rng(SEED), GateLimits(min_gain=0.0, resamples=100)
    n_passed = 0
    for _ in range(400):
        shared = 5 * rng.normal(size=400)
        champion = np.abs(shared + rng.normal(size=400))
        tries = (np.abs(shared + rng.normal(size=400)) for _ in range(5))
        n_passed += any(gate.judge(champion, one, limits, attempt=k).passed for k, one in enumerate(tries, start=1))
    assert n_passed <= 28  # 20 are promised; more than 28 would have a probability of 3 %


def test_the_budget_of_all_attempts_is_the_promised_one() -> None:
    spent = [1 - gate.confidence_of(attempt, GateLimits(confidence=0.9)) for attempt in range(1, 10_000)]
    assert sum(spent) == pytest.approx(0.1, rel=1e-3)
    assert spent == sorted(spent, reverse=True)


def test_a_later_attempt_needs_more_and_a_large_gain_has_it() -> None:
    rng = np.random.default_rng(SEED)
    noise = rng.normal(0, 2.5, 4_000)
    slight, large = CHAMPION - 0.1 - (noise - noise.mean()), CHAMPION * 0.9
    assert gate.judge(CHAMPION, slight, GateLimits()).passed
    refused = gate.judge(CHAMPION, slight, GateLimits(), attempt=9)
    assert not refused.passed
    assert "99.944% confidence, attempt 9" in refused.reason
    assert gate.judge(CHAMPION, large, GateLimits(), attempt=9).passed
    # No affordable number of draws excludes chance at this level.
    assert not gate.judge(CHAMPION, large - noise, GateLimits(), attempt=10_000).passed


@pytest.mark.parametrize("n", [20, 3_000, 9_000])
def test_the_bound_is_finite_whatever_the_losses(n: int) -> None:
    one_apart = np.full(n, 1.0)
    one_apart[0] = 1_000.0
    for champion, challenger in [
        (np.zeros(n), np.ones(n)),
        (np.ones(n), np.ones(n)),
        (np.ones(n), np.full(n, 0.5)),
        (np.ones(n) * 2, one_apart),
        (one_apart, np.zeros(n)),
    ]:
        verdict = gate.judge(champion, challenger, GateLimits(resamples=100))
        assert np.isfinite(verdict.gain_low)
        assert verdict.gain_low <= verdict.gain
