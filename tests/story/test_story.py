"""The story of an account on this machine, from `up` to `down`; nothing is replaced but AWS's control plane.

The tests run in the order of the file, each a step that needs those before it.
"""

from __future__ import annotations

import gzip
import io
import json
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from cabstand.local.ports import check_free
from cabstand.local.stack import processes, status, tasks, terraform
from cabstand.local.stack.state import required
from waiting import until

pytestmark = pytest.mark.story

ROOT = Path(__file__).resolve().parents[2]
N_ROWS, N_TRIPS = 5_000, 10_000
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
    assert runs(stack, home, "") == []


def test_the_printed_line_answers(stack: dict[str, Any]) -> None:
    found = json.loads(answer(f"curl -sf {stack['addresses']['gateway']}/v1/models -H 'x-api-key: {stack['key']}'"))
    assert "models" in found


def put(stack: dict[str, Any], home: Path, name: str, content: bytes) -> str:
    """Put a file into the lake, where tasks may read it, and return its address."""
    lake, s3 = stack["outputs"]["buckets"]["lake"], terraform.client(required(home / "local"), "s3")
    s3.put_object(Bucket=lake, Key=f"incoming/{name}", Body=content)
    return f"s3://{lake}/incoming/{name}"


def in_lake(stack: dict[str, Any], home: Path, prefix: str) -> dict[str, bytes]:
    """Return the objects below a prefix of the lake, by key."""
    lake, s3 = stack["outputs"]["buckets"]["lake"], terraform.client(required(home / "local"), "s3")
    listed = s3.list_objects_v2(Bucket=lake, Prefix=prefix).get("Contents", [])
    return {one["Key"]: s3.get_object(Bucket=lake, Key=one["Key"])["Body"].read() for one in listed}


def delivered(stack: dict[str, Any], home: Path) -> str:
    """Return the prediction lines that the log subscription has brought into the lake."""
    today = f"predictions/date={datetime.now(UTC):%Y}"
    return "".join(gzip.decompress(one).decode() for one in in_lake(stack, home, today).values())


def runs(stack: dict[str, Any], home: Path, wanted: str) -> list[dict[str, Any]]:
    """Return the runs of MLflow's server that a filter finds."""
    address, secrets = stack["addresses"]["mlflow"], terraform.client(required(home / "local"), "secretsmanager")
    user = json.loads(secrets.get_secret_value(SecretId="cabstand-dev/mlflow/tasks")["SecretString"])

    def ask(what: str, question: dict[str, Any]) -> Any:
        login = f"-u {user['username']}:{user['password']} -H 'content-type: application/json'"
        found = answer(
            f"curl -sf {login} -d {shlex.quote(json.dumps(question))} {address}/api/2.0/mlflow/{what}/search"
        )
        return json.loads(found).get(what, [])

    experiments = [one["experiment_id"] for one in ask("experiments", {"max_results": 100})]
    return list(ask("runs", {"experiment_ids": experiments, "filter": wanted})) if experiments else []


def test_a_month_is_ingested(stack: dict[str, Any], local: Local, shared: Path, home: Path) -> None:
    with (shared / "data/pickups/green_tripdata_2013-08.csv").open("rb") as month:
        source = put(stack, home, "august.csv", b"".join(islice(month, N_ROWS + 1)))
    # Of the data set whose newest month the schedules read.
    month_words = ["--dataset", "green", "--month", "2013-08", "--source", source]
    assert local("run", "pipeline", "--", "ingest", *month_words)["exit_code"] == 0
    assert "trips/green/2013-08.parquet" in in_lake(stack, home, "trips/green/")


def test_a_task_that_fails_says_so(stack: dict[str, Any], local: Local) -> None:
    assert local("run", "train", "--", "cluster", "--eps", "-1", "--input", "x", code=1)["exit_code"] == 2


