"""Trips of a small city for tests of the clustering jobs: crowds at known centres, scattered points, times, weights."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

CENTRES = np.array([[40.70, -74.01], [40.75, -73.99], [40.77, -73.87], [40.64, -73.78]])


def city(per_crowd: int = 150, strangers: int = 200, seed: int = 5) -> pa.Table:
    """Return the trips as a table."""
    rng = np.random.default_rng(seed)
    crowds = [rng.normal(centre, 2e-4, (per_crowd, 2)) for centre in CENTRES]
    points = np.round(np.concatenate([*crowds, rng.uniform([40.5, -74.2], [40.9, -73.7], (strangers, 2))]), 4)
    points = points[rng.permutation(len(points))]
    seconds = rng.integers(0, 28 * 86400, len(points)).astype("timedelta64[s]")
    return pa.table(
        {
            "pickup_at": pa.array((np.datetime64("2024-01-01", "us") + seconds).astype("datetime64[us]")),
            "pickup_lat": points[:, 0],
            "pickup_lon": points[:, 1],
            "n": rng.integers(1, 4, len(points)),
        }
    )


def write(path: Path, table: pa.Table | None = None) -> str:
    """Write the table as Parquet and return its path."""
    pq.write_table(city() if table is None else table, path)
    return str(path)
