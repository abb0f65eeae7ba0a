"""Third: parts and tasks are killed, a permission is taken away, and the account goes on."""

from __future__ import annotations

import pytest

from cabstand.local.runner import processes
from cabstand.local.stack import status
from laptop import Laptop
from taken_away import without
from waiting import until

pytestmark = pytest.mark.story

# Long enough to be killed in the midst.
LONG = ["run", "compare", "--", "compare", "--input", "newest:green", "--repeats", "100", "--no-track"]
CLUSTER = ["run", "cluster-sequential", "--", "cluster", "--input", "newest:green", "--engine", "sequential"]
ROLE, ACTION = "cabstand-dev-task-clustering", "s3:PutObject"


def begun(laptop: Laptop) -> tuple[object, str]:
    """Begin a long task; return its command and the task's id, once it runs."""
    command = laptop.begin(*LONG)
    until(lambda: laptop.running("compare"), 60, 0.5)
    return command, laptop.running("compare") or ""


def test_a_task_is_followed_as_long_as_wished(laptop: Laptop) -> None:
    _, error = laptop.begin("run", "--limit-s", "2", *LONG[1:]).communicate(timeout=120)
    *_, task = laptop.tasks("compare")
    laptop.client("ecs").stop_task(cluster="cabstand-dev", task=task["id"], reason="enough")
    until(lambda: laptop.tasks("compare")[-1]["status"] == "STOPPED", 130)
    assert task["status"] != "STOPPED"
    assert "s, and is followed no longer (it goes on;" in error.splitlines()[-1]


def test_a_killed_task_is_told(laptop: Laptop) -> None:
    command, task = begun(laptop)
    assert processes.kill(task) > 0
    ended = laptop.local(*LONG, running=command, code=1)
    assert (ended["exit_code"], ended["stop_code"]) == (137, "EssentialContainerExited")
    assert [one["exit_code"] for one in laptop.tasks("compare") if one["id"] == task] == [137]


def test_a_killed_runner_takes_its_tasks_with_it_and_runs_again(laptop: Laptop) -> None:
    command, task = begun(laptop)
    laptop.kill("services")
    ended = laptop.local(*LONG, running=command, code=1)
    assert (ended["exit_code"], ended["stopped_reason"]) == (137, "The runner of the task has ended.")
    assert not list(processes.members(task))
    until(lambda: laptop.has_recovered("services"), 60)
    assert laptop.reads("supervisor", "services runs again as process")


def test_killed_servers_run_again_with_what_they_had(laptop: Laptop) -> None:
    before = {run["info"]["run_id"] for run in laptop.runs()}
    assert before
    for name in ("postgres", "mlflow"):
        laptop.kill(name)
        until(lambda name=name: laptop.has_recovered(name), 240, 0.5)  # type: ignore[misc]
        assert laptop.reads("supervisor", f"{name} runs again as process")
    until(lambda: {run["info"]["run_id"] for run in laptop.runs()} == before, 60, 1)


def test_a_task_without_a_permission_names_the_call_and_its_role(laptop: Laptop) -> None:
    assert status.denied(laptop.state) == []  # of all that has happened so far
    with without(laptop.client("iam"), ROLE, ACTION):
        assert laptop.local(*CLUSTER, code=1)["exit_code"] == 1
    assert laptop.reads("cluster-sequential", f"assumed-role/{ROLE}/")
    assert laptop.reads("cluster-sequential", f"is not authorized to perform: {ACTION} on resource: ")
    assert {(one["role"], one["action"]) for one in status.denied(laptop.state)} == {(ROLE, ACTION)}
    assert laptop.local(*CLUSTER)["exit_code"] == 0


def test_a_distributed_run_starts_workers_and_stops_them(laptop: Laptop) -> None:
    month = f"{laptop.outputs['lake_uri']}/trips/green/2013-08.parquet"  # the others have zones alone
    words = ["--input", month, "--engine", "dask", "--scheduler", "ecs", "--workers", "2", "--eps-m", "60"]
    before = len(laptop.tasks("dask-worker"))
    assert laptop.local("run", "cluster-multicore", "--", "cluster", *words)["exit_code"] == 0
    until(lambda: {one["status"] for one in laptop.tasks("dask-worker")} == {"STOPPED"}, 60)
    assert [one["reason"] for one in laptop.tasks("dask-worker")[before:]] == ["the run has ended"] * 2


def test_alarms_have_rung_by_themselves(laptop: Laptop) -> None:
    """The killed tasks are in the dead-letter queue, and the function was refused."""
    for name in ("jobs-not-started", "api-errors", "api-throttled"):
        until(lambda name=name: laptop.reads("services", f"cabstand-dev-{name}: ALARM"), 150, 2)  # type: ignore[misc]
