"""The gate: worse and equal are refused with numbers, better passes, a gain at a segment's price does not."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cabstand.modelling import gate
from cabstand.modelling.gate import GateLimits

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
