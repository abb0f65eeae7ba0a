"""Clustering on Dask workers: the labels of one machine."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import town
from cabstand import cli
from cabstand.clustering import blocks
from cabstand.clustering.rhythm import NO_HOUR
from cabstand.errors import ConfigError, DataError, TaskError
from cabstand.io.dask import chunks, workers
from cabstand.jobs.distributed import core_points, driver
from cabstand.jobs.distributed.driver import Plan
from town import DENSITY, Town

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore:.*unclosed.*")


def test_labels_are_those_of_one_machine(trips: Town, scheduler: str, tmp_path: Path, small_chunks: None) -> None:
    plan = Plan(DENSITY, scheduler=scheduler)
    for n_blocks in (2, 7):
        outcome = driver.run(
            trips.uris, str(tmp_path / "out"), str(tmp_path / "work"), replace(plan, n_blocks=n_blocks)
        )
        trips.assert_same(outcome, tmp_path / "out")
        assert outcome.n_blocks == n_blocks
    assert [Path(uri).name for uri in outcome.labels_uris] == ["0.parquet", "1.parquet", "2.parquet"]
    assert list((tmp_path / "work").iterdir()) == []


def test_it_starts_workers_of_its_own_that_nobody_else_can_use(trips: Town, tmp_path: Path) -> None:
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


def test_a_run_whose_workers_are_gone_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    from distributed import Client, LocalCluster

    monkeypatch.setattr(workers, "WORKERS_S", 0.2)
    nobody = LocalCluster(n_workers=0, processes=False, dashboard_address=None)
    with nobody, Client(nobody) as client, pytest.raises(TaskError, match="no Dask worker is left"):
        workers.memory_of(client)


def test_an_error_of_a_worker_is_one_line(scheduler: str, tmp_path: Path) -> None:
    for name, lat in {"nan": [40.7, float("nan")], "beyond": [40.7, 91.0], "none": [None, None]}.items():
        uri = str(tmp_path / f"{name}.parquet")
        pq.write_table(pa.table({"lat": pa.array(lat, pa.float64()), "lon": [-74.0, -74.0]}), uri)
        with pytest.raises(DataError) as error:
            driver.run([uri], str(tmp_path / "out"), str(tmp_path), Plan(DENSITY, scheduler=scheduler))
        assert "\n" not in str(error.value)
    assert not (tmp_path / "out").exists()


def test_an_output_folder_that_cannot_be_written_is_an_error_and_leaves_nothing(
    trips: Town, scheduler: str, tmp_path: Path
) -> None:
    from cabstand.errors import StorageError

    out = tmp_path / "not-a-folder"
    out.write_text("")
    with pytest.raises((StorageError, TaskError, OSError)):
        driver.run(trips.uris, str(out), str(tmp_path / "work"), Plan(DENSITY, scheduler=scheduler))
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
    assert list(chunks.fit_row_groups(sizes, 10)) == expected


def test_a_chunk_in_the_middle_of_a_row_group_is_read_alone(tmp_path: Path) -> None:
    uri = str(tmp_path / "one.parquet")
    lat = 1 + np.arange(300_000) / 1e4
    pq.write_table(pa.table({"lat": lat, "lon": -lat}), uri, row_group_size=300_000)
    plan = chunks.split([uri], "pickup", 70_001)
    assert [chunk.n_rows for chunk in plan] == [70_001] * 4 + [19_996]
    for chunk in plan:
        row, latlon, week = chunks.read(chunk)
        assert (week == NO_HOUR).all()
        np.testing.assert_array_equal(row, np.arange(chunk.n_rows))
        np.testing.assert_array_equal(latlon[:, 0], lat[chunk.first_row : chunk.first_row + chunk.n_rows])


@pytest.mark.parametrize("where", ["footer", "page", "columns"])
def test_one_bad_file_among_many_is_named(
    trips: Town, tmp_path: Path, capsys: pytest.CaptureFixture[str], where: str
) -> None:
    for uri in trips.uris:
        (tmp_path / Path(uri).name).write_bytes(Path(uri).read_bytes())
    bad = tmp_path / "1.parquet"
    content = bytearray(bad.read_bytes())
    if where == "footer":
        bad.write_bytes(content[: len(content) // 2])
    elif where == "page":
        content[4:60] = b"\x99" * 56
        bad.write_bytes(content)
    else:
        pq.write_table(pa.table({"a": [1]}), bad)
    words = ["cluster", "--no-track", "--engine", "dask:1", "--input", str(tmp_path / "*.parquet")]
    assert cli.run([*words, "--lake", str(tmp_path / "lake")]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    (line,) = [line for line in captured.err.splitlines() if line.startswith("error: ")]
    assert line.startswith(f"error: {bad}: ")
    assert list(tmp_path.glob("lake/hotspots/*")) == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--input", "none/*.parquet"], "none/*.parquet: no such file"),
        (["--scheduler", "nonsense"], "nonsense: no Dask scheduler"),
        (["--engine", "dask:x"], "whole number of 1 or more"),
        (["--weight-column", "n"], "does not support weights"),
    ],
)
def test_a_wrong_option_is_one_line(
    trips: Town, capsys: pytest.CaptureFixture[str], options: list[str], message: str
) -> None:
    assert cli.run(["cluster", "--no-track", "--engine", "dask:1", "--input", trips.uris[0], *options]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line


def test_blocks_fit_a_worker_s_memory() -> None:
    assert blocks.blocks_needed(1_000, 3, 2 << 30) == 3
    many = blocks.blocks_needed(200_000_000, 2, 2 << 30)
    assert blocks.BASE_BYTES + 200_000_000 / many * blocks.POINT_BYTES <= 0.81 * (2 << 30)
    for little in (-1, 256 << 20):
        with pytest.raises(ConfigError, match="no room"):
            blocks.blocks_needed(10, 2, little)


def test_the_command_publishes_what_the_single_machine_publishes(
    trips: Town,
    scheduler: str,
    tmp_path: Path,
    small_chunks: None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from cabstand.jobs import cluster, cluster_dask
    from cabstand.settings import load

    monkeypatch.setattr(core_points, "SEGMENT_POINTS", 3_000)
    settings = load(home=tmp_path)
    folder = str(Path(trips.uris[0]).parent / "*.parquet")
    params = cluster_dask.Params(folder, 60.0, 8, scheduler=scheduler, n_blocks=5, track=False)
    result = cluster_dask.run(settings, params)
    single = cluster.run(settings, cluster.Params(folder, 60.0, 8, track=False))
    for name in ("n_points", "n_clusters", "n_noise", "n_core", "n_without_place"):
        assert result[name] == single[name]
    labels = town.labels(Path(result["labels_uri"]))
    assert labels.equals(pq.read_table(single["labels_uri"]))
    mine, whole = (
        pq.read_table(one["hotspots_uri"]).drop_columns(["geometry", "bbox", "zone"]) for one in (result, single)
    )
    for name in mine.column_names:
        found, expected = (np.array(table[name].to_pylist()) for table in (mine, whole))
        np.testing.assert_allclose(found, expected, rtol=1e-9, err_msg=name)
    assert pq.read_table(result["cores_uri"]).equals(pq.read_table(single["cores_uri"]))
    assert Path(result["index_uri"]).read_bytes() == Path(single["index_uri"]).read_bytes()
    distributed, alone = (json.loads(Path(one["manifest_uri"]).read_text()) for one in (result, single))
    assert set(distributed) >= set(alone)
    # Workers keep the hour of the week of each pickup alone.
    assert set(distributed["source"]) == set(alone["source"]) - {"first_at", "last_at"}
    assert {"hotspots.npz", "cores.parquet", "labels/0.parquet"} < set(distributed["files"])
    again = cluster_dask.run(settings, params)
    assert again["reused"]
    assert again["labels_uri"] == result["labels_uri"]
