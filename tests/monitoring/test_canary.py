"""The canary's tests: against slow obvious counts, and the rates of their errors."""

from __future__ import annotations

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from cabstand.monitoring import canary
from cabstand.monitoring.canary import Sample

ALPHA = 0.01
COUNTS = st.integers(1, 40).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n)))


@given(COUNTS, COUNTS)
def test_failures_are_counted_as_fisher_does(new: tuple[int, int], old: tuple[int, int]) -> None:
    (n, k), (m, j) = new, old
    failed = k + j
    ways = sum(math.comb(n, i) * math.comb(m, failed - i) for i in range(k, min(n, failed) + 1))
    expected = float(Fraction(ways, math.comb(n + m, failed)))
    assert canary.failures_p(Sample(n, k), Sample(m, j)) == pytest.approx(expected, rel=1e-9, abs=1e-300)


def test_without_requests_nothing_is_said() -> None:
    found = canary.compare(Sample(), Sample(5, 5), alpha=ALPHA, slowdown=1.25)
    assert (found.error_p, found.slower_p, found.worse) == (1.0, 1.0, ())
    assert found.detectable_error_rate is None
    assert found.detectable_slower_share is None


def test_durations_are_ranked_in_pairs() -> None:
    generator = np.random.default_rng(1)
    new, old = generator.lognormal(3.2, 0.3, 40), generator.lognormal(3.0, 0.3, 60)
    pairs = sum(a > b * 1.1 for a, b in itertools.product(new, old))
    mean, deviation = 40 * 60 / 2, math.sqrt(40 * 60 * 101 / 12)
    expected = stats.norm.sf((pairs - mean - 0.5) / deviation)
    assert canary.durations_p(new, old, 1.1) == pytest.approx(expected)
    assert canary.durations_p(new[:19], old, 1.1) == 1.0, "too few for the approximation"


def test_an_unchanged_version_is_seldom_refused() -> None:
    generator, n_looks, n_runs = np.random.default_rng(2), 4, 100
    level, refused = canary.level(0.05, n_looks), 0
    for _ in range(n_runs):
        failed_new, failed_old = generator.random(120) < 0.05, generator.random(480) < 0.05
        took_new, took_old = generator.lognormal(3, 0.5, 120), generator.lognormal(3, 0.5, 480)
        for look in range(1, n_looks + 1):
            n, m = 30 * look, 120 * look
            new = Sample(n, int(failed_new[:n].sum()), took_new[:n])
            old = Sample(m, int(failed_old[:m].sum()), took_old[:m])
            if canary.compare(new, old, alpha=level, slowdown=1.0).worse:
                refused += 1
                break
    assert stats.binom.sf(refused - 1, n_runs, 0.05) > 0.001, f"{refused} of {n_runs}"


@pytest.mark.parametrize(("n_new", "old"), [(100, Sample(900, 9)), (40, Sample(300)), (500, Sample(500, 20))])
def test_what_is_called_detectable_is_found_nine_times_of_ten(n_new: int, old: Sample) -> None:
    rate = canary.detectable_error_rate(n_new, old, ALPHA)
    assert rate is not None
    found = sum(
        stats.binom.pmf(k, n_new, rate) for k in range(n_new + 1) if canary.failures_p(Sample(n_new, k), old) <= ALPHA
    )
    assert found == pytest.approx(0.9, abs=1e-6)


def test_a_detectable_slowdown_is_found_about_nine_times_of_ten() -> None:
    n, m, generator = 80, 320, np.random.default_rng(3)
    share = canary.detectable_slower_share(n, m, ALPHA)
    assert share is not None
    shift = stats.norm.ppf(share) * math.sqrt(2)  # of normal durations with that share of slower pairs
    found = sum(
        canary.durations_p(generator.normal(100 + shift, 1, n), generator.normal(100, 1, m), 1.0) <= ALPHA
        for _ in range(400)
    )
    assert 0.84 < found / 400 < 0.96


def test_twenty_percent_of_failures_and_twice_the_time_are_found_early() -> None:
    generator, level = np.random.default_rng(4), canary.level(ALPHA, 30)
    quick, slow = generator.lognormal(3, 0.3, 400), generator.lognormal(3, 0.3, 40) * 2
    assert "8 of 40" in canary.compare(Sample(40, 8), Sample(360), alpha=level, slowdown=1.25).worse[0]
    assert "median" in canary.compare(Sample(40, 0, slow), Sample(400, 0, quick), alpha=level, slowdown=1.25).worse[0]
    tolerated = canary.compare(Sample(40, 0, quick[:40] * 1.2), Sample(400, 0, quick), alpha=level, slowdown=1.25)
    assert tolerated.worse == ()
