"""Refuse a holdout that a model could know: not later than its training rows, or with rows of theirs.

Rows with a time are compared by their spans, rows without one by content. Some rows may be equal by chance; how many
follows from how many training rows equal another training row.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from cabstand.errors import ConfigError
from cabstand.modelling.problem import Examples

WHERE = "--holdout"
CHANCE = 1e-4  # probability with which a holdout that shares no row is refused


def check_apart(examples: Examples, holdout: Examples) -> None:
    """Raise a ConfigError unless a holdout is later than the training rows or, without times, shares none of them."""
    learned, held_out = span(examples), span(holdout)
    if learned and held_out:
        check_spans(learned, held_out, WHERE)
        return
    from scipy.stats import betabinom

    n_shared, n_twins = shared_rows(examples, holdout)
    # Of independent rows, as many equal a training row as training rows equal another. That share is an estimate
    # (twins come in pairs, so from half as many draws), and the number of shared rows is beta-binomial around it.
    known = (n_twins / 2 + 0.5, (len(examples) - n_twins) / 2 + 0.5)
    if betabinom.sf(n_shared - 1, len(holdout), *known) < CHANCE:
        what = f"{n_shared:,} of {len(holdout):,} rows are equal to training rows, more than chance would bring"
        raise ConfigError(what, where=WHERE, hint="hold out rows that are not in --input")


def check_spans(learned: Sequence[str], held_out: Sequence[str], where: str) -> None:
    """Raise a ConfigError unless the first held-out instant is later than the last one that was learned from."""
    if np.datetime64(held_out[0]) <= np.datetime64(learned[1]):
        what = f"begins at {held_out[0]}, but the training data ends at {learned[1]}"
        raise ConfigError(what, where=where, hint="hold out data that is later than all training data")


def span(examples: Examples) -> list[str] | None:
    """Return the first and last instant of rows that have a time, as ISO 8601."""
    if examples.time is None or not len(examples):
        return None
    return [str(examples.time.min()), str(examples.time.max())]


def shared_rows(examples: Examples, holdout: Examples) -> tuple[int, int]:
    """Return how many held-out rows equal a training row, and how many training rows equal another one."""
    ids = _row_ids(examples, holdout)
    n = len(examples)
    seen = np.bincount(ids[:n], minlength=int(ids.max()) + 1)
    return int(np.count_nonzero(seen[ids[n:]])), int(seen[seen > 1].sum())


def _row_ids(examples: Examples, holdout: Examples) -> npt.NDArray[np.int64]:
    """Return a number for each row of both, one after the other; equal rows (fields and target) have equal numbers."""
    pairs = [(examples.columns[name], holdout.columns[name]) for name in examples.columns]
    ids = np.zeros(len(examples) + len(holdout), np.int64)
    for pair in [*pairs, (examples.target, holdout.target)]:
        codes = np.unique(np.concatenate(pair), return_inverse=True)[1]
        ids = np.unique(ids * (codes.max() + 1) + codes, return_inverse=True)[1]
    return ids
