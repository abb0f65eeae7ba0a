"""How work is shared out among threads."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

from numpy.typing import NDArray

SMALL = 20_000  # points below which threads cost more than they save

Array = NDArray[Any]
Chunks = list[tuple[int, int]]
Map = Callable[[Callable[..., Any], Iterable[tuple[Any, ...]]], list[Any]]


def cut(n: int, parts: int) -> Chunks:
    """Cut ``0:n`` into so many stretches, none of them empty."""
    edges = [n * i // parts for i in range(parts + 1)]
    return [(a, b) for a, b in itertools.pairwise(edges) if b > a]


def worth(n_points: int, n_threads: int) -> int:
    """Tell how many threads so many points are worth."""
    return n_threads if n_points >= SMALL else 1


@contextmanager
def threads(n_threads: int) -> Iterator[Map]:
    """Give a function that runs calls on so many threads, this one among them, and returns their results in order."""
    if n_threads == 1:
        yield lambda function, calls: [function(*call) for call in calls]
        return
    with ThreadPoolExecutor(n_threads - 1, thread_name_prefix="dbscan") as pool:
        yield lambda function, calls: _run(pool, n_threads - 1, function, list(calls))


def _run(pool: Executor, helpers: int, function: Callable[..., Any], calls: list[tuple[Any, ...]]) -> list[Any]:
    """Let every thread take another call when it has done one: cheaper than handing each of them to the pool.

    This thread comes from the front, the others from the back: two seldom touch a new page of memory at once, which
    both would clear.
    """
    results: list[Any] = [None] * len(calls)
    left = deque(range(len(calls)))

    def work(take: Callable[[], int]) -> None:
        while left:
            try:
                i = take()
            except IndexError:
                return  # another thread took the last
            results[i] = function(*calls[i])

    jobs = [pool.submit(work, left.pop) for _ in range(min(helpers, len(calls) - 1))]
    work(left.popleft)
    for job in jobs:
        job.result()
    return results
