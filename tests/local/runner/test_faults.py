"""A runner that is killed, one that is stopped, and an emulator that goes away and comes back empty."""

from __future__ import annotations

import logging
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

import ecs_cluster
from cabstand.local.runner import processes
from ecs_cluster import Cluster, clients, running

Clients = Callable[[str], Any]
PYTHON = ["python3", "-c"]
# With a descendant that leaves its process group.
WAIT = """
import subprocess, sys, time
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
print("up", flush=True)
time.sleep(600)
"""
RUNNER = """
import sys, threading
from pathlib import Path
from cabstand.local import runner
from cabstand.local.runner import box
from ecs_cluster import clients
if sys.argv[3] == "plain":
    box.available = lambda: False
options = runner.Options(image=None, look_s=0.1)
runner.run(clients(sys.argv[1]), Path(sys.argv[2]), threading.Event(), options)
"""


@contextmanager
def runner_process(url: str, folder: Path, kind: str) -> Iterator[subprocess.Popen[bytes]]:
    tests = f"import sys; sys.path.insert(0, {str(Path(__file__).parents[2])!r})\n"
    with subprocess.Popen([sys.executable, "-c", tests + RUNNER, url, str(folder), kind]) as process:
        try:
            yield process
        finally:
            process.kill()


def test_a_killed_runner(aws: Clients, emulator_url: str, tmp_path: Path, boxed: bool) -> None:
    cluster = Cluster(aws)
    family = cluster.define(entryPoint=PYTHON, **cluster.logged())
    with runner_process(emulator_url, tmp_path, "box" if boxed else "plain") as process:
        arn = cluster.up(family, [WAIT])
        identity = arn.rpartition("/")[2]
        assert len(list(processes.members(identity))) >= 2
        process.kill()
        process.wait()
    assert cluster.task(arn)["lastStatus"] == "RUNNING"
    waiting = cluster.start(family, ["print('later')"])
    with running(aws, tmp_path):
        task = cluster.ended(arn)
        assert (task["stopCode"], task["stoppedReason"]) == (
            "EssentialContainerExited",
            "The runner of the task has ended.",
        )
        assert task["containers"][0]["exitCode"] == 137
        assert cluster.ended(waiting)["containers"][0]["exitCode"] == 0
    assert list((tmp_path / "tasks").iterdir()) == []


def test_a_stopped_runner_ends_its_tasks_at_once(aws: Clients, tmp_path: Path) -> None:
    cluster = Cluster(aws)
    family = cluster.define(entryPoint=PYTHON, stopTimeout=120, **cluster.logged())
    with running(aws, tmp_path):
        arn = cluster.up(family, [WAIT])
        began = time.monotonic()
    assert time.monotonic() - began < 5
    task = cluster.ended(arn)
    assert (task["stoppedReason"], task["containers"][0]["exitCode"]) == ("The runner was stopped.", 137)


def test_a_killed_task(aws: Clients, tmp_path: Path) -> None:
    cluster = Cluster(aws)
    with running(aws, tmp_path):
        arn = cluster.up(cluster.define(entryPoint=PYTHON, **cluster.logged()), [WAIT])
        for process in processes.members(arn.rpartition("/")[2]):
            process.kill()
        task = cluster.ended(arn)
    assert (task["stopCode"], task["containers"][0]["exitCode"]) == ("EssentialContainerExited", 137)
    assert "reason" not in task["containers"][0]


@pytest.mark.slow  # it starts three emulators
def test_an_emulator_that_goes_away(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "cabstand.local.runner")
    with ecs_cluster.emulator() as url:
        cluster = Cluster(clients(url))
        aws = cluster.aws
    port = urlsplit(url).port or 0
    with running(aws, tmp_path):
        said = wait_for(lambda: [one for one in caplog.messages if "does not answer" in one])
        with ecs_cluster.emulator(port):
            cluster = Cluster(aws)
            arn = cluster.up(cluster.define(entryPoint=PYTHON, **cluster.logged()), [WAIT])
        time.sleep(1)
        assert list(processes.members(arn.rpartition("/")[2])) != []
        with ecs_cluster.emulator(port):  # with nothing that the first one knew
            wait_for(lambda: not list(processes.members(arn.rpartition("/")[2])))
            cluster = Cluster(aws)
            again = cluster.start(cluster.define(entryPoint=PYTHON, **cluster.logged()), ["print('again')"])
            assert cluster.ended(again)["containers"][0]["exitCode"] == 0
    assert len(said) == 1
    assert sum("answers again" in one for one in caplog.messages) == 2


def wait_for(probe: Callable[[], Any], seconds: float = 30) -> Any:
    end = time.monotonic() + seconds
    while not (found := probe()):
        assert time.monotonic() < end
        time.sleep(0.1)
    return found
