"""Some of the points to cluster, to load or compile what clustering them needs."""

from __future__ import annotations

import math
from dataclasses import replace

from cabstand.io.points import Points

_FEW = 1 << 15  # points: enough that threads share them


def thinned(read: Points) -> tuple[Points, float]:
    """Return some of the points, and the factor by which their eps has to grow.

    With that eps their neighbourhoods are about as full as those of all points.
    """
    step = max(1, len(read) // _FEW)
    weight = None if read.weight is None else read.weight[::step]
    return replace(read, latlon=read.latlon[::step], weight=weight), math.sqrt(step)
