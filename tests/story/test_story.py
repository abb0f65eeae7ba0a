"""The story of an account on this machine, from `up` to `down`; nothing is replaced but AWS's control plane.

The tests run in the order of the file, each a step that needs those before it.
"""

from __future__ import annotations

import gzip
import json
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from cabstand.local.ports import check_free
from cabstand.local.stack import logs, processes, status, terraform
from cabstand.local.stack.state import required

pytestmark = pytest.mark.story

ROOT = Path(__file__).resolve().parents[2]
N_ROWS = 5_000
Local = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The home of the stack, which is ended even if the story is not told to its end."""
    folder = tmp_path_factory.mktemp("story")
    yield folder
    subprocess.run(
        [sys.executable, "-m", "cabstand", "local", "down"], env=os.environ | {"CABSTAND_HOME": str(folder)}, check=True
    )


@pytest.fixture(scope="module")
def local(home: Path) -> Local:
    """Run a command of `cabstand local`, print how long it took, and return its result."""

    def run(*words: str, code: int = 0) -> dict[str, Any]:
        begun = time.monotonic()
        done = subprocess.run(
            [sys.executable, "-m", "cabstand", "local", *words],
            env=os.environ | {"CABSTAND_HOME": str(home)},
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        print(f"{time.monotonic() - begun:6.1f} s  cabstand local {shlex.join(words)}")
        assert done.returncode == code, f"{done.stdout[-2000:]}{done.stderr[-6000:]}"
        return json.loads(done.stdout.splitlines()[-1]) if done.stdout else {}

    return run


@pytest.fixture(scope="module")
def stack(local: Local) -> dict[str, Any]:
    """What `up` says."""
    return local("up", "--no-image")  # which may be of another version


def answer(command: str) -> str:
    return subprocess.run(shlex.split(command), capture_output=True, text=True, check=True).stdout


def wait_for(holds: Callable[[], bool], timeout_s: float) -> None:
    deadline = time.monotonic() + timeout_s
    while not holds():
        assert time.monotonic() < deadline, "still waiting"
        time.sleep(0.5)


def test_it_starts(stack: dict[str, Any]) -> None:
    assert stack["started"]
    for step, seconds in stack["steps"].items():
        print(f"{seconds:8.1f} s  {step}")
    print(f"{stack['seconds']:8.1f} s  in all")
    assert stack["addresses"].keys() >= {"emulator", "mlflow"}


def test_a_second_start_leaves_it_as_it_is(stack: dict[str, Any], local: Local) -> None:
    again = local("up")
    assert not again["started"]
    assert again["addresses"] == stack["addresses"]


def test_mlflow_answers(stack: dict[str, Any], home: Path) -> None:
    address = stack["addresses"]["mlflow"]
    assert answer(f"curl -sf {address}/health") == "OK"
    secrets = terraform.client(required(home / "local"), "secretsmanager")
    user = json.loads(secrets.get_secret_value(SecretId="cabstand-dev/mlflow/tasks")["SecretString"])
    search = f"{address}/api/2.0/mlflow/experiments/search?max_results=5"
    found = answer(f"curl -sf -u {user['username']}:{user['password']} {search}")
    assert isinstance(json.loads(found), dict)  # empty before the first run


def test_the_printed_line_answers(stack: dict[str, Any]) -> None:
    found = json.loads(answer(f"curl -sf {stack['addresses']['gateway']}/v1/models -H 'x-api-key: {stack['key']}'"))
    assert "models" in found


def test_a_month_is_ingested(stack: dict[str, Any], local: Local, shared: Path, home: Path) -> None:
    with gzip.open(shared / "data/pickups/uber-raw-data-apr14.head65535.csv.gz") as month:
        rows = b"".join(islice(month, N_ROWS + 1))
    lake, s3 = stack["outputs"]["buckets"]["lake"], terraform.client(required(home / "local"), "s3")
    s3.put_object(Bucket=lake, Key="incoming/april.csv", Body=rows)
    month_words = ["--dataset", "uber", "--month", "2014-04", "--source", f"s3://{lake}/incoming/april.csv"]
    assert local("run", "pipeline", "--", "ingest", *month_words)["exit_code"] == 0
    listed = s3.list_objects_v2(Bucket=lake, Prefix="trips/uber/")
    assert "trips/uber/2014-04.parquet" in {one["Key"] for one in listed["Contents"]}


def test_a_task_that_fails_says_so(stack: dict[str, Any], local: Local) -> None:
    assert local("run", "train", "--", "cluster", "--eps", "-1", "--input", "x", code=1)["exit_code"] == 2


def test_a_schedule_starts_its_task(local: Local, home: Path) -> None:
    begun = time.monotonic()
    local("fire", "daily-comparison")
    wait_for(lambda: bool(status.tasks(required(home / "local"))), 60)
    wait_for(lambda: not status.tasks(required(home / "local")), 900)
    print(f"{time.monotonic() - begun:6.1f} s  until its task had ended")
    lines = logs.run(required(home / "local"), "compare", 5)
    assert any("compare" in line for line in lines), lines
    print(*lines, sep="\n")


def test_a_killed_server_is_started_again(stack: dict[str, Any], local: Local) -> None:
    os.kill(local("status")["parts"]["mlflow"]["pid"], signal.SIGKILL)

    def runs_again() -> bool:
        part = local("status")["parts"]["mlflow"]
        return bool(part["running"] and part["restarts"])

    wait_for(runs_again, 180)
    assert answer(f"curl -sf {stack['addresses']['mlflow']}/health") == "OK"


def test_nothing_is_left(stack: dict[str, Any], local: Local, home: Path) -> None:
    database = (home / "local/postgres").resolve()
    local("down")
    assert not (home / "local").exists()
    assert not database.exists()
    assert not processes.orphans(home / "local")
    for address in stack["addresses"].values():
        check_free(int(address.rsplit(":", 1)[1]), address)
