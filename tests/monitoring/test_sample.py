from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cabstand.monitoring import sample


def oracle(table: pa.Table, n: int, seed: int) -> pa.Table:
    """All keys at once."""
    keys = np.random.default_rng(seed).random(table.num_rows)
    return table.take(np.sort(np.argsort(keys)[:n]))


@given(
    n_rows=st.integers(0, 200), n=st.integers(1, 60), seed=st.integers(0, 9),
    sizes=st.lists(st.integers(1, 70), min_size=1, max_size=5),
)  # fmt: skip
def test_batches_do_not_matter(n_rows: int, n: int, seed: int, sizes: list[int]) -> None:
    table = pa.table({"row": np.arange(n_rows), "name": [str(row % 7) for row in range(n_rows)]})
    batches, at = [], 0
    while at < n_rows or not batches:
        batches.append(table.slice(at, sizes[len(batches) % len(sizes)]).combine_chunks())
        at += batches[-1].num_rows or 1
    found = sample.take((pa.RecordBatch.from_pydict(one.to_pydict(), table.schema) for one in batches), n, seed)
    assert found.equals(oracle(table, n, seed).combine_chunks())


def test_each_row_is_as_likely_as_another() -> None:
    batches = pa.table({"row": np.arange(100)}).to_batches(max_chunksize=9)
    counts = np.zeros(100)
    for seed in range(1000):
        counts[sample.take(batches, 10, seed)["row"].to_numpy()] += 1
    assert counts.sum() == 10_000
    # Binomial with n 1,000 and p 0.1: standard deviation 9.5.
    assert np.abs(counts - 100).max() < 4.5 * 9.5


def test_categories_of_several_dictionaries_are_joined() -> None:
    batches = [
        pa.RecordBatch.from_pydict({"kind": pa.array(names).dictionary_encode()}) for names in (["a", "b"], ["c", "a"])
    ]
    assert sample.take(batches)["kind"].to_pylist() == ["a", "b", "c", "a"]


def test_nothing_to_sample_from_is_refused() -> None:
    with pytest.raises(ValueError, match="no batch"):
        sample.take([])
