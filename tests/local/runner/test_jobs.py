"""Real jobs as tasks: they read and write the emulator's S3, and a distributed run has workers of its own."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from cabstand.local.runner import processes
from ecs_cluster import Cluster, result_of, running
from trip_files import write_parquet, zone_rows

pytestmark = pytest.mark.slow
Clients = Callable[[str], Any]
MONTH = "synthetic/trips/synth/2024-01.parquet"
GIB = 1024


class Jobs:
    """The cluster with a lake, and the task definitions of the product in small."""

    def __init__(self, aws: Clients) -> None:
        self.cluster = Cluster(aws)
        self.lake = f"s3://lake-{self.cluster.name}"
        aws("s3").create_bucket(Bucket=self.lake.removeprefix("s3://"))
        given = {
            "CABSTAND_LAKE": self.lake,
            "CABSTAND_HOME": "/work",
            "CABSTAND_LOG_JSON": "true",
            "CABSTAND_ECS_CLUSTER": self.cluster.name,
            "CABSTAND_ECS_WORKER_DEFINITION": f"{self.cluster.name}-dask-worker",
            "CABSTAND_ECS_SUBNETS": self.cluster.subnet,
            "CABSTAND_ECS_SECURITY_GROUP": self.cluster.group,
            "CABSTAND_TASK_LIFETIME_S": "600",
        }
        environment = [{"name": name, "value": value} for name, value in given.items()]
        common = {"entryPoint": ["cabstand"], "environment": environment, "stopTimeout": 60, **self.cluster.logged()}
        self.job = self.cluster.define("job", 1024, 4 * GIB, **common)
        self.worker = self.cluster.define("dask-worker", 1024, 4 * GIB, command=["dask-worker"], **common)

    def result(self, *command: str) -> dict[str, Any]:
        """Run a job to its end and return its result."""
        arn = self.cluster.start(self.job, list(command))
        task = self.cluster.ended(arn, 240)
        printed = self.cluster.lines(arn)
        assert task["containers"][0]["exitCode"] == 0, "\n".join(printed[-12:])
        return result_of(printed)

    def workers(self, status: str = "RUNNING") -> list[str]:
        ecs = self.cluster.ecs
        found = ecs.list_tasks(cluster=self.cluster.name, family=self.worker, desiredStatus=status)["taskArns"]
        return [arn for arn in found if self.cluster.task(arn)["lastStatus"] == "RUNNING"]


@pytest.fixture(scope="module")
def jobs(aws: Clients, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Jobs]:
    with running(aws, tmp_path_factory.mktemp("runner")):
        yield Jobs(aws)


@pytest.fixture(scope="module")
def month(jobs: Jobs) -> str:
    """A month of synthetic trips in the lake."""
    result = jobs.result("synth", "--trips", "20000", "--seed", "1")
    assert result["trips_uri"] == f"{jobs.lake}/{MONTH}"
    return str(result["trips_uri"])


def test_a_month_is_written_to_the_lake_and_clustered(jobs: Jobs, month: str) -> None:
    result = jobs.result("cluster", "--input", month, "--engine", "sequential", "--no-track")
    assert (result["engine"], result["n_points"]) == ("sequential", 20_000)
    assert result["hotspots_uri"].startswith(f"{jobs.lake}/")


def test_a_month_is_ingested_from_the_lake(jobs: Jobs, aws: Clients, tmp_path: Path) -> None:
    file = write_parquet(tmp_path / "raw.parquet", zone_rows(50))
    aws("s3").put_object(Bucket=jobs.lake.removeprefix("s3://"), Key="raw.parquet", Body=file.read_bytes())
    # A lake of its own: real and synthetic trips do not meet.
    command = ["ingest", "--dataset", "yellow", "--month", "2024-01", "--source", f"{jobs.lake}/raw.parquet"]
    command += ["--lake", f"{jobs.lake}/real"]
    result = jobs.result(*command)
    assert (result["rows_in"], result["trips_uri"]) == (50, f"{jobs.lake}/real/trips/yellow/2024-01.parquet")
    again = jobs.result(*command)
    assert (result["repeated"], again["repeated"]) == (False, True)


DASK = ["--engine", "dask", "--scheduler", "ecs", "--workers", "2", "--no-track"]


def test_a_distributed_run_starts_workers_and_stops_them(jobs: Jobs, month: str) -> None:
    alone = jobs.result("cluster", "--input", month, "--engine", "sequential", "--no-track", "--eps-m", "40")
    together = jobs.result("cluster", "--input", month, "--eps-m", "40", *DASK)
    names = ("n_points", "n_clusters", "n_noise", "n_core")
    assert [together[name] for name in names] == [alone[name] for name in names]
    assert together["n_workers"] == 2
    stopped = jobs.cluster.ecs.list_tasks(cluster=jobs.cluster.name, family=jobs.worker, desiredStatus="STOPPED")
    ended = [jobs.cluster.ended(arn) for arn in stopped["taskArns"]]
    assert len(ended) == 2
    assert jobs.workers() == []


@pytest.mark.parametrize("end", ["StopTask", "SIGKILL"])
def test_no_worker_outlives_its_run(jobs: Jobs, month: str, end: str) -> None:
    # So many blocks that the run is still at work when it is ended.
    command = ["cluster", "--input", month, "--blocks", "400", "--eps-m", "60" if end == "SIGKILL" else "61", *DASK]
    driver = jobs.cluster.start(jobs.job, command)
    workers = until(lambda: found if len(found := jobs.workers()) == 2 else None)
    listening = {
        one.laddr.ip
        for arn in (driver, *workers)
        for process in processes.members(arn.rpartition("/")[2])
        for one in process.net_connections("tcp")
        if one.status == psutil.CONN_LISTEN
    }
    assert listening <= {"127.0.0.1"}
    if end == "StopTask":
        jobs.cluster.stop(driver)
    else:
        for process in processes.members(driver.rpartition("/")[2]):
            process.kill()
    task = jobs.cluster.ended(driver, 90)
    assert task["containers"][0]["exitCode"] == (143 if end == "StopTask" else 137), jobs.cluster.lines(driver)
    for arn in workers:
        jobs.cluster.ended(arn, 120)  # "no orphan task after two minutes"


def test_a_job_that_reaches_its_time_limit_says_so(jobs: Jobs, tmp_path: Path) -> None:
    words = ["--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--scheduler-file", str(tmp_path / "scheduler")]
    with subprocess.Popen([sys.executable, "-m", "distributed.cli.dask_scheduler", *words]) as scheduler:
        until((tmp_path / "scheduler").exists)
        address = json.loads((tmp_path / "scheduler").read_text())["address"]
        given = {"CABSTAND_TASK_LIFETIME_S": "60", "DASK_SCHEDULER_ADDRESS": address}  # the least
        pairs = [{"name": name, "value": value} for name, value in given.items()]
        override = {"name": "task", "environment": pairs}
        arn = jobs.cluster.start(jobs.worker, overrides={"containerOverrides": [override]})
        task = jobs.cluster.ended(arn, 120)
        scheduler.terminate()
    assert task["containers"][0]["exitCode"] == 0, jobs.cluster.lines(arn)
    assert result_of(jobs.cluster.lines(arn))["ended_by"] == "lifetime"


def test_a_spot_interruption_lets_a_job_clean_up(jobs: Jobs, aws: Clients, month: str) -> None:
    from cabstand.local import runner

    command = ["cluster", "--input", month, "--blocks", "400", "--eps-m", "62", *DASK]
    driver = jobs.cluster.start(jobs.job, command)
    workers = until(lambda: found if len(found := jobs.workers()) == 2 else None)
    runner.interrupt(aws, jobs.cluster.name, driver)
    task = jobs.cluster.ended(driver, 90)
    assert (task["stopCode"], task["containers"][0]["exitCode"]) == ("SpotInterruption", 143)
    for arn in workers:
        assert jobs.cluster.ended(arn, 30)["stoppedReason"] == "the run has ended"


def until(probe: Callable[[], Any], seconds: float = 120) -> Any:
    end = time.monotonic() + seconds
    while not (found := probe()):
        assert time.monotonic() < end
        time.sleep(0.2)
    return found
