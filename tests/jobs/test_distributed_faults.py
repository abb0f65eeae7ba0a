"""Clustering on Dask workers: the same answer, whoever dies or freezes meanwhile, and nothing left behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

import town
from cabstand.errors import CabstandError
from cabstand.io.dask import workers
from cabstand.jobs.distributed import driver
from cabstand.jobs.distributed.driver import Plan
from town import DENSITY, Town

PHASES = ("survey", "partition", "cluster", "relabel", "measure", "label", "order", "index")
GONE_S = 120
pytestmark = [
    pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore:.*unclosed.*"),
    pytest.mark.usefixtures("small_chunks"),
]


def strike(client: Any, phase: str, how: int, mark: Path, back_after_s: int | None = None) -> None:
    """Let the first worker that takes up a task of this phase send itself a signal, and perhaps come back."""
    from distributed import WorkerPlugin

    class Fault(WorkerPlugin):  # type: ignore[misc]
        name = f"fault-{phase}-{how}"

        def transition(self, key: str, start: str, finish: str, **_: Any) -> None:
            if finish == "executing" and key.startswith(phase):
                try:
                    os.close(os.open(mark, os.O_CREAT | os.O_EXCL))
                except FileExistsError:
                    return
                if back_after_s:
                    wake = f"sleep {back_after_s}; kill -CONT {os.getpid()}"
                    subprocess.Popen(["sh", "-c", wake], start_new_session=True)
                os.kill(os.getpid(), how)

    client.register_plugin(Fault())


def distribute_under_fault(trips: Town, scheduler: str, phase: str, how: int, folder: Path) -> None:
    from distributed import Client

    with Client(scheduler) as client:
        strike(client, phase, how, folder / "struck")
    plan = Plan(DENSITY, scheduler=scheduler, n_blocks=4)
    outcome = driver.run(trips.uris, str(folder / "out"), str(folder / "work"), plan)
    trips.assert_same(outcome, folder / "out")
    assert (folder / "struck").exists()
    assert list((folder / "work").iterdir()) == []


def test_a_killed_worker_changes_nothing(trips: Town, scheduler: str, tmp_path: Path) -> None:
    distribute_under_fault(trips, scheduler, "cluster", signal.SIGKILL, tmp_path)


def test_a_frozen_worker_changes_nothing(trips: Town, scheduler: str, tmp_path: Path) -> None:
    distribute_under_fault(trips, scheduler, "relabel", signal.SIGSTOP, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSEGV, signal.SIGTERM, signal.SIGSTOP])
@pytest.mark.parametrize("phase", PHASES)
def test_a_fault_in_any_phase_changes_nothing(
    trips: Town, scheduler: str, tmp_path: Path, phase: str, how: int
) -> None:
    distribute_under_fault(trips, scheduler, phase, how, tmp_path)


@pytest.mark.slow
def test_a_worker_that_is_frozen_for_a_minute_comes_back_to_nothing(
    trips: Town, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the product runs it, with the product's patience."""
    local = workers.local

    @contextmanager
    def struck(*given: Any) -> Iterator[Any]:
        with local(*given) as client:
            strike(client, "cluster", signal.SIGSTOP, tmp_path / "struck", 60)
            yield client

    monkeypatch.setattr(workers, "local", struck)
    before = processes()
    plan = Plan(DENSITY, n_workers=2, n_blocks=4)
    trips.assert_same(driver.run(trips.uris, str(tmp_path / "out"), str(tmp_path / "work"), plan), tmp_path / "out")
    assert (tmp_path / "struck").exists()
    assert gone([process for process in processes() - before if "sleep" not in process.name()])
    assert list((tmp_path / "work").iterdir()) == []


def processes() -> set[psutil.Process]:
    return set(psutil.Process().children(recursive=True))


def gone(mine: list[psutil.Process]) -> bool:
    _, alive = psutil.wait_procs(mine, timeout=GONE_S)
    return [p for p in alive if p.is_running() and p.status() != psutil.STATUS_ZOMBIE] == []


