"""The story of an account on this machine; nothing is replaced but AWS's control plane. First: it is started and works.

The tests run in the order of the files and in each file, each a step that needs those before it.
"""

from __future__ import annotations

import gzip
import io
import json
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from cabstand.local import runner
from cabstand.local.emulator import site
from cabstand.local.stack import tasks
from laptop import Laptop, answer
from waiting import until

pytestmark = pytest.mark.story

N_ROWS, N_TRIPS = 5_000, 10_000
RIDE = {"pickup_zone": 74, "dropoff_zone": 42, "pickup_at": "2022-03-01T08:15:00"}


def test_it_starts(stack: dict[str, Any]) -> None:
    assert stack["started"]
    for step, seconds in stack["steps"].items():
        print(f"{seconds:8.1f} s  {step}")
    assert stack["addresses"].keys() >= {"emulator", "mlflow"}


def test_a_second_start_leaves_it_as_it_is(stack: dict[str, Any], laptop: Laptop) -> None:
    again = laptop.local("up")
    assert not again["started"]
    assert again["addresses"] == stack["addresses"]


def test_a_taken_port_is_refused_in_one_line(stack: dict[str, Any], laptop: Laptop, tmp_path: Path) -> None:
    taken = str(laptop.state.ports["emulator"])
    second = Laptop(tmp_path / "second")
    _, error = second.begin("up", "--port-base", taken).communicate(timeout=60)
    assert f"error: --port-base: cannot use port {taken}: Address already in use" in error.splitlines()[-1]
    assert not second.home.exists()


def test_mlflow_and_the_printed_line_answer(stack: dict[str, Any], laptop: Laptop) -> None:
    assert answer(f"curl -sf {stack['addresses']['mlflow']}/health") == "OK"
    assert laptop.runs() == []
    assert "models" in laptop.ask_service("/v1/models", key=stack["key"])


def test_a_month_is_ingested(laptop: Laptop, shared: Path) -> None:
    with (shared / "data/pickups/green_tripdata_2013-08.csv").open("rb") as month:
        source = laptop.put("august.csv", b"".join(islice(month, N_ROWS + 1)))
    # Of the data set whose newest month the schedules read.
    month_words = ["--dataset", "green", "--month", "2013-08", "--source", source]
    assert laptop.local("run", "pipeline", "--", "ingest", *month_words)["exit_code"] == 0
    assert "trips/green/2013-08.parquet" in laptop.in_lake("trips/green/")


def test_a_task_that_fails_says_so(laptop: Laptop) -> None:
    words = ["run", "train", "--", "cluster", "--eps", "-1", "--input", "x"]
    assert laptop.local(*words, code=1)["exit_code"] == 2


def shorten(laptop: Laptop) -> None:
    """Let the daily comparison measure each engine once, not five times: each trial is a process of its own."""
    scheduler = laptop.client("scheduler")
    given = scheduler.get_schedule(Name="cabstand-dev-daily-comparison", GroupName="cabstand-dev")
    overrides = json.loads(given["Target"]["Input"])
    overrides["containerOverrides"][0]["command"] += ["--repeats", "1"]
    kept = ("Name", "GroupName", "State", "ScheduleExpression", "ScheduleExpressionTimezone", "FlexibleTimeWindow")
    scheduler.update_schedule(
        **{name: given[name] for name in kept}, Target=given["Target"] | {"Input": json.dumps(overrides)}
    )


def test_a_schedule_fired_twice_compares_the_engines_once(laptop: Laptop) -> None:
    shorten(laptop)
    for n_fired in (1, 2):
        laptop.local("fire", "daily-comparison")
        *_, task = (one["id"] for one in laptop.tasks("compare"))
        assert len(laptop.tasks("compare")) == n_fired
        assert tasks.follow(laptop.state, task, lambda line: None).exit_code == 0
    written = laptop.in_lake("comparisons/")
    (report,) = (json.loads(body) for key, body in written.items() if key.endswith("/comparison.json"))
    assert report["agree"]
    assert {trial["engine"] for trial in report["trials"]} == {"sequential", "multicore", "sklearn"}
    assert [run["info"]["status"] for run in laptop.runs("tags.agree = 'True'")] == ["FINISHED"]
    written = laptop.in_lake("runs/daily-comparison-")
    workflows = [json.loads(body) for key, body in written.items() if key.endswith("/manifest.json")]
    assert [one["steps"]["compare"]["status"] for one in workflows] == ["done", "done"]
    assert len({one["params"]["scheduled"] for one in workflows}) == 2


