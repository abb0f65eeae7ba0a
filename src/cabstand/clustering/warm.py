"""Compiles every kernel beforehand: ``python -m cabstand.clustering.warm``, once a machine or in an image's build.

What it compiles is kept (`cabstand.clustering.kernels.store`), so that nobody's first call waits for it.
"""

from __future__ import annotations

import itertools
import sys
import time

import numpy as np

from cabstand.clustering.estimator import GeoDBSCAN
from cabstand.clustering.exercise import EPS_M, MIN_SAMPLES, shapes
from cabstand.clustering.kernels import store


def warm() -> None:
    """Cluster a few points in every way that needs machine code of its own."""
    for kind, threads in itertools.product((np.float64, np.float32), (1, 2)):
        model = GeoDBSCAN(EPS_M, MIN_SAMPLES, n_jobs=threads)
        for points in shapes():
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
