"""Profiles do not depend on the order of rows or the size of batches, and merged parts equal the whole."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cabstand.monitoring import profiles
from cabstand.monitoring.numeric import LARGEST, Numbers
from cabstand.monitoring.profiles import Categories

ANY = st.lists(st.one_of(st.none(), st.floats(width=64)), max_size=60)
# Numbers of four signs and exponents, so that eight distinct values are never too few.
SMALL = 8
ALIKE = st.lists(st.one_of(st.none(), st.just(float("inf")), st.floats(1, 3.9), st.floats(-3.9, -1)), max_size=60)


def numbers_of(values: list[float | None], cuts: list[int] | None = None, most: int = 1 << 18) -> Numbers:
    found = Numbers(most)
    for first, last in zip([0, *(cuts or [])], [*(cuts or []), len(values)], strict=True):
        found.add(pa.array(values[first:last], pa.float64()))
        assert len(found.values) <= most
    return found


def content(one: Numbers) -> tuple[object, ...]:
    counted = (one.values.tolist(), one.counts.tolist(), one.bits)
    return (*counted, one.n_rows, one.n_missing, one.n_infinite, one.whole)


@given(ANY)
def test_small_columns_are_exact(values: list[float | None]) -> None:
    finite = [one for one in values if one is not None and abs(one) <= LARGEST]
    found, counted = numbers_of(values), Counter(finite)
    assert dict(zip(found.values.tolist(), found.counts.tolist(), strict=True)) == counted
    assert found.values.tolist() == sorted(counted)
    assert (found.n_rows, found.n_missing) == (len(values), len(values) - len(finite))
    assert found.n_infinite == sum(one is not None and abs(one) > LARGEST for one in values)
    assert found.resolution == 0


@given(ALIKE, st.data(), st.sampled_from([SMALL, 1 << 18]))
def test_neither_order_nor_batches_matter(values: list[float | None], data: st.DataObject, most: int) -> None:
    whole = content(numbers_of(values, most=most))
    shuffled = data.draw(st.permutations(values))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(values)), max_size=4)))
    assert content(numbers_of(shuffled, cuts, most)) == whole
    part, rest = (
        numbers_of(shuffled[: cuts[0]] if cuts else [], most=most),
        numbers_of(shuffled[cuts[0] :] if cuts else shuffled, most=most),
    )
    part.merge(rest)
    assert content(part) == whole


def test_a_coarse_profile_is_within_its_resolution() -> None:
    values = np.sort(np.random.default_rng(0).lognormal(0, 2, 30_000)) * np.where(np.arange(30_000) % 2, 1, -1)
    found = Numbers(1_000)
    for part in np.array_split(values, 7):
        found.add(pa.array(part))
    assert 0 < found.resolution < 0.1
    assert len(found.values) <= 1_000
    near = np.repeat(found.values, found.counts)
    assert np.all(np.abs(near - np.sort(values)) <= found.resolution * np.abs(np.sort(values)))


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=50), st.floats(0, 1))
def test_quantiles_are_numpys(values: list[float], share: float) -> None:
    assert numbers_of(values).quantiles(share) == np.quantile(values, share, method="inverted_cdf")


@pytest.mark.parametrize(
    "column",
    [
        pa.array([1, None, 3], pa.int16()),
        pa.array([Decimal("1.00"), None, Decimal("3.00")]),
        pa.array([1.0, None, 3.0], pa.float32()),
        pa.chunked_array([[1], [None, 3]]).combine_chunks(),
    ],
)
def test_each_type_of_number_is_read(column: pa.Array) -> None:
    found = Numbers()
    found.add(column)
    assert (found.values.tolist(), found.n_missing) == ([1.0, 3.0], 1)


def test_categories_of_each_type_are_text() -> None:
    found = Categories()
    for column in (
        pa.array(["a", None, "a"]),
        pa.array(["a", "b"]).dictionary_encode(),
        pa.array([True, False]),
        pa.array([7, 7]),
        pa.array([7.0, float("nan"), float("inf"), 0.5]),
        pa.nulls(2),
    ):
        found.add(column)
    assert found.counts == {"a": 3, "b": 1, "true": 1, "false": 1, "7": 3, "0.5": 1}
    assert (found.n_rows, found.n_missing, found.n_infinite) == (15, 5, 1)


@given(st.lists(st.sampled_from("abcdefgh"), max_size=30), st.integers(0, 30))
def test_merged_categories_equal_the_whole(values: list[str], cut: int) -> None:
    whole, first, rest = (Categories(max_categories=5) for _ in range(3))
    whole.add(pa.array(values, pa.string()))
    first.add(pa.array(values[:cut], pa.string()))
    rest.add(pa.array(values[cut:], pa.string()))
    first.merge(rest)
    assert first == whole
    assert whole.too_many == (len(set(values)) > 5)


def test_a_batch_may_lack_a_column_or_have_another_type() -> None:
    parts = [pa.record_batch({"x": [1.0, 2.0]}), pa.record_batch({"y": [1]}), pa.record_batch({"x": ["text"]})]
    stream = profiles.Batches(parts[0].schema, lambda: parts)
    (found,) = profiles.profile(stream, {"x": "number"}).values()
    assert (found.n_rows, found.n_missing) == (4, 2)
