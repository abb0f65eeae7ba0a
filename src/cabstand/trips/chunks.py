"""Batches of equal length, handed on to another thread in their order, in little memory."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

import pyarrow as pa

RELEASED = 2  # chunks after which memory that is free goes back to the system
WAITING = 1  # batches that wait for the other thread, at most

Handler = Callable[[pa.RecordBatch], None]


@contextmanager
def in_order(handle: Handler) -> Iterator[Handler]:
    """Yield a function that lets another thread call `handle`, one batch after another.

    What `handle` raises is raised by a later call, or at the end of the block.
    """
    pending: deque[Future[None]] = deque()

    def later(batch: pa.RecordBatch) -> None:
        pending.append(pool.submit(handle, batch))
        while len(pending) > WAITING:
            pending.popleft().result()

    with ThreadPoolExecutor(1) as pool:
        yield later
        while pending:
            pending.popleft().result()


class Chunks:
    """Cuts batches anew, into chunks of `size` rows; the last may have fewer."""

    def __init__(self, size: int, handle: Handler) -> None:
        self._size, self._handle = size, handle
        self._left: list[pa.RecordBatch] = []
        self._n_left = self._n_chunks = 0

    def add(self, batch: pa.RecordBatch) -> None:
        """Take the next batch, and hand on what is complete."""
        while self._n_left + batch.num_rows >= self._size:
            n = self._size - self._n_left
            self._left.append(batch.slice(0, n))
            self._flush()
            batch = batch.slice(n)
        if batch.num_rows:
            self._left.append(batch)
            self._n_left += batch.num_rows

    def close(self) -> None:
        """Hand on the rest."""
        if self._left:
            self._flush()

    def _flush(self) -> None:
        self._handle(pa.concat_batches(self._left))
        self._n_chunks += 1
        if self._n_chunks % RELEASED == 0:  # the other thread's memory is not used again by itself
            pa.default_memory_pool().release_unused()
        self._left, self._n_left = [], 0
