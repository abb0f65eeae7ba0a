"""A run ends with its process, however that ends; and nobody ends a run of a process that lives."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from cabstand.errors import RegistryError
from cabstand.io import run_owner, tracking
from cabstand.jobs import models_list
from cabstand.settings import Settings
from mlflow_server import runs, together

# A job that begins a run with a nested one, says so and goes on for ever.
JOB = """
import sys, time
from cabstand.io import tracking
from cabstand.settings import load
with tracking.run(load(), "job", {}) as run, tracking.run(load(), "part of it", {}, parent=run):
    print(run.id, flush=True)
    while True:
        time.sleep(0.1)
"""


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return Settings(home=tmp_path_factory.mktemp("home"), mlflow_tracking_uri="")  # type: ignore[arg-type]


@pytest.fixture
def job(settings: Settings) -> Iterator[subprocess.Popen[str]]:
    env = os.environ | {"CABSTAND_HOME": str(settings.home)}
    process = subprocess.Popen([sys.executable, "-c", JOB], env=env, stdout=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        assert process.stdout
        process.stdout.close()
        tracking.end_dead_runs(settings)


def begun(process: subprocess.Popen[str]) -> str:
    assert process.stdout
    return process.stdout.readline().strip()


def status(settings: Settings, run_id: str) -> str:
    return str(tracking.client(settings).get_run(run_id).info.status)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_job_that_is_told_to_end_ends_its_runs(
    settings: Settings, job: subprocess.Popen[str], number: signal.Signals
) -> None:
    run_id = begun(job)
    job.send_signal(number)
    assert job.wait(60) == 128 + number
    assert status(settings, run_id) == "KILLED"
    assert runs(settings, "RUNNING") == []


def test_the_next_run_ends_those_of_a_killed_job_and_of_nobody_else(
    settings: Settings, job: subprocess.Popen[str]
) -> None:
    run_id = begun(job)
    store = tracking.client(settings)
    foreign = store.create_run(tracking.experiment_id(settings), run_name="not ours").info.run_id
    with tracking.run(settings, "while it lives", {}):
        assert len(runs(settings, "RUNNING")) == 4
    assert status(settings, run_id) == "RUNNING"
    job.kill()
    job.wait()
    with tracking.run(settings, "the next", {}):
        pass
    assert status(settings, run_id) == "KILLED"
    assert [one.info.run_id for one in runs(settings, "RUNNING")] == [foreign]
    store.set_terminated(foreign)


def test_listing_models_ends_the_runs_of_a_killed_job(settings: Settings, job: subprocess.Popen[str]) -> None:
    run_id = begun(job)
    job.kill()
    job.wait()
    assert models_list.run(settings, models_list.Params(track=False)) == {"problems": {}}
    assert status(settings, run_id) == "RUNNING"
    models_list.run(settings, models_list.Params())
    assert status(settings, run_id) == "KILLED"


def test_listing_models_begins_no_store(tmp_path: Path) -> None:
    models_list.run(Settings(home=tmp_path / "none"), models_list.Params())
    assert not (tmp_path / "none").exists()


def test_an_owner_is_alive_dead_or_silent() -> None:
    now, ours = time.time(), run_owner.tags()
    assert not run_owner.is_dead(ours, 0, now + 10**6)  # this process; its age does not matter
    assert run_owner.is_dead(ours | {run_owner.PROCESS: f"{os.getpid()}-1"}, now, now)  # its number went to another
    assert run_owner.is_dead(ours | {run_owner.PROCESS: "999999999-1"}, now, now)
    away = ours | {run_owner.MACHINE: "elsewhere"}
    assert not run_owner.is_dead(away, 0, now + run_owner.SILENT_S - 5)
    assert run_owner.is_dead(away, 0, now + run_owner.SILENT_S + 5)
    assert not run_owner.is_dead(away, now + 60, now + run_owner.SILENT_S + 5)
    for tags in ({}, {run_owner.MACHINE: ours[run_owner.MACHINE]}, ours | {run_owner.PROCESS: "edited"}):
        assert not run_owner.is_dead(tags, 0, now)


def test_a_zombie_is_dead() -> None:
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    since = Path(f"/proc/{child.pid}/stat").read_text().rpartition(")")[2].split()[19]
    tags = run_owner.tags() | {run_owner.PROCESS: f"{child.pid}-{since}"}
    assert not run_owner.is_dead(tags, 0, time.time())
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)  # it has ended, and nobody has asked for its status
    assert run_owner.is_dead(tags, 0, time.time())
    assert child.stdin
    child.stdin.close()
    child.wait()


def test_a_run_shows_that_it_lives(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_owner, "BEAT_S", 0.05)
    with tracking.run(settings, "long", {}) as opened:
        store = tracking.client(settings)
        store.set_tag(opened.id, run_owner.SEEN, "0")
        for _ in range(200):
            time.sleep(0.05)
            if store.get_run(opened.id).data.tags[run_owner.SEEN] != "0":
                break
        else:
            pytest.fail("the time stamp is not refreshed")


def test_a_run_that_cannot_log_its_inputs_does_not_stay_open(settings: Settings) -> None:
    with (
        pytest.raises(RegistryError),
        tracking.run(settings, "refused", {"no/such ! name": 1}, source=tracking.Source("x", "ab" * 32)),
    ):
        pytest.fail("the block must not begin")
    assert runs(settings)[0].info.status == "FAILED"


def test_runs_that_begin_together_log_one_data_set(settings: Settings) -> None:
    together(settings, rounds=8)
    assert {one.info.status for one in runs(settings) if one.info.run_name == "together"} == {"FINISHED"}
