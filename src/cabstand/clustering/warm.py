"""Compiles every kernel: run ``python -m cabstand.clustering.warm`` once per machine, or when an image is built.

The machine code is stored on disk (`cabstand.clustering.kernels.store`), so that no first call has to wait for it.
"""

from __future__ import annotations

import itertools
import sys
import time

import numpy as np

from cabstand.clustering import quality
from cabstand.clustering.dbscan import dbscan_each
from cabstand.clustering.engines import WARM_EPS_M, WARM_MIN_SAMPLES, Floats, warm_up_points
from cabstand.clustering.estimator import GeoDBSCAN
from cabstand.clustering.extents import reaches
from cabstand.clustering.kernels import store
from cabstand.clustering.metrics import unit_sphere


def warm() -> None:
    """Cluster and predict a few points in every way that needs its own machine code."""
    for kind, threads in itertools.product((np.float64, np.float32), (1, 2)):
        model = GeoDBSCAN(WARM_EPS_M, WARM_MIN_SAMPLES, n_jobs=threads)
        for points in warm_up_points():
            model.fit(points.astype(kind))
            model.fit(points.astype(kind), sample_weight=np.ones(len(points)))
            model.predict(points[:1])
    for points in warm_up_points():  # some have one cluster, whose shape is not measured
        _warm_sweep(points)


def _warm_sweep(points: Floats) -> None:
    """Cluster with several `min_samples`, and judge it, as `cabstand sweep` does."""
    sphere = unit_sphere(points)
    for found in dbscan_each(points, WARM_EPS_M, [WARM_MIN_SAMPLES, 2 * WARM_MIN_SAMPLES]):
        quality.measure(quality.places(sphere), found.labels, sample=100)
        reaches(np.ascontiguousarray(sphere.T), found.labels)


def main() -> None:
    """Compile, and print how long it took and where the machine code is stored."""
    start = time.perf_counter()
    warm()
    stored = [folder for folder in store.folders() if folder.is_dir()]
    where = f"stored in {stored[0]}" if stored else "not stored: no cache folder is writable (set NUMBA_CACHE_DIR)"
    sys.stdout.write(f"clustering compiled in {time.perf_counter() - start:.1f} s, {where}\n")


if __name__ == "__main__":
    main()
