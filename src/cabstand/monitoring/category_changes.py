"""Categories that only one of two sets of rows has, and which of them chance does not explain."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cabstand.monitoring.numeric import Counts


@dataclass(frozen=True)
class Changes:
    """New and vanished categories, the most frequent first; `large` has a line for each that counts as drift."""

    new: tuple[str, ...] = ()
    vanished: tuple[str, ...] = ()
    large: tuple[str, ...] = ()


NO_CHANGES = Changes()


def changes(names: Sequence[str], reference: Counts, current: Counts, share: float, significance: float) -> Changes:
    """Return the categories that only one side has; both sides need rows.

    One is large if it has at least `share` of its side's rows, and more of them than chance explains: all k of its rows
    fall on a side with n of all N rows with a probability of (n / N)^k, which must be below `significance` over the
    number of categories (Bonferroni).
    """
    new = _only(current, reference, share, significance)
    vanished = _only(reference, current, share, significance)
    return Changes(
        new=tuple(names[at] for at, _ in new),
        vanished=tuple(names[at] for at, _ in vanished),
        large=(
            *(f"new category {names[at]}" for at, is_large in new if is_large),
            *(f"category {names[at]} vanished" for at, is_large in vanished if is_large),
        ),
    )


def _only(here: Counts, there: Counts, share: float, significance: float) -> list[tuple[int, bool]]:
    """Return which categories one side alone has, the most frequent first, and whether they are large."""
    n, m = int(here.sum()), int(there.sum())
    only: npt.NDArray[np.int64] = np.flatnonzero((here > 0) & (there == 0))
    only = only[np.argsort(-here[only], kind="stable")]
    by_chance = np.log(significance / len(here)) / np.log(n / (n + m))
    return [(int(at), bool(here[at] >= share * n and here[at] > by_chance)) for at in only]
