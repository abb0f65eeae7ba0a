"""Whole comparisons: what drifts and what does not, what is named, and that no column can fail one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cabstand.monitoring.drift import Thresholds, compare
from cabstand.monitoring.findings import ColumnDrift, Drift
from cabstand.monitoring.profiles import Batches, of_table

N = 5_000
RNG = np.random.default_rng(5)
USUAL = Thresholds()


def drift(before: dict[str, Any], now: dict[str, Any], thresholds: Thresholds = USUAL) -> Drift:
    return compare(of_table(pa.table(before)), of_table(pa.table(now)), thresholds)


def column(before: Any, now: Any, thresholds: Thresholds = USUAL) -> ColumnDrift:
    found = drift({"x": before}, {"x": now}, thresholds)
    return (found.columns + found.not_compared)[0]


ANY_COLUMN = st.one_of(
    st.lists(st.one_of(st.none(), st.floats()), max_size=12).map(lambda one: pa.array(one, pa.float64())),
    st.lists(st.one_of(st.none(), st.integers(-(2**62), 2**62)), max_size=12).map(
        lambda one: pa.array(one, pa.int64())
    ),
    st.lists(st.one_of(st.none(), st.sampled_from("abc")), max_size=12).map(lambda one: pa.array(one, pa.string())),
    st.lists(st.one_of(st.none(), st.booleans()), max_size=12).map(lambda one: pa.array(one, pa.bool_())),
    st.integers(0, 12).map(pa.nulls),
    st.lists(st.floats(), max_size=3).map(lambda one: pa.array([one])),
)


@given(ANY_COLUMN, ANY_COLUMN, st.sampled_from(["psi", "wasserstein", "jensen-shannon"]))
def test_no_column_fails_the_comparison(before: pa.Array, now: pa.Array, method: Any) -> None:
    found = drift({"x": before}, {"x": now}, Thresholds(methods={"x": method}))
    for one in found.columns + found.not_compared:
        assert one.distance is None or 0 <= one.distance < np.inf
        assert one.distance is not None or one.note


@given(st.lists(st.one_of(st.none(), st.floats(-1e6, 1e6)), max_size=40), st.data())
def test_order_and_batches_do_not_matter(values: list[float | None], data: st.DataObject) -> None:
    before, now = (pa.table({"x": pa.array(data.draw(st.permutations(values)), pa.float64())}) for _ in range(2))
    other = pa.table({"x": pa.array([1.0, 2.0, 4.0, 8.0, 16.0, 32.0, None])})
    size = data.draw(st.integers(1, 41))
    found = [compare(of_table(one, size), of_table(other), USUAL) for one in (before, now)]
    assert found[0] == found[1] == compare(of_table(before), of_table(other, 1), USUAL)
    same = compare(of_table(before, size), of_table(now), USUAL)
    assert all(one.distance == 0 and not one.drifted for one in same.columns)


def test_streams_are_read_once_each() -> None:
    reads: list[str] = []
    table = pa.table({"x": [1.0], "y": ["a"]})
    streams = [
        Batches(table.schema, lambda side=side: reads.append(side) or table.to_batches())  # type: ignore[misc]
        for side in ("reference", "current")
    ]
    compare(*streams, USUAL)
    assert sorted(reads) == ["current", "reference"]


def test_the_decision_flips_exactly_at_the_share() -> None:
    same, moved = RNG.normal(0, 1, (4, N)), RNG.normal(2, 1, (4, N))
    before = {f"c{k}": same[k] for k in range(4)}
    for n_moved in range(5):
        now = {f"c{k}": (moved if k < n_moved else same)[k] for k in range(4)}
        found = drift(before, now)
        assert (found.share, found.drifted) == (n_moved / 4, n_moved >= 2)
    half = drift(before, before | {"c0": moved[0], "c1": moved[1]})
    assert replace(half, share_threshold=float(np.nextafter(0.5, 1))).drifted is False
    assert replace(half, share_threshold=0.5).drifted is True


def test_reaching_the_threshold_of_a_distance_is_drift() -> None:
    before, now = RNG.normal(0, 1, N), RNG.normal(0.3, 1, N)
    distance = column(before, now).distance
    assert distance is not None
    assert column(before, now, Thresholds(wasserstein=distance)).drifted
    assert not column(before, now, Thresholds(wasserstein=float(np.nextafter(distance, 1)))).drifted


@pytest.mark.parametrize(("method", "least"), [("psi", 0.5), ("wasserstein", 0.9), ("jensen-shannon", 0.3)])
def test_each_method_sees_a_shift_and_no_drift_without_one(method: Any, least: float) -> None:
    thresholds = Thresholds(methods={"x": method})
    before, same, moved = RNG.normal(0, 1, N), RNG.normal(0, 1, N), RNG.normal(1, 1, N)
    shifted = column(before, moved, thresholds)
    assert shifted.method == method
    assert shifted.drifted
    assert shifted.distance > least
    assert not column(before, same, thresholds).drifted


def test_a_missing_column_is_drift_and_is_named() -> None:
    found = drift({"x": [1.0] * 9, "y": ["a"] * 9}, {"x": [1.0] * 9})
    assert [(one.column, one.drifted, one.note) for one in found.columns] == [
        ("x", False, ""), ("y", True, "missing column"),
    ]  # fmt: skip
    assert (found.share, found.drifted) == (0.5, True)


def test_missing_values_are_drift_from_the_threshold_on() -> None:
    values = RNG.normal(0, 1, N)
    for share, drifted in ((0.04, False), (0.06, True)):
        gaps = np.where(np.arange(N) < share * N, np.nan, values)
        found = column(values, gaps)
        assert (found.drifted, found.missing_current) == (drifted, share)
        assert ("missing values 0.0% -> 6.0%" in found.note) == drifted
    assert not column([1.0] * 20, [*[1.0] * 18, None, None]).drifted  # chance


def test_infinite_values_are_taken_out_and_counted() -> None:
    values = RNG.normal(0, 1, N)
    found = column(values, [np.inf, -np.inf, *values[2:]])
    assert found.distance == pytest.approx(0, abs=0.01)
    assert (found.missing_current, found.note) == (2 / N, "2 infinite values in the current data")


@pytest.mark.parametrize(
    ("before", "now", "drifted", "note"),
    [
        (pa.nulls(9), pa.nulls(9), False, "the reference has no values; the current data has no values"),
        (pa.nulls(99), pa.array([1.0] * 99), True, "the reference has no values; missing values 100.0% -> 0.0%"),
        (pa.array([1.0] * 99), pa.nulls(99), True, "the current data has no values; missing values 0.0% -> 100.0%"),
        (pa.array([1.0] * 99), pa.array([], pa.float64()), False, "the current data has no rows"),
        (pa.array([], pa.string()), pa.array(["a"]), False, "the reference has no rows"),
        (pa.array([1.0] * 99), pa.array(["a"] * 99), True, "the current data has no values; missing values 0.0%"),
        (pa.array([np.inf] * 9), pa.array([np.inf] * 9), False, "9 infinite values in the reference"),
    ],
)  # fmt: skip
def test_nothing_to_compare_is_said(before: pa.Array, now: pa.Array, drifted: bool, note: str) -> None:
    found = column(before, now)
    assert (found.distance, found.drifted) == (None, drifted)
    assert note in found.note


def test_columns_without_values_do_not_count() -> None:
    same, moved = RNG.normal(0, 1, N), RNG.normal(2, 1, N)
    found = drift({"x": same, "empty": pa.nulls(N)}, {"x": moved, "empty": pa.nulls(N)})
    assert (found.share, [one.column for one in found.not_compared]) == (1.0, ["empty"])


def test_constant_columns_compare_as_categories() -> None:
    constant = np.full(N, 7.0)
    assert column(constant, constant).distance == 0
    assert column(constant, np.append(constant[1:], 1e12)).drifted is False
    moved = column(constant, constant + 1)
    assert (moved.method, moved.drifted, moved.note) == ("jensen-shannon", True, "new category 8; category 7 vanished")
    assert column(constant, RNG.normal(7, 1, N)).drifted


def test_single_rows_give_a_distance() -> None:
    found = column([1.0], [2.0])
    assert (found.method, found.distance) == ("jensen-shannon", pytest.approx(np.sqrt(np.log(2))))


def test_new_and_vanished_categories_are_named() -> None:
    zones, shares = [str(one) for one in range(200)], RNG.dirichlet(np.full(200, 0.5))
    before = RNG.choice(zones, N, p=shares)
    twin = column(before, RNG.choice(zones, N, p=shares))
    assert not twin.drifted
    assert twin.new  # rare ones come and go by chance
    common = zones[int(np.argsort(shares)[-20])]
    found = column(before, np.where(before == common, zones[int(np.argmax(shares))], before))
    assert (found.drifted, found.vanished[0]) == (True, common)
    assert found.note == f"category {common} vanished"
    found = column(before, [*["new"] * 50, *before[50:]])
    assert (found.drifted, found.new, found.note) == (True, ("new",), "new category new")


def test_identifiers_are_not_compared() -> None:
    found = column([f"trip {k}" for k in range(60_000)], ["trip 1"])
    assert (found.distance, found.drifted, found.note) == (None, False, "over 50,000 categories, not compared")
