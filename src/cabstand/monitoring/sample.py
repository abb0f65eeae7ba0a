"""A sample of rows for what cannot read them all: equally likely, repeatable, taken in one pass in bounded memory."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

SIZE = 5_000  # rows a side: Evidently's report of ten columns takes about 5 s of CPU, of which 3.6 s is its import


@dataclass(frozen=True)
class Samples:
    """Rows of the reference and of the current window, drawn by `take`.

    Attributes
    ----------
    reference, current : pyarrow.Table
        The columns that are compared. A column of the other may be missing.
    seed : int
        The seed that both were drawn with.
    target, prediction : str
        The columns of truth and prediction; empty where there is none.
    categorical : frozenset of str
        Numeric columns whose values are names, such as taxi zones.
    """

    reference: pa.Table
    current: pa.Table
    seed: int = 0
    target: str = ""
    prediction: str = ""
    categorical: frozenset[str] = frozenset()


def take(batches: Iterable[pa.RecordBatch], n: int = SIZE, seed: int = 0) -> pa.Table:
    """Return `n` rows without replacement in their order, or all if there are fewer.

    Each row draws a number, and the rows with the `n` smallest stay (bottom-k sampling: Cohen and Kaplan, "Summarizing
    data using bottom-k sketches", PODC 2007). The same rows in the same order give the same sample, however they are
    batched.

    Raises
    ------
    ValueError
        If there is no batch, so that not even the columns are known.
    """
    rng = np.random.default_rng(seed)
    kept: pa.Table | None = None
    keys = np.empty(0)
    for batch in batches:
        drawn = np.concatenate([keys, rng.random(batch.num_rows)])
        stay = np.sort(np.argsort(drawn, kind="stable")[:n])
        rows = pa.Table.from_batches([batch])
        kept = (rows if kept is None else pa.concat_tables([kept, rows])).take(stay).combine_chunks()
        keys = drawn[stay]
    if kept is None:
        raise ValueError("no batch to sample from")
    return kept