def pipeline(laptop: Laptop, shared: Path) -> list[str]:
    """Put two months and the zones into the lake, and return the words of the pipeline that learns from them."""
    words = []
    for option, month in (("--month", "2022-01"), ("--holdout-month", "2022-02")):
        table = pq.read_table(shared / f"data/green/green_tripdata_{month}.parquet").slice(0, N_TRIPS)
        pq.write_table(table, content := io.BytesIO())
        words += [option, month, "--source", laptop.put(f"{month}.parquet", content.getvalue())]
    for path in (shared / "data/zones").iterdir():
        zones = laptop.put(f"zones/{path.name}", path.read_bytes()).rpartition("/")[0]
    return ["run", "pipeline", "--", "pipeline", "--dataset", "green", *words, "--zones", zones]


def steps(laptop: Laptop) -> dict[str, Any]:
    """Return the steps of the pipeline's journal."""
    written = laptop.in_lake("runs/pipeline-")
    journals = [json.loads(body) for key, body in written.items() if key.endswith("/manifest.json")]
    return dict(journals[0]["steps"]) if journals else {}


def test_an_interrupted_pipeline_is_resumed_and_publishes_a_model(laptop: Laptop, shared: Path) -> None:
    words = pipeline(laptop, shared)
    first = laptop.begin(*words)
    until(lambda: "train" in steps(laptop), 300, 0.5)
    runner.interrupt(laptop.client, "cabstand-dev", laptop.running("pipeline") or "")
    ended = laptop.local(*words, running=first, code=1)
    assert (ended["exit_code"], ended["stop_code"]) == (143, "SpotInterruption")
    assert ended["stopped_reason"] == "Your Spot Task was interrupted."
    assert steps(laptop)["train"]["status"] != "done"
    assert laptop.local(*words)["exit_code"] == 0
    assert {name: step["attempts"] for name, step in steps(laptop).items() if step["attempts"] > 1} == {"train": 2}
    assert steps(laptop)["publish"]["result"]["decision"] == "promoted"
    assert "versions/" in answer(f"curl -sf {laptop.state.address('emulator')}{site.PAGES}index.html")


def delivered(laptop: Laptop) -> str:
    """Return the prediction lines that the log subscription has brought into the lake."""
    today = f"predictions/date={datetime.now(UTC):%Y}"
    return "".join(gzip.decompress(one).decode() for one in laptop.in_lake(today).values())


def test_the_endpoint_predicts_with_the_key(stack: dict[str, Any], laptop: Laptop) -> None:
    assert laptop.ask_service("/v1/trip-duration/predict", RIDE)["status"] == 401
    predicted: dict[str, Any] = {}

    def predicts() -> bool:  # the function looks for a new model once a minute
        predicted.update(laptop.ask_service("/v1/trip-duration/predict", RIDE, stack["key"]))
        return "answer" in predicted

    until(predicts, 300, 1)
    print(predicted)
    until(lambda: RIDE["pickup_at"] in delivered(laptop), 120)


def test_a_function_without_concurrency_is_refused(stack: dict[str, Any], laptop: Laptop) -> None:
    """What is measured of it makes two alarms ring later by themselves."""
    functions, name = laptop.client("lambda"), {"FunctionName": "cabstand-dev-api"}
    before = functions.get_function_concurrency(**name).get("ReservedConcurrentExecutions")
    functions.put_function_concurrency(**name, ReservedConcurrentExecutions=0)

    def is_refused() -> bool:
        return bool(laptop.ask_service("/v1/models", key=stack["key"]).get("message") == "Service Unavailable")

    until(is_refused, 30)
    assert all(is_refused() for _ in range(5))
    functions.delete_function_concurrency(**name)
    if before is not None:
        functions.put_function_concurrency(**name, ReservedConcurrentExecutions=before)
    until(lambda: "models" in laptop.ask_service("/v1/models", key=stack["key"]), 30)
