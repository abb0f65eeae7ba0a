"""What :mod:`cabstand.clustering.densest` finds; without the kernels that find it, for those who only write it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Labels = NDArray[np.int32]


@dataclass(frozen=True)
class Parts:
    """The parts of some clusters, k in all: in the order of the clusters, the heaviest of each first."""

    labels: Labels  # shape (n,): part of each point, -1 where it is in none
    core: NDArray[np.bool_]  # shape (n,): core points of the parts
    cluster: Labels  # shape (k,): the cluster of which it is a part
    eps_m: Floats  # shape (k,): the eps at which it came apart
    spread_m: Floats  # shape (k,)
    n_divided: int  # clusters that spread too far

    def __len__(self) -> int:
        """Return the number of parts."""
        return len(self.cluster)
