"""GetMetricData: statistics of metrics by period, and formulas over them."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import numpy as np

from cabstand.errors import ConfigError
from cabstand.local.metrics import formula

PERCENTILE = re.compile(r"p(\d{1,2}(?:\.\d{1,10})?|100)")


class Datum(NamedTuple):
    """Values of one metric at one time; `n_values` and `total` differ from 1 and the value for a set of statistics."""

    key: tuple[str, str, frozenset[tuple[str, str]]]  # namespace, name, dimensions
    time: datetime
    low: float
    high: float
    total: float
    n_values: float
    unit: str


def results(
    queries: Sequence[Mapping[str, Any]], data: Iterable[Datum], start: datetime, end: datetime
) -> dict[str, formula.Series]:
    """Return the series of each query by its id, with the time at which each period begins.

    Periods are counted from `start`; dimensions must be exactly those of the query.

    Raises
    ------
    ConfigError
        If a statistic or a formula is not understood.
    """
    by_key: dict[Any, list[Datum]] = defaultdict(list)
    for datum in data:
        if start <= datum.time < end:
            by_key[datum.key].append(datum)
    found: dict[str, formula.Series] = {}
    for query in queries:
        if "MetricStat" in query:
            found[query["Id"]] = _statistics(query["MetricStat"], by_key, start)
    measured, periods = dict(found), list(_periods(queries, start, end))
    for query in queries:
        if "MetricStat" not in query:
            found[query["Id"]] = formula.evaluate(query["Expression"], measured, periods)
    return found


def _periods(queries: Sequence[Mapping[str, Any]], start: datetime, end: datetime) -> Iterator[datetime]:
    """Yield the beginnings of the longest period that the queries have."""
    seconds = max((int(one["MetricStat"]["Period"]) for one in queries if "MetricStat" in one), default=0)
    while seconds and start < end:
        yield start
        start += timedelta(seconds=seconds)


def key(namespace: str, name: str, dimensions: Iterable[Mapping[str, str]]) -> Any:
    """Return what identifies a metric; the order of dimensions does not matter."""
    return namespace, name, frozenset((one["Name"], one["Value"]) for one in dimensions)


def _statistics(wanted: Mapping[str, Any], by_key: Mapping[Any, list[Datum]], start: datetime) -> formula.Series:
    metric, period = wanted["Metric"], timedelta(seconds=int(wanted["Period"]))
    periods: dict[datetime, list[Datum]] = defaultdict(list)
    for datum in by_key.get(key(metric["Namespace"], metric["MetricName"], metric.get("Dimensions") or []), []):
        if wanted.get("Unit") in {None, datum.unit}:
            periods[start + (datum.time - start) // period * period].append(datum)
    return {time: statistic(wanted["Stat"], periods[time]) for time in sorted(periods)}


def statistic(name: str, data: Sequence[Datum]) -> float:
    """Return a statistic of one period's data; a percentile is a value that was seen (the nearest rank).

    Raises
    ------
    ConfigError
        If the statistic is none of SampleCount, Sum, Average, Minimum, Maximum and p0 to p100.
    """
    count, total = sum(one.n_values for one in data), sum(one.total for one in data)
    match name:
        case "SampleCount":
            return count
        case "Sum":
            return total
        case "Average":
            return total / count
        case "Minimum":
            return min(one.low for one in data)
        case "Maximum":
            return max(one.high for one in data)
    if not (found := PERCENTILE.fullmatch(name)):
        raise ConfigError("is not supported", where=f"statistic {name}", hint="Sum, Average, p95 and the like are")
    # CloudWatch has no percentiles of sets of statistics either, unless their minimum and maximum are equal.
    equal = [(one.low, one.n_values) for one in data if one.low == one.high]
    values, weights = zip(*(equal or [(float("nan"), 1.0)]), strict=True)
    return float(np.percentile(values, float(found[1]), method="inverted_cdf", weights=weights))
