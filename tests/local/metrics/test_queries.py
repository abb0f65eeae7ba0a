"""Statistics, percentiles, formulas and embedded metrics."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cabstand.errors import ConfigError
from cabstand.local.metrics import embedded, formula
from cabstand.local.metrics.queries import Datum, key, results, statistic

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def datum(value: float, time: datetime = NOON, *, name: str = "Wall", **dimensions: str) -> Datum:
    given_key = key("Jobs", name, [{"Name": one, "Value": two} for one, two in dimensions.items()])
    return Datum(given_key, time, value, value, value, 1.0, "None")


def query(stat: str, name: str = "Wall", one: str = "q", **dimensions: str) -> dict[str, Any]:
    metric = {"Namespace": "Jobs", "MetricName": name}
    metric["Dimensions"] = [{"Name": key, "Value": value} for key, value in dimensions.items()]  # type: ignore[assignment]
    return {"Id": one, "MetricStat": {"Metric": metric, "Period": 60, "Stat": stat}}


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=50), st.sampled_from([0, 1, 50, 90, 95, 99.9, 100]))
def test_a_percentile_is_the_nearest_rank(values: list[float], percent: float) -> None:
    at_least = percent / 100 * len(values) - 1e-9
    expected = next(value for rank, value in enumerate(sorted(values), 1) if rank >= at_least)
    assert statistic(f"p{percent:g}", [datum(value) for value in values]) == expected


@given(
    st.dictionaries(st.integers(0, 300), st.integers(1, 50), min_size=1, max_size=20), st.sampled_from([1, 50, 90, 99])
)
def test_sets_of_equal_values_have_the_same_percentiles(counts: dict[int, int], percent: int) -> None:
    sets = [
        Datum(key("Jobs", "Wall", []), NOON, float(value), float(value), float(value) * n, float(n), "None")
        for value, n in counts.items()
    ]
    each = [datum(float(value)) for value, n in counts.items() for _ in range(n)]
    assert statistic(f"p{percent}", sets) == statistic(f"p{percent}", each)


@given(st.lists(st.integers(-100, 100), min_size=1))
def test_statistics(values: list[int]) -> None:
    data = [datum(float(value)) for value in values]
    seen = [statistic(name, data) for name in ("SampleCount", "Sum", "Minimum", "Maximum", "Average")]
    assert seen == pytest.approx([len(values), sum(values), min(values), max(values), sum(values) / len(values)])


@pytest.mark.parametrize("name", ["p101", "tm90", "Median", "p"])
def test_a_statistic_that_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match="statistic"):
        statistic(name, [datum(1)])


def test_dimensions_are_exact() -> None:
    data = [datum(1), datum(2, Job="train"), datum(4, Job="train", Env="dev")]
    for dimensions, expected in [({}, 1), ({"Job": "train"}, 2), ({"Env": "dev", "Job": "train"}, 4)]:
        found = results([query("Sum", **dimensions)], data, NOON, NOON + MINUTE)
        assert found["q"] == {NOON: expected}


def test_periods_begin_at_the_start() -> None:
    data = [datum(1, NOON + MINUTE * n) for n in range(4)]
    found = results([query("Sum")], data, NOON + MINUTE, NOON + MINUTE * 3)
    assert found["q"] == {NOON + MINUTE: 1, NOON + 2 * MINUTE: 1}


def test_fill_fills_the_whole_span_unless_nothing_is_known() -> None:
    span = [query("Sum"), {"Id": "filled", "Expression": "FILL(q, 0)"}], NOON, NOON + MINUTE * 3
    found = results(span[0], [datum(1, NOON + MINUTE)], *span[1:])
    assert found["filled"] == series(0, 1, 0)
    assert results(span[0], [], *span[1:])["filled"] == {}


def series(*values: float | None) -> dict[datetime, float]:
    return {NOON + MINUTE * n: value for n, value in enumerate(values) if value is not None}


FORMULAS = [
    ("100 * a / b", (25, None, 50)),  # b is 0 in the second period
    ("a + b", (5, 2, 6)),
    ("-a", (-1, -2, -2)),
    ("MAX(METRICS())", (4, 2, 4)),
    ("SUM(METRICS())", (5, 2, 6)),
    ("MAX(b)", (4, 4, 4)),
    ("a / MAX(a)", (0.5, 1, 1)),
    ("FILL(c, 7)", (7, 3, 7)),
    ("FILL(c, 0) + FILL(c, 1)", (1, 6, 1)),
    ("IF(a > 1, a, 0)", (0, 2, 2)),
    ("a > 1", (0, 1, 1)),
    ("5", (5, 5, 5)),
]


@pytest.mark.parametrize(("text", "expected"), FORMULAS)
def test_formulas(text: str, expected: tuple[float | None, ...]) -> None:
    given_series = {"a": series(1, 2, 2), "b": series(4, 0, 4)}
    if "c" in text.lower().replace("metrics", ""):
        given_series["c"] = series(None, 3)
    assert formula.evaluate(text, given_series) == series(*expected)


@pytest.mark.parametrize("text", ["a +", "unknown", "ANOMALY_DETECTION_BAND(a)", "a.b", "__import__('os')", "a or b"])
def test_a_formula_that_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="formula"):
        formula.evaluate(text, {"a": series(1)})


def test_embedded_metrics() -> None:
    about = {
        "Timestamp": 0,
        "CloudWatchMetrics": [
            {
                "Namespace": "Service",
                "Dimensions": [["Problem"], []],
                "Metrics": [{"Name": "Seconds", "Unit": "Seconds"}],
            }
        ],
    }
    found = list(embedded.datums(json.dumps({"_aws": about, "Problem": "rides", "Seconds": [1, 2.5]})))
    assert [(namespace, one["Values"]) for namespace, one in found] == [("Service", [1, 2.5])] * 2
    assert [one["Dimensions"] for _, one in found] == [[{"Name": "Problem", "Value": "rides"}], []]
    assert list(embedded.datums(json.dumps({"_aws": about, "Seconds": "fast"}))) == []
    assert list(embedded.datums("no JSON")) == []
