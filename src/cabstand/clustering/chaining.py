"""Chaining: with a large eps clusters reach from one hotspot to the next until a whole district is one cluster.

A clustering chains if its clusters with a radius over `RADIUS_M`, too far to walk, together hold more than `SHARE` of
the weight of all points. One such cluster of little weight, as the kerbs of an airport may be, is no reason to warn.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

RADIUS_M = 500.0
SHARE = 0.05
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Chaining:
    """The clusters of a clustering whose radius is over the bound."""

    n_clusters: int
    share: float  # of the weight of all points
    radius_m: float  # the largest
    radius_bound_m: float = RADIUS_M
    share_bound: float = SHARE

    @property
    def is_over(self) -> bool:
        """Whether they hold more than the bound."""
        return self.share > self.share_bound


def measure(weight: Floats, radius_m: Floats, total: float) -> Chaining:
    """Judge clusters with these weights and radii, shape (k,); `total` is the weight of all points, noise included."""
    far = radius_m > RADIUS_M
    share = float(weight[far].sum() / total) if total > 0 else 0.0
    return Chaining(int(far.sum()), share, float(radius_m[far].max(initial=0.0)))


def sentence(found: Mapping[str, Any], *, divided: bool) -> str:
    """Return what a reader should know of clusters that chain, and do about it.

    `found` has the fields of `Chaining`, and as `suggested` those of `cabstand.clustering.unchained.Apart` or None;
    `divided` says whether the densest parts of the clusters are listed already.
    """
    what = (
        f"clusters chain together: {found['share']:.1%} of the points are in hotspots with a radius over"
        f" {found['radius_bound_m']:g} m ({found['n_clusters']:,} of them, up to {found['radius_m']:,.0f} m)"
    )
    other = found["suggested"]
    if other is None:
        return f"{what}; try a smaller --eps-m or a larger --min-samples"
    less = f"{what}; --eps-m {other['eps_m']:g} keeps them apart"
    figures = f"{other['n_clusters']:,} hotspots with {other['share']:.1%} of the points"
    return f"{less} ({figures})" + ("" if divided else ", and --max-spread-m 150 lists their densest parts")
