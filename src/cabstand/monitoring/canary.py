"""Whether a new version of a service does worse than the old one, by two tests whose false alarms are bounded.

- Failures: Fisher's exact test, one-sided. It holds for any number of requests.
- Durations: the Mann-Whitney test, one-sided, of the new durations against the old ones times a tolerated slowdown, so
  that no amount of traffic makes a slowdown below it count. Its normal approximation needs `MIN_DURATIONS` of each.

A comparison is repeated while traffic comes in, so each test has an equal share of the whole level (Bonferroni): the
probability that a version which is not worse is ever refused is at most `alpha`, however the looks depend on another.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

MIN_DURATIONS = 20
POWER = 0.9
N_TESTS = 2  # of one look


@dataclass(frozen=True)
class Sample:
    """Requests that one version answered: how many, how many failed, and the durations of those that were warm."""

    n: int = 0
    n_failed: int = 0
    durations_ms: Sequence[float] = ()


@dataclass(frozen=True)
class Comparison:
    """What two samples say, as probabilities under the hypothesis that the new version is not worse.

    `detectable_error_rate` is the smallest true error rate of the new version, and `detectable_slower_share` the
    smallest probability that one of its requests is slower than one of the old version's times the slowdown, which
    these sample sizes find with a probability of 90 %; None if none is.
    """

    n_new: int
    n_old: int
    failed_new: int
    failed_old: int
    error_p: float
    slower_p: float
    detectable_error_rate: float | None
    detectable_slower_share: float | None
    worse: tuple[str, ...]


def compare(new: Sample, old: Sample, *, alpha: float, slowdown: float) -> Comparison:
    """Compare two versions, each test at the level `alpha`; `slowdown` is a factor, 1.25 tolerates a quarter more."""
    error_p = failures_p(new, old)
    slower_p = durations_p(new.durations_ms, old.durations_ms, slowdown)
    worse = []
    if error_p <= alpha:
        worse.append(f"{new.n_failed} of {new.n} requests failed, before {old.n_failed} of {old.n} (p = {error_p:.2g})")
    if slower_p <= alpha:
        medians = f"{np.median(new.durations_ms):.0f} ms, before {np.median(old.durations_ms):.0f} ms"
        worse.append(f"median duration {medians} (p = {slower_p:.2g})")
    return Comparison(
        new.n, old.n, new.n_failed, old.n_failed, error_p, slower_p,
        detectable_error_rate(new.n, old, alpha),
        detectable_slower_share(len(new.durations_ms), len(old.durations_ms), alpha),
        tuple(worse),
    )  # fmt: skip


def level(alpha: float, n_looks: int) -> float:
    """Return the level of each test, so that all tests of all looks together have the level `alpha`."""
    return alpha / (N_TESTS * n_looks)


def failures_p(new: Sample, old: Sample) -> float:
    """Return the p-value of Fisher's exact test: at least as many of all failures fell to the new version.

    Fisher, R. A. (1935), The Logic of Inductive Inference, JRSS 98.
    """
    if not (new.n and old.n):
        return 1.0
    return float(stats.hypergeom.sf(new.n_failed - 1, new.n + old.n, new.n_failed + old.n_failed, new.n))


def durations_p(new: Sequence[float], old: Sequence[float], slowdown: float) -> float:
    """Return the p-value of the Mann-Whitney test that new durations exceed the old ones times `slowdown`.

    Mann, H. B. and Whitney, D. R. (1947), Annals of Mathematical Statistics 18.
    """
    if min(len(new), len(old)) < MIN_DURATIONS:
        return 1.0
    scaled = np.asarray(old) * slowdown
    return float(stats.mannwhitneyu(np.asarray(new), scaled, alternative="greater", method="asymptotic").pvalue)


def detectable_error_rate(n_new: int, old: Sample, alpha: float) -> float | None:
    """Return the smallest error rate that `failures_p` finds with the probability `POWER`.

    With `k` the fewest failures that are significant, it is the rate at which the binomial reaches `k` with that
    probability: a quantile of the beta distribution (Clopper and Pearson 1934, Biometrika 26).
    """
    if not (n_new and old.n):
        return None
    counts = np.arange(1, n_new + 1)
    tails = stats.hypergeom.sf(counts - 1, n_new + old.n, counts + old.n_failed, n_new)
    significant = counts[tails <= alpha]
    if not significant.size:
        return None
    k = int(significant[0])
    return float(stats.beta.ppf(POWER, k, n_new - k + 1))


def detectable_slower_share(n_new: int, n_old: int, alpha: float) -> float | None:
    """Return the smallest share of pairs in which the new request is slower that is found with the probability `POWER`.

    Noether, G. E. (1987), Sample Size Determination for Some Common Nonparametric Tests, JASA 82.
    """
    if min(n_new, n_old) < MIN_DURATIONS:
        return None
    n, share = n_new + n_old, n_new / (n_new + n_old)
    quantiles = stats.norm.isf(alpha) + stats.norm.ppf(POWER)
    found = 0.5 + float(quantiles) / math.sqrt(12 * share * (1 - share) * n)
    return found if found < 1 else None
