"""The gate: decide whether a challenger beats the champion on the same frozen rows.

The gain must be large enough, statistically significant, and not paid for by a segment. It is bootstrapped in pairs
(both models' losses of a row stay together; Efron and Tibshirani 1993, chapter 8). Rows of one hour share weather and
traffic, so whole hours are drawn where rows have a time: drawing single rows would overstate the significance.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from cabstand.modelling.measures import FloatArray, by_segment

MAX_GROUPS = 5_000


@dataclass(frozen=True)
class GateLimits:
    """What a challenger must achieve."""

    min_gain: float = 0.005  # relative: (champion's loss - challenger's) / champion's
    confidence: float = 0.95  # that the gain is above zero, one-sided
    max_segment_loss: float = 0.1  # relative, in any segment of at least `min_segment_rows`
    min_segment_rows: int = 200
    resamples: int = 2_000  # bootstrap samples


@dataclass(frozen=True)
class Verdict:
    """What the gate found."""

    passed: bool
    reason: str  # one sentence with the deciding numbers
    champion_loss: float  # mean of the rows
    challenger_loss: float
    gain: float  # relative
    gain_low: float  # its lower confidence bound
    worst_segment: dict[str, Any] | None  # where the challenger loses most: `segment`, `value`, `n`, relative `loss`
    n: int  # rows


def judge(
    champion: FloatArray,
    challenger: FloatArray,
    limits: GateLimits,
    *,
    segments: Mapping[str, npt.NDArray[np.str_]] | None = None,
    time: npt.NDArray[np.datetime64] | None = None,
    seed: int = 0,
) -> Verdict:
    """Return the verdict on two models' losses of the same rows, float64 (n,) each."""
    before, after = float(champion.mean()), float(challenger.mean())
    gain = (before - after) / before if before > 0 else 0.0
    gain_low = _lower_bound(champion, challenger, limits, _groups(len(champion), time, seed), seed)
    worst = _worst_segment(champion, challenger, segments or {}, limits)
    measured = f"{gain:+.2%} on {len(champion):,} rows (mean loss {before:.4f} to {after:.4f})"
    if gain < limits.min_gain or gain <= 0:
        passed, reason = (
            False,
            f"gain of {measured} is below the least one, {limits.min_gain:.2%} (CABSTAND_GATE_MIN_GAIN)",
        )
    elif gain_low <= 0:
        passed, reason = False, f"gain of {measured} may be chance: its lower bound is {gain_low:+.2%}"
    elif worst and worst["loss"] > limits.max_segment_loss:
        where = f"{worst['segment']} {worst['value']} ({worst['n']:,} rows)"
        passed = False
        allowed = f"{limits.max_segment_loss:.0%} is allowed (CABSTAND_GATE_MAX_SEGMENT_LOSS)"
        reason = f"gain of {measured}, but {worst['loss']:+.1%} loss in {where}; {allowed}"
    else:
        passed, reason = True, f"gain of {measured}, lower bound {gain_low:+.2%}"
    return Verdict(passed, reason, before, after, gain, gain_low, worst, len(champion))


def _groups(n: int, time: npt.NDArray[np.datetime64] | None, seed: int) -> npt.NDArray[np.int64]:
    if time is not None and len(hours := np.unique(time.astype("M8[h]"))) >= 30:
        return np.searchsorted(hours, time.astype("M8[h]")).astype(np.int64)
    if n <= MAX_GROUPS:
        return np.arange(n)
    return np.random.default_rng(seed).integers(MAX_GROUPS, size=n)


def _lower_bound(
    champion: FloatArray, challenger: FloatArray, limits: GateLimits, groups: npt.NDArray[np.int64], seed: int
) -> float:
    """Return the lower bound of the relative gain: a percentile bootstrap over groups of rows."""
    before = np.bincount(groups, weights=champion)
    after = np.bincount(groups, weights=challenger)
    rng, gains = np.random.default_rng(seed), np.zeros(limits.resamples)
    for number in range(limits.resamples):
        drawn = np.bincount(rng.integers(len(before), size=len(before)), minlength=len(before))
        total = float(drawn @ before)
        gains[number] = (total - float(drawn @ after)) / total if total > 0 else 0.0
    return float(np.quantile(gains, 1 - limits.confidence))


def _worst_segment(
    champion: FloatArray, challenger: FloatArray, segments: Mapping[str, npt.NDArray[np.str_]], limits: GateLimits
) -> dict[str, Any] | None:
    """Return the segment with the largest relative loss, among those with enough rows."""
    both = zip(by_segment(champion, segments), by_segment(challenger, segments), strict=True)
    rows = [
        after | {"loss": after["loss"] / before["loss"] - 1}
        for before, after in both
        if before["n"] >= limits.min_segment_rows and before["loss"] > 0
    ]
    return max(rows, key=lambda row: row["loss"], default=None)