def shorten(home: Path) -> None:
    """Let the daily comparison measure each engine once, not five times: each trial is a process of its own."""
    scheduler = terraform.client(required(home / "local"), "scheduler")
    given = scheduler.get_schedule(Name="cabstand-dev-daily-comparison", GroupName="cabstand-dev")
    command = ["compare", "--input", "newest:green", "--repeats", "1"]
    target = given["Target"] | {"Input": json.dumps({"containerOverrides": [{"name": "task", "command": command}]})}
    kept = ("Name", "GroupName", "State", "ScheduleExpression", "ScheduleExpressionTimezone", "FlexibleTimeWindow")
    scheduler.update_schedule(**{name: given[name] for name in kept}, Target=target)


def test_a_schedule_compares_the_engines_on_the_newest_month(stack: dict[str, Any], local: Local, home: Path) -> None:
    begun, state = time.monotonic(), required(home / "local")
    shorten(home)
    local("fire", "daily-comparison")
    # It may have ended by now, if it failed.
    *_, task = (one["id"] for one in (*status.ended(state), *status.tasks(state)) if "-compare:" in one["task"])
    ended = tasks.follow(state, "compare", task, print)
    print(f"{time.monotonic() - begun:6.1f} s  until its task had ended")
    assert ended.exit_code == 0
    written = in_lake(stack, home, "comparisons/")
    (report,) = (json.loads(body) for key, body in written.items() if key.endswith("/comparison.json"))
    assert report["agree"]
    assert {trial["engine"] for trial in report["trials"]} == {"sequential", "multicore", "sklearn"}
    assert [run["info"]["status"] for run in runs(stack, home, "tags.agree = 'True'")] == ["FINISHED"]


def test_a_pipeline_publishes_a_model(stack: dict[str, Any], local: Local, shared: Path, home: Path) -> None:
    words = []
    for option, month in (("--month", "2022-01"), ("--holdout-month", "2022-02")):
        table = pq.read_table(shared / f"data/green/green_tripdata_{month}.parquet").slice(0, N_TRIPS)
        pq.write_table(table, content := io.BytesIO())
        words += [option, month, "--source", put(stack, home, f"{month}.parquet", content.getvalue())]
    for path in (shared / "data/zones").iterdir():
        zones = put(stack, home, f"zones/{path.name}", path.read_bytes()).rpartition("/")[0]
    pipeline = local("run", "pipeline", "--", "pipeline", "--dataset", "green", *words, "--zones", zones)
    assert pipeline["exit_code"] == 0
    assert in_lake(stack, home, "runs/")


def test_the_endpoint_predicts_with_the_key(stack: dict[str, Any], home: Path) -> None:
    ride = {"pickup_zone": 74, "dropoff_zone": 42, "pickup_at": "2022-03-01T08:15:00"}
    url = f"{stack['addresses']['gateway']}/v1/trip-duration/predict"
    request = f"curl -s -H 'content-type: application/json' -d {shlex.quote(json.dumps(ride))} {url}"
    assert json.loads(answer(request))["status"] == 401
    predicted: dict[str, Any] = {}

    def predicts() -> bool:  # the function looks for a new model once a minute
        predicted.update(json.loads(answer(f"{request} -H 'x-api-key: {stack['key']}'")))
        return "answer" in predicted

    until(predicts, 300, 0.5)
    print(predicted)
    until(lambda: ride["pickup_at"] in delivered(stack, home), 120, 0.5)


def test_a_killed_server_is_started_again(stack: dict[str, Any], local: Local) -> None:
    os.kill(local("status")["parts"]["mlflow"]["pid"], signal.SIGKILL)

    def runs_again() -> bool:
        part = local("status")["parts"]["mlflow"]
        return bool(part["running"] and part["restarts"])

    until(runs_again, 180, 0.5)
    assert answer(f"curl -sf {stack['addresses']['mlflow']}/health") == "OK"


def test_nothing_is_left(stack: dict[str, Any], local: Local, home: Path) -> None:
    database = (home / "local/postgres").resolve()
    local("down")
    assert not (home / "local").exists()
    assert not database.exists()
    assert not processes.orphans(home / "local")
    for address in stack["addresses"].values():
        check_free(int(address.rsplit(":", 1)[1]), address)
