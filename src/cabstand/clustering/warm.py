"""Compiles every kernel beforehand: ``python -m cabstand.clustering.warm``, once a machine or in an image's build.

What it compiles is kept (`cabstand.clustering.kernels.store`), so that nobody's first call waits for it.
"""

from __future__ import annotations

import itertools
import sys
import time

import numpy as np

from cabstand.clustering.estimator import GeoDBSCAN
from cabstand.clustering.kernels import store

CITY = (40.75, -73.98)


def warm() -> None:
    """Cluster a few points in every way that needs machine code of its own."""
    rng = np.random.default_rng(0)
    # Enough for threads, dense enough for samples to stand for cells, with suburbs.
    town = np.r_[rng.uniform(0, 0.008, (28_000, 2)), rng.uniform(0, 0.05, (2_000, 2))] + CITY
    edges = np.repeat([CITY, (CITY[0] + 50.001 / 111_194.93, CITY[1])], 60, axis=0)
    edges += rng.normal(0, 1e-9, edges.shape)
    globe = np.c_[rng.uniform(-80, 80, 40_000), rng.uniform(-180, 180, 40_000)]
    for kind, threads in itertools.product((np.float64, np.float32), (1, 2)):
        for points in (town, globe, edges, np.r_[town, edges]):
            model = GeoDBSCAN(50.0, 10, n_jobs=threads)
            model.fit(points.astype(kind))
            model.fit(points.astype(kind), sample_weight=np.ones(len(points)))


def main() -> None:
    """Compile, and say how long it took and where the result lies."""
    start = time.perf_counter()
    warm()
    kept = [folder for folder in store.folders() if folder.is_dir()]
    where = f"kept in {kept[0]}" if kept else "kept nowhere: no folder can be written (set NUMBA_CACHE_DIR)"
    sys.stdout.write(f"clustering compiled in {time.perf_counter() - start:.1f} s, {where}\n")


if __name__ == "__main__":
    main()
