"""Trips of a town, and a small cluster of Dask workers, for tests of the distributed clustering."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from cabstand.clustering.blockwise import Density
from cabstand.clustering.core_index import CoreIndex
from cabstand.clustering.dbscan import Clustering
from cabstand.io.dask import workers

DENSITY = Density(60.0, 8)
TTL_S = 6  # seconds until a silent worker counts as frozen; Dask allows no less than 5


@dataclass(frozen=True)
class Town:
    """Trips in three files, their rows that have coordinates, and the clustering of these on one machine."""

    uris: list[str]
    expected: Clustering
    points: np.ndarray
    rows: np.ndarray

    def assert_same(self, outcome: Any, out: Path) -> None:
        """Compare an outcome with one machine's: labels, core points, their index, counts."""
        table = labels(out / "labels")
        np.testing.assert_array_equal(table["label"].to_numpy(), self.expected.labels)
        np.testing.assert_array_equal(table["row"].to_numpy(), self.rows)
        np.testing.assert_array_equal(np.asarray(table["core"]), self.expected.core)
        core = self.expected.core
        index = CoreIndex.load(out / "hotspots.npz")
        whole = CoreIndex.build(self.points[core], self.expected.labels[core], DENSITY.eps_m)
        np.testing.assert_array_equal(index.points, whole.points)
        np.testing.assert_array_equal(index.clusters, whole.clusters)
        assert len(outcome.hotspots) == self.expected.n_clusters
        assert outcome.n_noise == np.count_nonzero(self.expected.labels < 0)
        assert outcome.n_core == np.count_nonzero(core)
        assert outcome.n_points == len(self.rows)


def labels(folder: Path) -> pa.Table:
    """Read a folder of labels as one table."""
    return pa.concat_tables([pq.read_table(path) for path in sorted(folder.iterdir())])


def write(folder: Path, n: int = 30_000) -> Town:
    """Write the trips; some rows have no coordinates or no time."""
    rng = np.random.default_rng(4)
    centres = np.stack([rng.normal(40.75, 0.02, 40), rng.normal(-73.98, 0.02, 40)], axis=1)
    points = centres[rng.integers(0, 40, n)] + rng.normal(0, 0.0015, (n, 2))
    known = rng.random(n) > 0.05
    uris = []
    for number, part in enumerate(np.array_split(np.arange(n), [9_000, 9_100])):
        columns = {
            name: pa.array(points[part, axis], mask=~known[part])
            for axis, name in enumerate(("pickup_lat", "pickup_lon"))
        }
        if number != 1:  # one file has no times
            seconds = rng.integers(0, 28 * 86400, len(part)).astype("timedelta64[s]")
            at = np.datetime64("2024-01-01", "us") + seconds
            columns["pickup_at"] = pa.array(at.astype("datetime64[us]"), mask=rng.random(len(part)) < 0.1)
        pq.write_table(pa.table(columns), folder / f"{number}.parquet", row_group_size=4_000)
        uris.append(str(folder / f"{number}.parquet"))
    return Town(uris, DENSITY.cluster(points[known]), points[known], np.flatnonzero(known))


@contextmanager
def scheduler(**options: Any) -> Iterator[str]:
    """Run two workers that are restarted when they die or freeze; yield their scheduler's address."""
    import dask
    from distributed import LocalCluster

    with (
        dask.config.set(workers.CONFIG | {"distributed.scheduler.worker-ttl": f"{TTL_S}s"}),
        LocalCluster(
            n_workers=2,
            threads_per_worker=1,
            host="127.0.0.1",
            dashboard_address="127.0.0.1:0",
            silence_logs=50,
            **options,
        ) as cluster,
    ):
        yield cluster.scheduler_address
