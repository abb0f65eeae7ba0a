"""How work is divided among threads: a pool that runs calls, and pairs of threads that share a stretch of points.

Python notices Ctrl-C only between two calls of kernels, so each call does a slice of work, far less than a second.
"""

from __future__ import annotations

import itertools
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cabstand.clustering.kernels.instructions import fetch_and_add_one, smaller
from cabstand.clustering.kernels.jit import inlined

SMALL = 20_000  # points below which threads cost more than they save
STRIPES_PER_THREAD = 8
STRIPE_BITS = 18  # binary logarithm of the elements of a stripe, where that makes more of them
SLICE_BITS = 19  # binary logarithm of the elements of a stripe at most
SLICE = 1 << 21  # points that a call of a kernel goes through at most
BLOCK = 2048  # points that a thread takes at a time: what is computed of them stays in the first-level cache

Array = NDArray[Any]
Chunks = list[tuple[int, int]]
Map = Callable[[Callable[..., Any], Iterable[tuple[Any, ...]]], list[Any]]

_helper = threading.local()


class StoppedError(Exception):
    """Ends a helper thread because the thread that it helps has ended early."""


def pause() -> None:
    """Let a thread end between two calls of kernels: helpers here, the main thread by Python's own signal handling."""
    stopped = getattr(_helper, "stopped", None)
    if stopped is not None and stopped.is_set():
        raise StoppedError


def sliced(kernel: Callable[..., Any]) -> Callable[..., None]:
    """Return a function that calls `kernel` until it has nothing left to do.

    Its last argument (int64, shape (4,), zeros at first) is where the next call goes on; it returns whether there will
    be one.
    """

    def run(*call: Any) -> None:
        at = np.zeros(4, np.int64)
        while kernel(*call, at):
            pause()

    return run


class Workers(NamedTuple):
    """The threads that run the stages."""

    n_threads: int
    n_stripes: int  # into how many stripes work is cut at least; 1 if there is one thread
    run: Map  # calls a function with each of several argument tuples, on all threads; results in order

    def stripes(self, n: int) -> Chunks:
        """Cut ``0:n`` into stripes that threads take one after another, small enough to finish at about one time."""
        return cut(n, max(self.n_stripes, n >> (SLICE_BITS if self.n_stripes == 1 else STRIPE_BITS)))


@contextmanager
def workers(n_points: int, n_threads: int) -> Iterator[Workers]:
    """Start `n_threads` threads, the calling one among them; only this one if there are few points."""
    if n_threads == 1 or n_points < SMALL:
        yield Workers(1, 1, lambda function, calls: [function(*call) for call in calls])
        return
    with ThreadPoolExecutor(n_threads - 1, thread_name_prefix="dbscan") as pool:
        n_stripes = STRIPES_PER_THREAD * n_threads
        yield Workers(n_threads, n_stripes, lambda function, calls: _run(pool, n_threads - 1, function, list(calls)))


def _run(pool: Executor, helpers: int, function: Callable[..., Any], calls: list[tuple[Any, ...]]) -> list[Any]:
    """Let every thread take another call when it has done one: cheaper than handing each of them to the pool.

    This thread starts at the front, the others at the back: two seldom touch a new page of memory at once, which
    both would clear.
    """
    results: list[Any] = [None] * len(calls)
    left, stopped = deque(range(len(calls))), threading.Event()

    def work(take: Callable[[], int]) -> None:
        while left:
            try:
                i = take()
            except IndexError:
                return  # another thread took the last
            results[i] = function(*calls[i])

    def help_out() -> None:
        _helper.stopped = stopped
        work(left.pop)

    try:
        jobs = [pool.submit(help_out) for _ in range(min(helpers, len(calls) - 1))]
        work(left.popleft)
        for job in jobs:
            job.result()
    except BaseException:  # Ctrl-C above all
        left.clear()
        stopped.set()
        raise
    return results


def slices(a: int, b: int, size: int = SLICE) -> Iterator[tuple[int, int]]:
    """Cut ``a:b`` into slices for one call of a kernel each; a thread may end in between."""
    for start in range(a, b, size):
        pause()
        yield start, min(start + size, b)


def cut(n: int, parts: int) -> Chunks:
    """Cut ``0:n`` into so many chunks, leaving out empty ones."""
    edges = [n * i // parts for i in range(parts + 1)]
    return [(a, b) for a, b in itertools.pairwise(edges) if b > a]


class Side(NamedTuple):
    """One of two threads that work on a stretch of the points from both ends until they meet.

    The faster one does more, each still has one contiguous piece of the input, and neither waits for the other.
    """

    start: int  # of the stretch, the other thread's part included
    stop: int
    down: bool  # whether this thread starts at the end
    taken: Array  # int64, shape (1,): blocks that either has taken


def pair_up(chunks: Chunks) -> list[Side]:
    """Let the threads of each two neighbouring chunks share them; an odd last one keeps its own."""
    found = []
    for i in range(0, len(chunks), 2):
        start, stop, taken = chunks[i][0], chunks[i : i + 2][-1][1], np.zeros(1, np.int64)
        found += [Side(start, stop, down, taken) for down in (False, True)[: len(chunks) - i]]
    return found


def chunks_done(sides: list[Side], n_blocks: list[int]) -> Chunks:
    """Return the chunk that each thread has done, given how many blocks it took."""
    chunks: Chunks = []
    for side, n in zip(sides, n_blocks, strict=True):
        a = chunks[-1][1] if side.down else side.start
        chunks.append((a, side.stop if side.down else min(a + n * BLOCK, side.stop)))
    return chunks


@inlined
def next_block(side, done):
    """Take the block after `done` ones; return its first point and its end, or no points if all blocks are taken."""
    n_blocks = (side.stop - side.start + BLOCK - 1) // BLOCK
    if fetch_and_add_one(side.taken, 0) >= n_blocks:
        return side.stop, side.stop
    first = side.start + BLOCK * (n_blocks - 1 - done if side.down else done)
    return first, smaller(first + BLOCK, side.stop)
