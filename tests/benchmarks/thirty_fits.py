"""The thirty clusterings of a sweep without their scores: ``python thirty_fits.py FILE``."""

from __future__ import annotations

import sys

import numpy as np
import pyarrow.parquet as pq

from cabstand import GeoDBSCAN

EPS_M = (25.0, 50.0, 75.0, 100.0, 150.0, 200.0)
MIN_SAMPLES = (200, 400, 1000, 2000, 4000)  # what the sweep takes for a million points


def main(file: str) -> None:
    """Fit every pair, and print the number of clusters of each."""
    read = pq.read_table(file, columns=["pickup_lat", "pickup_lon"])
    points = np.column_stack([read["pickup_lat"].to_numpy(), read["pickup_lon"].to_numpy()])
    for eps_m in EPS_M:
        for min_samples in MIN_SAMPLES:
            print(eps_m, min_samples, GeoDBSCAN(eps_m=eps_m, min_samples=min_samples).fit(points).labels_.max() + 1)


if __name__ == "__main__":
    main(*sys.argv[1:])
