"""How work is shared out among threads."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
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
    """Give a function that runs calls on a pool (or in place) and returns their results in order."""
    if n_threads == 1:
        yield lambda function, calls: [function(*call) for call in calls]
        return
    with ThreadPoolExecutor(n_threads, thread_name_prefix="dbscan") as pool:
        yield lambda function, calls: [job.result() for job in [pool.submit(function, *call) for call in calls]]
