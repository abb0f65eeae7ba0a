"""Draw a random sample of points."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def sample_indices(n: int, most: int, seed: int) -> NDArray[np.int64]:
    """Return the indices of at most `most` of `n` points, drawn without replacement; of all points where they fit."""
    return np.arange(n) if n <= most else np.random.default_rng(seed).choice(n, most, replace=False)
