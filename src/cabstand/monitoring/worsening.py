"""Whether a model does worse than on its own holdout, beyond what both samples' uncertainty explains.

The interval of a difference is made from the intervals of its two parts by the method of variance estimates recovery:
G. Y. Zou and A. Donner, Construction of confidence limits about effect measures, Statistics in Medicine 27 (2008).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import hypot

from cabstand.monitoring.findings import Estimate, Quality


@dataclass(frozen=True)
class Limits:
    """How much worse than on its holdout a model may do.

    Attributes
    ----------
    error_rise : float
        Relative rise of the mean absolute error.
    bias : float
        Growth of the bias, regardless of its sign, as a share of the holdout's mean absolute error.
    coverage_loss : float
        Loss of interval coverage, in shares from 0 to 1.
    """

    error_rise: float = 0.1
    bias: float = 0.1
    coverage_loss: float = 0.01


@dataclass(frozen=True)
class Check:
    """One figure held against the holdout's: worse if its whole confidence interval lies beyond the limit."""

    name: str
    now: Estimate
    then: Estimate
    limit: float  # in the figure's own unit
    worse: bool

    def __str__(self) -> str:
        now = f"{self.now.value:.3g} ({self.now.low:.3g} to {self.now.high:.3g})"
        return f"{self.name} {now}, on the holdout {self.then.value:.3g}, limit {self.limit:.3g}"


def checks(quality: Quality, then: Quality, limits: Limits) -> tuple[Check, ...]:
    """Hold error, bias and, where there is an interval, coverage against the holdout's."""
    found = [error(quality.mae, then, limits), _bias(quality.bias, then, limits)]
    if quality.coverage is not None and then.coverage is not None:
        least = then.coverage.value - limits.coverage_loss
        lost = _low(then.coverage, quality.coverage) > limits.coverage_loss
        found.append(Check("coverage", quality.coverage, then.coverage, least, lost))
    return tuple(found)


def error(mae: Estimate, then: Quality, limits: Limits, name: str = "error") -> Check:
    """Hold a mean absolute error, measured or estimated, against the holdout's."""
    factor = 1.0 + limits.error_rise
    allowed = Estimate(factor * then.mae.value, factor * then.mae.low, factor * then.mae.high)
    return Check(name, mae, then.mae, allowed.value, _low(mae, allowed) > 0)


def _bias(bias: Estimate, then: Quality, limits: Limits) -> Check:
    allowed = limits.bias * then.mae.value
    grown = _low(_size(bias), _size(then.bias)) > allowed
    return Check("bias", bias, then.bias, abs(then.bias.value) + allowed, grown)


def _low(one: Estimate, other: Estimate) -> float:
    """Return the lower end of the confidence interval of `one - other`."""
    return one.value - other.value - hypot(one.value - one.low, other.high - other.value)


def _size(one: Estimate) -> Estimate:
    """Return the absolute value of an estimate, with its interval."""
    ends = abs(one.low), abs(one.high)
    return Estimate(abs(one.value), 0.0 if one.low <= 0 <= one.high else min(ends), max(ends))
