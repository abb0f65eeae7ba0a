"""Whatever stops an ingest, a month is whole or absent, and the next run makes it as if nothing had happened."""

from __future__ import annotations

import errno
import gc
import multiprocessing
import os
import random
import resource
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from cabstand import cli
from cabstand import settings as settings_module
from cabstand.errors import CabstandError, StorageError
from cabstand.io import lake
from cabstand.jobs import ingest
from trip_files import write_parquet, zone_rows

ROWS = 20_000


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    distance = [0.0 if i % 10 == 0 else 1.5 for i in range(ROWS)]
    columns = zone_rows(ROWS, trip_distance=distance)
    columns["tpep_pickup_datetime"] = columns["tpep_pickup_datetime"].take([i - i % 5 for i in range(ROWS)])
    columns["tpep_dropoff_datetime"] = columns["tpep_dropoff_datetime"].take([i - i % 5 for i in range(ROWS)])
    return write_parquet(tmp_path_factory.mktemp("source") / "y.parquet", columns)


def work(source: Path, where: Path) -> dict[str, Any]:
    settings = settings_module.load(lake=str(where))
    return ingest.run(settings, ingest.Params("yellow", "2024-01", str(source)))


def state(where: Path) -> dict[str, bytes]:
    return {str(p.relative_to(where)): p.read_bytes() for p in where.rglob("*") if p.is_file() and p.name[0] != "."}


@pytest.fixture(scope="module")
def undisturbed(source: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    where = tmp_path_factory.mktemp("undisturbed")
    result = work(source, where)
    assert result["quarantined_by_reason"]["duplicate"] > 0
    return state(where)


def check_whole_or_absent(where: Path) -> bool:
    """Every file that can be found is whole, and a month that says it is complete is."""
    for path in where.rglob("*.parquet"):
        if not path.name.startswith("."):
            pq.read_metadata(path)
    month = lake.Month(str(where), "yellow", "2024-01")
    try:
        manifest = lake.read_manifest(month)
    except CabstandError:
        return False
    assert pq.read_metadata(month.trips_uri).num_rows == manifest["rows_out"]
    assert pq.read_metadata(month.quarantine_uri).num_rows == manifest["rows_quarantined"]
    return True


def test_killed_at_random_moments(source: Path, undisturbed: dict[str, bytes], tmp_path: Path):
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["cabstand.jobs.ingest", "pyarrow.parquet"])
    for name in ("warm", "timed"):
        started = time.monotonic()
        whole = context.Process(target=work, args=(source, tmp_path / name))
        whole.start()
        whole.join()
    longest = time.monotonic() - started
    chance = random.Random(7)
    for turn in range(10):
        where = tmp_path / f"lake{turn}"
        child = context.Process(target=work, args=(source, where))
        child.start()
        time.sleep(longest * chance.random())
        child.kill()
        child.join()
        check_whole_or_absent(where)
        work(source, where)
        assert state(where) == undisturbed
        assert not list(where.rglob(".part-*"))  # what the killed one left is swept away


@contextmanager
def failing_at(n: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """The n-th call that reaches the disk finds it full."""
    calls = [0]

    def counted(function: Callable) -> Callable:
        def call(*args, **kwargs):
            calls[0] += 1
            if calls[0] == n:
                raise OSError(errno.ENOSPC, "No space left on device")
            return function(*args, **kwargs)

        return call

    with monkeypatch.context() as patch:
        for name in ("replace", "mkdir", "write_bytes", "write_text"):
            patch.setattr(Path, name, counted(getattr(Path, name)))
        patch.setattr(os, "fsync", counted(os.fsync))
        patch.setattr(pq.ParquetWriter, "write_batch", counted(pq.ParquetWriter.write_batch))
        patch.setattr(pq.ParquetWriter, "close", counted(pq.ParquetWriter.close))
        yield calls


def test_disk_full_at_every_call(source: Path, undisturbed: dict[str, bytes], tmp_path: Path, monkeypatch):
    for n in range(1, 200):
        where = tmp_path / f"lake{n}"
        with failing_at(n, monkeypatch) as calls, suppress(StorageError, OSError):
            work(source, where)
        gc.collect()  # a writer that could not be closed tries again when it is collected: not in the next round
        if calls[0] < n:
            break
        check_whole_or_absent(where)
        assert not list(where.rglob(".part-*"))
        work(source, where)
        assert state(where) == undisturbed
    assert 5 < n < 199


def test_truly_full_disk(source: Path, undisturbed: dict[str, bytes], tmp_path: Path):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, hard))
    try:
        with pytest.raises((StorageError, OSError)):
            work(source, tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert not check_whole_or_absent(tmp_path)
    work(source, tmp_path)
    assert state(tmp_path) == undisturbed


def test_two_at_once_end_in_one_state(source: Path, undisturbed: dict[str, bytes], tmp_path: Path):
    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(lambda _: work(source, tmp_path), range(4)))
    assert len({str(result["rows_out"]) for result in results}) == 1
    assert state(tmp_path) == undisturbed


def test_two_different_sources_at_once_do_not_mix(source: Path, tmp_path: Path):
    other = write_parquet(tmp_path / "other.parquet", zone_rows(10_000))
    where = tmp_path / "lake"
    for _ in range(3):
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(lambda file: work(file, where), [source, other]))
        assert check_whole_or_absent(where)
        month = lake.Month(str(where), "yellow", "2024-01")
        key = lake.read_manifest(month)["run_key"].encode()
        for uri in (month.trips_uri, month.quarantine_uri):
            assert pq.read_schema(uri).metadata[b"cabstand.run_key"] == key


def test_ctrl_c_leaves_nothing(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys):
    def interrupt(*args: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(pq.ParquetWriter, "write_batch", interrupt)
    arguments = [
        "ingest",
        "--dataset",
        "yellow",
        "--month",
        "2024-01",
        "--source",
        str(source),
        "--lake",
        str(tmp_path),
    ]
    assert cli.run(arguments) == 130
    assert capsys.readouterr().err == "error: interrupted; no partial results were left behind\n"
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_a_lake_that_cannot_be_written(source: Path, tmp_path: Path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError):
        work(source, tmp_path / "file" / "lake")
