"""Cluster with one pair of parameters after another, and judge what comes of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from cabstand.clustering import chaining, kdistance, quality, unchained
from cabstand.clustering.dbscan import Clustering, dbscan
from cabstand.clustering.engines import Engine
from cabstand.clustering.extents import reaches, total_weight
from cabstand.clustering.metrics import unit_sphere
from cabstand.io.points import Points
from cabstand.io.thinning import thinned
from cabstand.io.usage import measure
from cabstand.thread_limits import one_thread

_WARM_SAMPLE = 100  # points


@dataclass
class Trials:
    """The points, and how to cluster and judge them."""

    read: Points
    engine: Engine
    n_workers: int
    sample: int  # points for silhouette and k-distance
    seed: int

    def __post_init__(self) -> None:
        sphere = unit_sphere(self.read.latlon)
        self.places, self.axes = quality.places(sphere), np.ascontiguousarray(sphere.T)
        self.total = total_weight(len(self.read), self.read.weight)

    def warm_up(self, eps_m: float, counts: Sequence[int]) -> None:
        """Load or compile what the rows need: try some of the points, with neighbourhoods about as full.

        `Engine.warm_up` covers whatever other points might need, and takes longer.
        """
        if not self.engine.compiles:
            self.engine.warm_up(self.n_workers)
            return
        some, wider = thinned(self.read)
        list(replace(self, read=some, sample=_WARM_SAMPLE).rows(eps_m * wider, counts))

    def rows(self, eps_m: float, counts: Sequence[int]) -> Iterator[dict[str, Any]]:
        """Yield the table's rows for an eps with each of `counts`, ascending; the first does what they share."""
        read = self.read
        each = self.engine.run_each(read.latlon, eps_m, counts, read.weight, self.n_workers)
        for min_samples in counts:
            found, usage = measure(lambda: next(each))
            judged = self.judge(found)
            yield {"eps_m": eps_m, "min_samples": min_samples, **judged, "wall_s": usage.wall_s, "cpu_s": usage.cpu_s}

    @one_thread()  # products of few numbers each: more threads of BLAS take longer
    def judge(self, found: Clustering) -> dict[str, Any]:
        """Return what the table says of a clustering."""
        n_points, read = len(self.read), self.read
        n_noise, *sizes = quality.sizes(found.labels).tolist()
        shape = quality.measure(self.places, found.labels, sample=self.sample, seed=self.seed)
        chain = chaining.measure(*reaches(self.axes, found.labels, read.weight), self.total)
        largest = max(sizes, default=0)
        return {
            "n_clusters": found.n_clusters,
            "n_noise": n_noise,
            "n_core": int(np.count_nonzero(found.core)),
            "noise_share": n_noise / n_points,
            "largest_share": largest / n_points,
            "silhouette": shape.silhouette,
            "davies_bouldin": shape.davies_bouldin,
            "calinski_harabasz": shape.calinski_harabasz,
            "silhouette_sample": shape.sample,
            "score": None if shape.silhouette is None else shape.silhouette * (sum(sizes) - largest) / n_points,
            "far_share": chain.share,
            "chains": chain.is_over and not read.by_zone,
        }


def k_distance(trials: Trials, k: int, best: dict[str, Any] | None) -> dict[str, Any]:
    """Return the curve, what its knee gives, and the eps to use: that of the best pair wherever there is one."""
    read = trials.read
    curve = kdistance.k_distances(read.latlon, k, sample=trials.sample, seed=trials.seed)
    knee_m = round(kdistance.knee(curve), 1)
    found = None
    if knee_m > 0:  # with our kernels whatever the engine, as scikit-learn's lists of neighbours may not fit here
        found = dbscan(read.latlon, knee_m, k, sample_weight=read.weight, n_threads=trials.n_workers)
    judged = trials.judge(found) if found else None
    suggested = knee_m if found else None
    if best:
        suggested = best["eps_m"]
    elif found and judged and judged["chains"]:
        apart = unchained.largest_eps(
            read.latlon, found.labels, knee_m, k, weight=read.weight, n_threads=trials.n_workers
        )
        suggested = apart.eps_m if apart else None
    return {
        "k": k,
        "sample": len(curve),
        "curve_m": kdistance.thinned(curve),
        "suggested_eps_m": suggested,
        "knee_m": knee_m,
        "at_knee": judged,
    }
