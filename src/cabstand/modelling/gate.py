"""The gate: decide whether a challenger beats the champion on the same frozen rows.

The gain must be large enough, statistically significant, and not paid for by a segment. Both models' losses of a row
stay together. Rows of one hour share weather and traffic, so whole hours are drawn where rows have a time: drawing
single rows would overstate the significance.

A gain is significant if two tests agree, since each has a weakness. The studentised bootstrap (Efron and Tibshirani
1993, section 12.5) allows for skewed differences, but overrates a handful of rows that differ. The sign-flipping test
(Fisher 1935, section 21) is exact for those, but assumes symmetric differences.

Repeated attempts share one budget of false passes by alpha-spending (Tian and Ramdas 2021, "Online control of the
familywise error rate", Statistical Methods in Medical Research 30(4)): attempt k may use 1 / (k (k + 1)) of it. These
shares sum to 1, so by the union bound the probability that any worse model ever passes stays within the budget.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from cabstand.modelling.measures import FloatArray, by_segment

MAX_GROUPS = 1_000  # more gain little: the test is as good as with infinitely many
MIN_HOURS = 30
TAIL_DRAWS = 10  # draws beyond the bound, so that it is no single extreme
MAX_DRAWS = 1_000_000
BATCH = 500


@dataclass(frozen=True)
class GateLimits:
    """What a challenger must achieve."""

    min_gain: float = 0.005  # relative: (champion's loss - challenger's) / champion's
    confidence: float = 0.95  # that no worse challenger passes in any number of attempts; one-sided
    max_segment_loss: float = 0.1  # relative, in any segment of at least `min_segment_rows`
    min_segment_rows: int = 200
    resamples: int = 2_000  # draws of each test, at least


@dataclass(frozen=True)
class Verdict:
    """What the gate found."""

    passed: bool
    reason: str  # one sentence with the deciding numbers
    champion_loss: float  # mean of the rows
    challenger_loss: float
    gain: float  # relative
    gain_low: float  # its lower confidence bound, at `confidence`
    worst_segment: dict[str, Any] | None  # where the challenger loses most: `segment`, `value`, `n`, relative `loss`
    n: int  # rows
    attempt: int = 1  # number of this attempt against the same champion on the same data
    confidence: float = 0.95  # of this attempt


def confidence_of(attempt: int, limits: GateLimits) -> float:
    """Return the confidence that attempt 1, 2, ... must reach, by alpha-spending."""
    return 1 - (1 - limits.confidence) / (attempt * (attempt + 1))


def judge(
    champion: FloatArray,
    challenger: FloatArray,
    limits: GateLimits,
    *,
    segments: Mapping[str, npt.NDArray[np.str_]] | None = None,
    time: npt.NDArray[np.datetime64] | None = None,
    attempt: int = 1,
    seed: int = 0,
) -> Verdict:
    """Return the verdict on two models' losses of the same rows, float64 (n,) each.

    `attempt` counts the versions judged against this champion on this data, this one included.
    """
    before, after = float(champion.mean()), float(challenger.mean())
    gain = (before - after) / before if before > 0 else 0.0
    confidence = confidence_of(attempt, limits)
    enough = gain >= limits.min_gain and gain > 0
    needed = min(math.ceil(TAIL_DRAWS / (1 - confidence)), MAX_DRAWS) if enough else 0
    groups = _groups(len(champion), time, seed)
    gain_low = _lower_bound(champion, challenger, groups, confidence, max(limits.resamples, needed), seed)
    worst = _worst_segment(champion, challenger, segments or {}, limits)
    measured = f"{gain:+.2%} on {len(champion):,} rows (mean loss {before:.4f} to {after:.4f})"
    bound = f"lower bound {gain_low:+.2%} at {_percent(confidence)} confidence"
    if attempt > 1:
        bound += f", attempt {attempt} against this champion on this data"
    if not enough:
        fault = f"is below the least one, {limits.min_gain:.2%} (CABSTAND_GATE_MIN_GAIN)"
    elif gain_low <= 0:
        fault = f"may be chance: {bound}"
    else:
        fault = _segment_fault(worst, limits)
    reason = f"gain of {measured} {fault}" if fault else f"gain of {measured}, {bound}"
    return Verdict(not fault, reason, before, after, gain, gain_low, worst, len(champion), attempt, confidence)


def _segment_fault(worst: Mapping[str, Any] | None, limits: GateLimits) -> str:
    if worst is None or worst["loss"] <= limits.max_segment_loss:
        return ""
    where = f"{worst['segment']} {worst['value']} ({worst['n']:,} rows)"
    allowed = f"{limits.max_segment_loss:.0%} is allowed (CABSTAND_GATE_MAX_SEGMENT_LOSS)"
    return f"comes with {worst['loss']:+.1%} loss in {where}; {allowed}"


def _percent(confidence: float) -> str:
    """Return a confidence near 1 with the digits that tell it from 1."""
    return f"{100 * confidence:.{max(1, math.ceil(-math.log10(1 - confidence)) - 1)}f}".rstrip("0").rstrip(".") + "%"


def _groups(n: int, time: npt.NDArray[np.datetime64] | None, seed: int) -> npt.NDArray[np.int64]:
    """Return the group of each row: its hour, or chance; neighbouring hours go together where there are many."""
    if time is not None and len(hours := np.unique(time.astype("M8[h]"))) >= MIN_HOURS:
        hour = np.searchsorted(hours, time.astype("M8[h]")).astype(np.int64)
        return hour * min(len(hours), MAX_GROUPS) // len(hours)
    if n <= MAX_GROUPS:
        return np.arange(n)
    return np.random.default_rng(seed).permutation(n) % MAX_GROUPS


def _lower_bound(
    champion: FloatArray,
    challenger: FloatArray,
    groups: npt.NDArray[np.int64],
    confidence: float,
    n_draws: int,
    seed: int,
) -> float:
    """Return the lower confidence bound of the relative gain: the lower one of both tests' bounds."""
    before = np.bincount(groups, weights=champion)
    gained = np.asarray(before - np.bincount(groups, weights=challenger), np.float64)
    if before.mean() <= 0:
        return 0.0
    # The rank that makes a Monte-Carlo test exact (Davison and Hinkley 1997, section 4.2).
    rank, low = math.ceil(confidence * (n_draws + 1)) - 1, float(gained.min())
    if rank < n_draws:  # else there are too few draws to exclude chance
        both = np.concatenate(list(_draws(gained, n_draws, np.random.default_rng(seed))), axis=1)
        studentised, flipped = (max(0.0, float(np.partition(one, rank)[rank])) for one in both)
        margin = max(flipped, studentised * _error(gained) if _error(gained) else 0.0)
        # A mean of drawn groups is never below the least of them.
        low = max(float(gained.mean()) - margin, low)
    return low / float(before.mean())


def _draws(gained: FloatArray, n_draws: int, rng: np.random.Generator) -> Iterator[FloatArray]:
    """Yield, for batches of draws, the means in units of their errors, resampled, and the means with random signs."""
    n = len(gained)
    for start in range(0, n_draws, BATCH):
        shape = (min(BATCH, n_draws - start), n)
        drawn = gained[rng.integers(n, size=shape, dtype=np.uint16)]
        with np.errstate(divide="ignore", invalid="ignore"):
            studentised = (drawn.mean(axis=1) - gained.mean()) / _error(drawn)
        flipped = (2.0 * rng.integers(2, size=shape, dtype=np.uint8) - 1.0) @ gained / n
        yield np.stack([np.nan_to_num(studentised, nan=0.0, posinf=np.inf, neginf=-np.inf), flipped])


def _error(values: FloatArray) -> Any:
    """Return the standard error of the mean along the last axis."""
    return values.std(axis=-1, ddof=1) / math.sqrt(values.shape[-1])


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
