from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cabstand.trips import duplicates


def batch(values: np.ndarray, first: int) -> pa.RecordBatch:
    rows = pa.array(np.arange(first, first + len(values)))
    return pa.RecordBatch.from_pydict({"a": pa.array(values), "b": pa.array(values % 3 / 2), "row": rows})


@settings(max_examples=40)
@given(st.lists(st.lists(st.integers(0, 30), min_size=1, max_size=40), max_size=6), st.integers(1, 50))
def test_equals_the_obvious_way(tmp_path_factory: pytest.TempPathFactory, parts: list[list[int]], part_rows: int):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(duplicates, "PART_ROWS", part_rows)
        patch.setattr(duplicates, "BLOCK_ROWS", 7)
        seen_values: set[int] = set()
        expected, first = [], 0
        with duplicates.Seen(tmp_path_factory.getbasetemp()) as seen:
            for values in parts:
                seen.add(batch(np.array(values), first), ["a", "b"])
                for index, value in enumerate(values, start=first):
                    expected += [index] if value in seen_values else []
                    seen_values.add(value)
                first += len(values)
            assert seen.repeated().tolist() == expected


def test_null_is_not_zero(tmp_path: Path):
    rows = pa.RecordBatch.from_pydict({"a": pa.array([0, None, 0, None]), "row": pa.array([0, 1, 2, 3])})
    with duplicates.Seen(tmp_path) as seen:
        seen.add(rows, ["a"])
        assert seen.repeated().tolist() == [2, 3]
