"""Clustering on Dask workers: the labels of one machine, whoever dies or freezes meanwhile."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cabstand.clustering.blockwise import Density
from cabstand.clustering.dbscan import Clustering
from cabstand.clustering.hotspots import NO_HOUR
from cabstand.errors import ConfigError, DataError, TaskError
from cabstand.io import chunks, workers
from cabstand.jobs import distributed, distributed_cores
from cabstand.jobs.distributed import Plan

PHASES = ("survey", "partition", "cluster", "settle", "measure", "label", "order", "index")
DENSITY = Density(60.0, 8)
pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore:.*unclosed.*")


@pytest.fixture(scope="module")
def scheduler() -> Iterator[str]:
    """A small cluster whose workers are started anew when they die, or are silent for 15 seconds."""
    import dask
    from distributed import LocalCluster

    config = workers.CONFIG | {"distributed.scheduler.worker-ttl": "15s"}
    with (
        dask.config.set(config),
        LocalCluster(
            n_workers=2, threads_per_worker=1, host="127.0.0.1", dashboard_address="127.0.0.1:0", silence_logs=50
        ) as cluster,
    ):
        yield cluster.scheduler_address


@pytest.fixture(scope="module")
def trips(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[str], Clustering, np.ndarray]:
    """Three files of trips, rows without a place among them, with the answer of one machine."""
    rng = np.random.default_rng(4)
    centres = np.stack([rng.normal(40.75, 0.02, 40), rng.normal(-73.98, 0.02, 40)], axis=1)
    points = centres[rng.integers(0, 40, 30_000)] + rng.normal(0, 0.0015, (30_000, 2))
    known = rng.random(30_000) > 0.05
    folder, uris = tmp_path_factory.mktemp("trips"), []
    for number, part in enumerate(np.array_split(np.arange(30_000), [9_000, 9_100])):
        columns = {
            name: pa.array(points[part, axis], mask=~known[part])
            for axis, name in enumerate(("pickup_lat", "pickup_lon"))
        }
        if number != 1:  # one file without times, and some trips of the others
            seconds = rng.integers(0, 28 * 86400, len(part)).astype("timedelta64[s]")
            at = np.datetime64("2024-01-01", "us") + seconds
            columns["pickup_at"] = pa.array(at.astype("datetime64[us]"), mask=rng.random(len(part)) < 0.1)
        pq.write_table(pa.table(columns), folder / f"{number}.parquet", row_group_size=4_000)
        uris.append(str(folder / f"{number}.parquet"))
    return uris, DENSITY.cluster(points[known]), np.flatnonzero(known)


def read(uris: tuple[str, ...]) -> pa.Table:
    return pa.concat_tables([pq.read_table(uri) for uri in uris])


def assert_same(outcome: distributed.Outcome, expected: Clustering, rows: np.ndarray) -> None:
    table = read(outcome.labels_uris)
    np.testing.assert_array_equal(table["label"].to_numpy(), expected.labels)
    np.testing.assert_array_equal(table["row"].to_numpy(), rows)
    np.testing.assert_array_equal(np.asarray(table["core"]), expected.core)
    assert len(outcome.hotspots) == expected.n_clusters
    assert outcome.n_noise == np.count_nonzero(expected.labels < 0)
    assert outcome.n_core == np.count_nonzero(expected.core)
    assert outcome.n_points == len(rows)


@pytest.fixture
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(distributed, "CHUNK_ROWS", 5_000)


def test_labels_are_those_of_one_machine(
    trips: tuple[list[str], Clustering, np.ndarray], scheduler: str, tmp_path: Path, small_chunks: None
) -> None:
    uris, expected, rows = trips
    plan = Plan(DENSITY, scheduler=scheduler)
    for n_blocks in (2, 7):
        outcome = distributed.run(uris, str(tmp_path / "out"), str(tmp_path / "work"), replace(plan, n_blocks=n_blocks))
        assert_same(outcome, expected, rows)
        assert outcome.n_blocks == n_blocks
    assert [Path(uri).name for uri in outcome.labels_uris] == ["0.parquet", "1.parquet", "2.parquet"]
    assert list((tmp_path / "work").iterdir()) == []


def test_it_starts_workers_of_its_own_that_nobody_else_can_use(
    trips: tuple[list[str], Clustering, np.ndarray], tmp_path: Path
) -> None:
    import psutil
    from distributed import Client

    before = {process.pid for process in psutil.Process().children(recursive=True)}
    with workers.local(1, 1 << 30, str(tmp_path)) as client:
        address = client.scheduler.address
        assert workers.memory_of(client) == (1, 1 << 30)
        mine = [psutil.Process(), *psutil.Process().children(recursive=True)]
        listening = [c.laddr.ip for p in mine for c in p.net_connections("tcp") if c.status == psutil.CONN_LISTEN]
        assert listening
        assert set(listening) == {"127.0.0.1"}
        with pytest.raises((OSError, TypeError)):  # no certificate
            Client(address.replace("tls://", "tcp://"), timeout=3)
    left = [p for p in mine[1:] if p.pid not in before and p.is_running() and p.status() != psutil.STATUS_ZOMBIE]
    assert [p for p in left if "spawn_main" in " ".join(p.cmdline())] == []


def strike(scheduler: str, phase: str, how: int, mark: Path) -> None:
    """Let the first worker that takes up a task of this phase send itself a signal."""
    from distributed import Client, WorkerPlugin

    class Fault(WorkerPlugin):  # type: ignore[misc]
        name = f"fault-{phase}-{how}"

        def transition(self, key: str, start: str, finish: str, **_: Any) -> None:
            if finish == "executing" and key.startswith(phase):
                try:
                    os.close(os.open(mark, os.O_CREAT | os.O_EXCL))
                except FileExistsError:
                    return
                os.kill(os.getpid(), how)

    with Client(scheduler) as client:
        client.register_plugin(Fault())


def distribute_under_fault(
    trips: tuple[list[str], Clustering, np.ndarray], scheduler: str, phase: str, how: int, folder: Path
) -> None:
    uris, expected, rows = trips
    strike(scheduler, phase, how, folder / "struck")
    plan = Plan(DENSITY, scheduler=scheduler, n_blocks=4)
    assert_same(distributed.run(uris, str(folder / "out"), str(folder / "work"), plan), expected, rows)
    assert (folder / "struck").exists()
    assert list((folder / "work").iterdir()) == []


def test_a_killed_worker_changes_nothing(
    trips: tuple[list[str], Clustering, np.ndarray], scheduler: str, tmp_path: Path, small_chunks: None
) -> None:
    distribute_under_fault(trips, scheduler, "cluster", signal.SIGKILL, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSEGV, signal.SIGSTOP])
@pytest.mark.parametrize("phase", PHASES)
def test_a_fault_in_any_phase_changes_nothing(
    trips: tuple[list[str], Clustering, np.ndarray],
    scheduler: str,
    tmp_path: Path,
    phase: str,
    how: int,
    small_chunks: None,
) -> None:
    distribute_under_fault(trips, scheduler, phase, how, tmp_path)


def test_an_error_of_a_worker_is_told_in_one_line(scheduler: str, tmp_path: Path) -> None:
    for name, lat in {"nan": [40.7, float("nan")], "beyond": [40.7, 91.0], "none": [None, None]}.items():
        uri = str(tmp_path / f"{name}.parquet")
        pq.write_table(pa.table({"lat": pa.array(lat, pa.float64()), "lon": [-74.0, -74.0]}), uri)
        with pytest.raises(DataError) as error:
            distributed.run([uri], str(tmp_path / "out"), str(tmp_path), Plan(DENSITY, scheduler=scheduler))
        assert "\n" not in str(error.value)
    assert not (tmp_path / "out").exists()


def test_a_place_that_cannot_be_written_to_is_an_error_and_leaves_nothing(
    trips: tuple[list[str], Clustering, np.ndarray], scheduler: str, tmp_path: Path
) -> None:
    from cabstand.errors import StorageError

    place = tmp_path / "not-a-folder"
    place.write_text("")
    with pytest.raises((StorageError, TaskError, OSError)):
        distributed.run(trips[0], str(place), str(tmp_path / "work"), Plan(DENSITY, scheduler=scheduler))
    assert list((tmp_path / "work").iterdir()) == []


def test_no_scheduler_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "CONNECT_S", 1)
    with pytest.raises(ConfigError, match="no Dask scheduler"), workers.at("tcp://127.0.0.1:9"):
        pass


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [
        ([], [((), 0, 0)][:0]),
        ([3, 3, 3], [((0, 1, 2), 0, 9)]),
        ([6, 6], [((0,), 0, 6), ((1,), 0, 6)]),
        ([2, 25, 3, 4], [((0,), 0, 2), ((1,), 0, 10), ((1,), 10, 10), ((1,), 20, 5), ((2, 3), 0, 7)]),
        ([10, 10], [((0,), 0, 10), ((1,), 0, 10)]),
    ],
)
def test_row_groups_are_joined_and_cut_to_size(sizes: list[int], expected: list[object]) -> None:
    assert list(chunks._cut(sizes, 10)) == expected


def test_a_chunk_in_the_middle_of_a_row_group_is_read_alone(tmp_path: Path) -> None:
    uri = str(tmp_path / "one.parquet")
    lat = np.arange(300_000) / 1e4
    pq.write_table(pa.table({"lat": lat, "lon": -lat}), uri, row_group_size=300_000)
    plan = chunks.plan([uri], "pickup", 70_001)
    assert [chunk.n_rows for chunk in plan] == [70_001] * 4 + [19_996]
    for chunk in plan:
        row, latlon, week = chunks.read(chunk)
        assert (week == NO_HOUR).all()
        np.testing.assert_array_equal(row, np.arange(chunk.n_rows))
        np.testing.assert_array_equal(latlon[:, 0], lat[chunk.first_row : chunk.first_row + chunk.n_rows])


def test_blocks_fit_a_worker_s_memory() -> None:
    assert distributed.blocks_for(1_000, 3, 2 << 30) == 3
    many = distributed.blocks_for(200_000_000, 2, 2 << 30)
    assert distributed.BASE_BYTES + 200_000_000 / many * distributed.POINT_BYTES <= 0.81 * (2 << 30)
    with pytest.raises(ConfigError, match="no room"):
        distributed.blocks_for(10, 2, 256 << 20)


def test_the_command_publishes_what_the_single_machine_publishes(
    trips: tuple[list[str], Clustering, np.ndarray],
    scheduler: str,
    tmp_path: Path,
    small_chunks: None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from cabstand.jobs import cluster, cluster_dask
    from cabstand.settings import load

    monkeypatch.setattr(distributed_cores, "STRETCH_POINTS", 3_000)
    settings = load(home=tmp_path)
    folder = str(Path(trips[0][0]).parent / "*.parquet")
    params = cluster_dask.Params(folder, 60.0, 8, scheduler=scheduler, n_blocks=5, track=False)
    result = cluster_dask.run(settings, params)
    single = cluster.run(settings, cluster.Params(folder, 60.0, 8, track=False))
    for name in ("n_points", "n_clusters", "n_noise", "n_core", "n_without_place"):
        assert result[name] == single[name]
    labels = read(tuple(sorted(str(path) for path in Path(result["labels_uri"]).iterdir())))
    assert labels.equals(pq.read_table(single["labels_uri"]))
    mine, whole = (pq.read_table(one["hotspots_uri"]).drop_columns(["geometry", "zone"]) for one in (result, single))
    for name in mine.column_names:
        found, expected = (np.array(table[name].to_pylist()) for table in (mine, whole))
        np.testing.assert_allclose(found, expected, rtol=1e-9, err_msg=name)
    assert pq.read_table(result["cores_uri"]).equals(pq.read_table(single["cores_uri"]))
    assert Path(result["index_uri"]).read_bytes() == Path(single["index_uri"]).read_bytes()
    told, alone = (json.loads(Path(one["manifest_uri"]).read_text()) for one in (result, single))
    assert set(told) >= set(alone)
    assert set(told["source"]) == set(alone["source"])
    assert {"hotspots.npz", "cores.parquet", "labels/0.parquet"} < set(told["files"])
    again = cluster_dask.run(settings, params)
    assert again["reused"]
    assert again["labels_uri"] == result["labels_uri"]
