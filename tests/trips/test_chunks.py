from __future__ import annotations

import threading

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cabstand.trips.chunks import Chunks, in_order


def batch(values: list[int]) -> pa.RecordBatch:
    return pa.RecordBatch.from_pydict({"a": pa.array(values, pa.int64())})


@given(st.lists(st.integers(0, 25), max_size=8), st.integers(1, 12))
def test_all_rows_arrive_in_order_and_in_chunks(lengths: list[int], size: int) -> None:
    values = iter(range(1_000))
    got: list[list[int]] = []
    chunks = Chunks(size, lambda one: got.append(one["a"].to_pylist()))
    for n in lengths:
        chunks.add(batch([next(values) for _ in range(n)]))
    chunks.close()
    assert [value for one in got for value in one] == list(range(sum(lengths)))
    assert all(len(one) == size for one in got[:-1])
    assert all(0 < len(one) <= size for one in got[-1:])


def test_another_thread_takes_them_in_order() -> None:
    got, threads = [], set()

    def handle(one: pa.RecordBatch) -> None:
        got.extend(one["a"].to_pylist())
        threads.add(threading.current_thread())

    with in_order(handle) as later:
        for value in range(50):
            later(batch([value]))
    assert got == list(range(50))
    assert len(threads) == 1
    assert threading.current_thread() not in threads


@pytest.mark.parametrize("n_later", [0, 9])
def test_an_error_in_the_other_thread_is_raised_here(n_later: int) -> None:
    def refuse(one: pa.RecordBatch) -> None:
        raise OSError("the disk is full")

    with pytest.raises(OSError, match="the disk is full"), in_order(refuse) as later:
        for value in range(1 + n_later):
            later(batch([value]))
