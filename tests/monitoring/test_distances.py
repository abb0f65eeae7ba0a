"""Distances against slow, obvious definitions, and by their properties."""

from __future__ import annotations

import itertools
import math
from collections import Counter

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import stats
from scipy.spatial import distance

from cabstand.monitoring import distances, evidently_numbers
from cabstand.monitoring.numeric import Numbers

COUNTS = st.integers(2, 12).flatmap(
    lambda k: st.tuples(*[st.lists(st.integers(0, 500), min_size=k, max_size=k).filter(any)] * 2)
)
VALUES = st.lists(st.floats(-1e6, 1e6, allow_subnormal=False), min_size=1, max_size=40)
Pair = tuple[list[int], list[int]]


def numbers(values: npt.ArrayLike) -> Numbers:
    found = Numbers()
    found.add(pa.array(np.asarray(values)))
    return found


def counted(one: Numbers) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    return one.values, one.counts


def slow_psi(p: list[float], q: list[float]) -> float:
    floored = [(max(a, 1e-4), max(b, 1e-4)) for a, b in zip(p, q, strict=True)]
    return sum((a - b) * math.log(a / b) for a, b in floored)


@given(COUNTS)
def test_distances_of_counts_are_the_defined_ones(pair: Pair) -> None:
    p, q = ([one / sum(counts) for one in counts] for counts in pair)
    assert distances.psi(*pair) == pytest.approx(slow_psi(p, q), rel=1e-9, abs=1e-15)
    # SciPy's loses digits where both are nearly equal.
    assert distances.jensen_shannon(*pair) == pytest.approx(distance.jensenshannon(p, q), rel=1e-9, abs=2e-8)


@given(COUNTS, st.integers(2, 9))
def test_equal_shares_are_at_zero_and_sides_may_be_swapped(pair: Pair, times: int) -> None:
    for measure in (distances.psi, distances.jensen_shannon):
        assert measure(pair[0], [times * n for n in pair[0]]) == pytest.approx(0, abs=2e-8)
        assert measure(*pair) == pytest.approx(measure(*pair[::-1]), rel=1e-9, abs=1e-12)
    assert 0 <= distances.jensen_shannon(*pair) <= math.sqrt(math.log(2)) + 1e-12


@given(VALUES, VALUES)
def test_the_wasserstein_distance_is_the_area_between_both(a: list[float], b: list[float]) -> None:
    first, second = counted(numbers(a)), counted(numbers(b))
    grid = sorted({*a, *b})
    areas = (
        abs(sum(x <= low for x in a) / len(a) - sum(x <= low for x in b) / len(b)) * (high - low)
        for low, high in itertools.pairwise(grid)
    )
    assert distances.wasserstein(first, second) == pytest.approx(sum(areas), rel=1e-9, abs=1e-9)
    assert distances.wasserstein(first, second) == distances.wasserstein(second, first)
    assert distances.wasserstein(first, first) == 0


@given(VALUES, st.floats(-1e3, 1e3), st.integers(1, 6))
def test_a_shift_is_as_far_as_it_is_long(a: list[float], shift: float, times: int) -> None:
    moved = numbers(np.repeat(a, times) + shift)
    assert distances.wasserstein(counted(numbers(a)), counted(moved)) == pytest.approx(abs(shift), abs=1e-6)


@given(VALUES, VALUES, st.integers(2, 12))
def test_bins_lie_between_the_quantiles_of_the_reference(a: list[float], b: list[float], n_bins: int) -> None:
    assume(len(set(a)) > 1)
    edges = sorted({float(np.quantile(a, k / n_bins, method="inverted_cdf")) for k in range(1, n_bins)})
    found = distances.by_quantiles(numbers(a), numbers(b), n_bins)
    for values, counts in zip((a, b), found, strict=True):
        expected = Counter(sum(edge < value for edge in edges) for value in values)
        assert counts.tolist() == [expected[k] for k in range(len(edges) + 1)]


def test_a_constant_reference_makes_three_bins() -> None:
    before, now = distances.by_quantiles(numbers([5.0] * 10), numbers([5.0, 4.0, 6.0, 7.0]))
    assert (before.tolist(), now.tolist()) == ([0, 10, 0], [1, 1, 2])


@given(st.floats(-1e150, 1e150), st.floats(-1e150, 1e150), VALUES)
def test_extreme_numbers_give_a_number(a: float, b: float, values: list[float]) -> None:
    assume(a != b)
    assert math.isfinite(distances.normed_wasserstein(numbers([a, b, a]), numbers(values)))


@pytest.mark.parametrize("outlier", [1e9, -1e9])
def test_one_far_value_neither_hides_a_shift_nor_makes_one(outlier: float) -> None:
    rng = np.random.default_rng(1)
    before, same = rng.normal(0, 1, (2, 5_000))
    shifted = same + 1
    for reference, current in (([*before, outlier], shifted), (before, [*shifted, outlier])):
        one, other = numbers(reference), numbers(current)
        assert distances.normed_wasserstein(one, other) == pytest.approx(1, abs=0.05)
        assert distances.psi(*distances.by_quantiles(one, other)) > 0.8
        assert evidently_numbers.psi(one, other) < 0.01
    assert evidently_numbers.wasserstein(numbers([*before, outlier]), numbers(shifted)) < 0.02
    for reference, current in (([*before, outlier], same), (before, [*same, outlier])):
        assert distances.normed_wasserstein(numbers(reference), numbers(current)) < 0.03
        assert distances.psi(*distances.by_quantiles(numbers(reference), numbers(current))) < 0.01


@pytest.mark.parametrize(
    ("n_categories", "sizes"), [(5, (5_000, 5_000)), (260, (5_000, 5_000)), (260, (20_000, 5_000))]
)
def test_chance_exceeds_its_bounds_as_rarely_as_they_say(n_categories: int, sizes: tuple[int, int]) -> None:
    rng = np.random.default_rng(2)
    shares = rng.dirichlet(np.full(n_categories, 0.3))  # a few common ones, many rare ones
    trials = [[rng.multinomial(size, shares) for size in sizes] for _ in range(400)]
    seen = np.array([distances.jensen_shannon(*pair) for pair in trials])
    assert np.mean(seen > distances.jensen_shannon_by_chance(*sizes, n_categories, 0.01)) <= 0.02
    even = [[rng.multinomial(size, np.full(10, 0.1)) for size in sizes] for _ in range(400)]
    index = np.array([distances.psi(*pair) for pair in even])
    assert 0.02 <= np.mean(index > distances.psi_by_chance(*sizes, 10, 0.05)) <= 0.08


def test_the_bound_of_a_difference_of_means_is_the_normal_one() -> None:
    assert distances.normal_by_chance(0.25, 100, 100, 0.05) == pytest.approx(stats.norm.ppf(0.975) * 0.5 * 0.02**0.5)