def command(trips: Town, home: Path) -> subprocess.Popen[str]:
    words = [sys.executable, "-m", "cabstand", "cluster", "--engine", "dask:2", "--blocks", "3", "--no-track"]
    words += ["--eps-m", "60", "--min-samples", "8", "--input", str(Path(trips.uris[0]).parent / "*.parquet")]
    environment = os.environ | {"CABSTAND_HOME": str(home)}
    return subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)


def wait_for(what: str, home: Path, driver: subprocess.Popen[str]) -> None:
    until = time.monotonic() + 300
    while not list(home.glob(f"cache/dask/work-*/{what}*")):
        assert driver.poll() is None, f"the driver ended before {what}"
        assert time.monotonic() < until, f"no {what}"
        time.sleep(0.005)


@pytest.mark.parametrize("moment", ["local", *(pytest.param(m, marks=pytest.mark.slow) for m in ("points", "ordered"))])
def test_a_killed_driver_leaves_no_process_and_its_files_to_the_next(trips: Town, tmp_path: Path, moment: str) -> None:
    with command(trips, tmp_path) as driver:
        wait_for(moment, tmp_path, driver)
        workers_of_it = psutil.Process(driver.pid).children(recursive=True)
        driver.kill()
    assert workers_of_it
    assert gone(workers_of_it)
    assert [path for path in tmp_path.glob("lake/hotspots/*") if not path.name.startswith(".")] == []
    with command(trips, tmp_path) as again:
        out, errors = again.communicate(timeout=300)
    assert again.returncode == 0, errors
    result = json.loads(out.splitlines()[-1])
    assert town.labels(Path(result["labels_uri"]))["label"].to_numpy().tolist() == trips.expected.labels.tolist()
    assert list((tmp_path / "cache" / "dask").iterdir()) == []
    assert list((tmp_path / "lake" / "hotspots").glob(".*")) == []


def test_a_frozen_worker_dies_with_its_driver(trips: Town, tmp_path: Path) -> None:
    with command(trips, tmp_path) as driver:
        wait_for("local", tmp_path, driver)
        workers_of_it = psutil.Process(driver.pid).children(recursive=True)
        for process in workers_of_it:
            process.suspend()
        driver.kill()
    assert len(workers_of_it) >= 2
    assert gone([process for process in workers_of_it if "resource_tracker" not in " ".join(command_of(process))])


def command_of(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.NoSuchProcess:
        return []


@contextmanager
def small_disk(folder: Path, size: str) -> Iterator[Path]:
    """Mount a disk of that size, where one may."""
    folder.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder], capture_output=True, check=False
    )
    if done.returncode:
        pytest.skip("no right to mount a small disk")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


def test_a_full_spill_disk_changes_nothing(trips: Town, tmp_path: Path) -> None:
    with small_disk(tmp_path / "spill", "1m") as spill, town.scheduler(local_directory=str(spill)) as address:
        with pytest.raises(OSError, match="No space left"):
            (spill / "ballast").write_bytes(bytes(2 << 20))
        plan = Plan(DENSITY, scheduler=address, n_blocks=4)
        outcome = driver.run(trips.uris, str(tmp_path / "out"), str(tmp_path / "work"), plan)
        trips.assert_same(outcome, tmp_path / "out")


def test_no_room_for_work_files_is_one_line_and_leaves_nothing(trips: Town, scheduler: str, tmp_path: Path) -> None:
    plan = Plan(DENSITY, scheduler=scheduler, n_blocks=4)
    with small_disk(tmp_path / "small", "400k") as small:
        with pytest.raises(CabstandError, match="no space left") as error:
            driver.run(trips.uris, str(tmp_path / "out"), str(small), plan)
        assert "\n" not in str(error.value)
        assert list(small.iterdir()) == []
    assert not (tmp_path / "out").exists()
    outcome = driver.run(trips.uris, str(tmp_path / "out"), str(tmp_path / "work"), plan)
    trips.assert_same(outcome, tmp_path / "out")
