"""Two threads share a stretch of the points from both ends and meet where they meet: the faster one does more.

So each still has one piece of the input, in which it comes before or after the other, and neither waits for a neighbour
whose processor is busy with something else.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from cabstand.clustering.kernels.atomic import advance
from cabstand.clustering.kernels.jit import inlined
from cabstand.clustering.kernels.share import Array, Chunks

BLOCK = 2048  # points that are taken at a time: what is worked out of them stays in the first-level cache


class Side(NamedTuple):
    """One thread's way into a stretch of the points.

    Attributes
    ----------
    start, stop : int
        The stretch, the other thread's part included.
    down : bool
        Whether this thread comes from the end.
    taken : ndarray of int64, shape (1,)
        Blocks that either has taken.
    """

    start: int
    stop: int
    down: bool
    taken: Array


def sides(chunks: Chunks) -> list[Side]:
    """Let the threads of each two neighbouring chunks share them; one that is left over has its own for itself."""
    found = []
    for i in range(0, len(chunks), 2):
        start, stop, taken = chunks[i][0], chunks[i : i + 2][-1][1], np.zeros(1, np.int64)
        found += [Side(start, stop, down, taken) for down in (False, True)[: len(chunks) - i]]
    return found


def met(ways: list[Side], done: list[int]) -> Chunks:
    """Return the chunk that each thread has had, told how many blocks it has done."""
    chunks: Chunks = []
    for way, n in zip(ways, done, strict=True):
        a = chunks[-1][1] if way.down else way.start
        chunks.append((a, way.stop if way.down else min(a + n * BLOCK, way.stop)))
    return chunks


@inlined
def next_block(start, stop, down, taken, done):
    """Take the next block after `done`; return its first point and its end, or no points if all blocks are taken."""
    n_blocks = (stop - start + BLOCK - 1) // BLOCK
    if advance(taken, 0) >= n_blocks:
        return stop, stop
    first = start + BLOCK * (n_blocks - 1 - done if down else done)
    return first, min(first + BLOCK, stop)
