"""Input of `bench_jobs.py`, made in a process of its own: ``python job_points.py trips|month N FILE [REPEATED]``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

DAYS = 31
FIRST = np.datetime64("2023-03-01", "us")
STRAY, ZERO, BACKWARDS = 0.0005, 0.01, 0.0005  # shares of a month's rows, near those of real ones
REPEATED = 0.0  # as in each of the six green months and in the part of a yellow one that were looked at


def trips(n: int) -> pa.Table:
    """Pickups of a month, in the order of time."""
    from dbscan_points import nyc_like

    points = nyc_like(n)
    at = FIRST + np.sort(np.random.default_rng(1).integers(0, DAYS * 86_400, n)).astype("m8[s]")
    return pa.table({"pickup_at": at, "pickup_lat": points[:, 0], "pickup_lon": points[:, 1]})


def month(n: int, repeated: float = REPEATED) -> pa.Table:
    """Make a month as the TLC publishes it, of yellow cabs: its 19 columns, with bad rows and a share of repeats."""
    rng = np.random.default_rng(2)
    seconds = np.sort(rng.integers(0, DAYS * 86_400, n))
    seconds[rng.random(n) < STRAY] -= 60 * 86_400
    minutes = 2 + rng.gamma(2.0, 7.0, n)
    minutes[rng.random(n) < BACKWARDS] *= -1
    miles = np.round(np.abs(minutes) * rng.uniform(0.1, 0.35, n), 2)
    miles[rng.random(n) < ZERO] = 0.0
    rows = _columns(rng, FIRST + seconds.astype("m8[s]"), minutes, miles)
    order = np.arange(n)
    again = np.flatnonzero(rng.random(n) < repeated)[1:]
    order[again] = again - 1
    return pa.table(rows).take(pa.array(order))


def _columns(rng: np.random.Generator, pickup: Any, minutes: Any, miles: Any) -> dict[str, Any]:
    n = len(minutes)
    fare = np.round(3 + 2.5 * miles + 0.5 * np.abs(minutes), 1)
    tip = np.round(fare * rng.choice([0.0, 0.2, 0.25], n), 2)
    pays = rng.random(n) > 0.03  # the others' last columns are empty
    return {
        "VendorID": rng.integers(1, 3, n),
        "tpep_pickup_datetime": pickup,
        "tpep_dropoff_datetime": pickup + (minutes * 60).astype("m8[s]"),
        "passenger_count": pa.array(rng.integers(1, 7, n).astype(float), mask=~pays),
        "trip_distance": miles,
        "RatecodeID": pa.array(np.ones(n), mask=~pays),
        "store_and_fwd_flag": pa.array(np.where(rng.random(n) < 0.01, "Y", "N"), mask=~pays),
        "PULocationID": np.minimum(rng.geometric(0.02, n), 265),
        "DOLocationID": np.minimum(rng.geometric(0.02, n), 265),
        "payment_type": rng.integers(0, 5, n),
        "fare_amount": fare,
        "extra": rng.choice([0.0, 1.0, 2.5], n),
        "mta_tax": np.full(n, 0.5),
        "tip_amount": tip,
        "tolls_amount": rng.choice([0.0, 6.55], n, p=[0.95, 0.05]),
        "improvement_surcharge": np.ones(n),
        "total_amount": np.round(fare + tip + 4.0, 2),
        "congestion_surcharge": pa.array(np.full(n, 2.5), mask=~pays),
        "Airport_fee": pa.array(rng.choice([0.0, 1.25], n), mask=~pays),
    }


if __name__ == "__main__":
    made = {"trips": trips, "month": month}[sys.argv[1]](int(sys.argv[2]), *map(float, sys.argv[4:]))
    pq.write_table(made, Path(sys.argv[3]), row_group_size=1 << 20)
