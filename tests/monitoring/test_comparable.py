from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cabstand.monitoring.comparable import Sifted, sift
from cabstand.monitoring.sample import Samples

NAN, INF = float("nan"), float("inf")
REFERENCE, CURRENT = " in the reference", " in the current rows"


def sifted(reference: Any, current: Any, categorical: tuple[str, ...] = ()) -> Sifted:
    """Sift one column, `x`; None stands for a table without it."""
    tables = [pa.table({} if values is None else {"x": values}) for values in (reference, current)]
    return sift(Samples(*tables, categorical=frozenset(categorical)))


@pytest.mark.parametrize(
    ("reference", "current", "reason"),
    [
        (None, [1.0, 2.0], "missing" + REFERENCE),
        ([1.0, 2.0], None, "missing" + CURRENT),
        ([None, None], [1.0, 2.0], "no value" + REFERENCE),
        (pa.array([None, None], pa.float64()), [1.0, 2.0], "no value" + REFERENCE),
        ([1.0, 2.0], [NAN, None], "no value" + CURRENT),
        ([1.0, 2.0], [INF, -INF], "no finite value" + CURRENT),
        ([], ["a", "b"], "no value" + REFERENCE),
        (pa.array([], pa.string()), ["a", "b"], "no value" + REFERENCE),
        ([5.0, 5.0], [5.0, 5.0], "constant in the reference and in the current rows"),
        ([5.0, 5.0], [5.0, 6.0], "constant in the reference"),
        (["a", "a"], ["a", None], "constant in the reference and in the current rows"),
        ([1, 2], ["a", "b"], "a number in the reference, a category in the current rows"),
        ([datetime(2024, 1, 1)], [datetime(2024, 1, 2)], "of type timestamp[us]: neither a number nor a category"),
        ([[1], [2]], [[1], [2]], "of type list"),
    ],
)  # fmt: skip
def test_what_cannot_be_compared_is_named_with_the_reason(reference: Any, current: Any, reason: str) -> None:
    found = sifted(reference, current)
    assert found.columns == {}
    assert found.left_out["x"].startswith(reason)


@pytest.mark.parametrize(
    ("reference", "current"),
    [
        ([1.0, 2.0], [5.0, 5.0]),  # a value that is stuck is drift
        (["a", "a"], ["b", "b"]),
        ([True, False], [True, True]),
        ([Decimal("1.50"), Decimal("2.50")], [1.5, 3.5]),
        (pa.array(["a", "b"]).dictionary_encode(), ["a", "c"]),
    ],
)  # fmt: skip
def test_what_can_be_compared_is(reference: Any, current: Any) -> None:
    found = sifted(reference, current)
    assert found.left_out == {}
    assert set(found.columns) == {"x"}


def test_infinite_values_are_taken_out_and_counted() -> None:
    found = sifted([1.0, 2.0, INF], [3.0, -INF, None])
    assert found.notes == {"x": "2 infinite values taken out"}
    pair = found.columns["x"]
    np.testing.assert_array_equal(pair.reference.astype(float), [1, 2, NAN])
    np.testing.assert_array_equal(pair.current.astype(float), [3, NAN, NAN])


def test_a_zone_is_the_same_category_as_integer_and_as_float_with_gaps() -> None:
    pair = sifted([132, 7], [132.0, None], categorical=("x",)).columns["x"]
    assert (list(pair.reference), list(pair.current)) == (["132", "7"], ["132", None])


VALUES = st.lists(st.floats() | st.none(), max_size=5).map(lambda values: pa.array(values, pa.float64())) | st.lists(
    st.sampled_from("ab") | st.none(), max_size=5
).map(lambda values: pa.array(values, pa.string()))


@given(VALUES | st.none(), VALUES | st.none())
def test_no_column_is_lost_silently(reference: Any, current: Any) -> None:
    found = sifted(reference, current)
    expected = set() if reference is current is None else {"x"}
    assert set(found.columns) | set(found.left_out) == expected
    assert not set(found.columns) & set(found.left_out)
