"""Checks of the parameters of a clustering; a wrong type or range is a ConfigError that names the parameter."""

from __future__ import annotations

import math
from numbers import Integral, Real
from typing import Any

from cabstand.clustering import metrics
from cabstand.errors import ConfigError

SMALLEST_EPS_M = 1e-6  # float64 degrees resolve about 1e-9 m


def check(eps_m: Any, metric: Any) -> None:
    """Check the distance and the metric."""
    metrics.check(metric)
    if not (_is_a(eps_m, Real) and _is_finite(eps_m) and eps_m >= SMALLEST_EPS_M):
        raise ConfigError(f"eps must be a distance in metres above 0, not {eps_m!r}", where="eps_m")


def check_count(name: str, value: Any) -> None:
    """Check a number of points or threads."""
    if not (_is_a(value, Integral) and value >= 1):
        raise ConfigError(f"{name} must be a whole number of 1 or more, not {value!r}", where=name)


def check_n_jobs(value: Any) -> None:
    """Check a number of threads as joblib counts them: negative ones count back from all processors."""
    if value is not None and not (_is_a(value, Integral) and value != 0):
        raise ConfigError(f"n_jobs must be None or a whole number other than 0, not {value!r}", where="n_jobs")


def _is_a(value: Any, kind: type) -> bool:
    return isinstance(value, kind) and not isinstance(value, bool)


def _is_finite(value: Any) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:  # a whole number that no float can hold
        return False
