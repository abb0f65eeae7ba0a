"""ECS tasks: started together or not at all, and stopped; and a distributed run whose tasks really run."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cabstand.errors import ConfigError, TaskError
from cabstand.io import aws, ecs_tasks
from cabstand.local.ports import free_port


class Ecs:
    """A cluster and a worker's definition on the emulator."""

    def __init__(self, client: Any) -> None:
        self.client = client
        ec2 = aws.client("ec2")
        vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        ec2.modify_vpc_attribute(VpcId=vpc, EnableDnsHostnames={"Value": True})
        subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.0.0/24")["Subnet"]["SubnetId"]
        group = ec2.create_security_group(GroupName=f"g{vpc}", Description="x", VpcId=vpc)["GroupId"]
        self.name = f"cabstand-{vpc}"
        client.create_cluster(clusterName=self.name)
        client.register_task_definition(
            family=f"{self.name}-dask-worker",
            networkMode="awsvpc",
            requiresCompatibilities=["FARGATE"],
            cpu="1024",
            memory="2048",
            containerDefinitions=[{"name": "task", "image": "example", "memory": 2048}],
        )
        self.fleet = ecs_tasks.Fleet(self.name, f"{self.name}-dask-worker", (subnet,), group, lifetime_s=600)

    def tasks(self, status: str = "RUNNING") -> list[dict[str, Any]]:
        arns = self.client.list_tasks(cluster=self.name, desiredStatus=status)["taskArns"]
        return self.client.describe_tasks(cluster=self.name, tasks=arns, include=["TAGS"])["tasks"] if arns else []  # type: ignore[no-any-return]


@pytest.fixture
def ecs(moto_server: str, bucket: str) -> Iterator[Ecs]:
    """The emulator's own state machine would end tasks by itself; here they end when they are stopped."""
    del bucket  # for the environment that it sets
    aws.client.cache_clear()
    yield Ecs(aws.client("ecs"))
    aws.client.cache_clear()


def test_tasks_are_started_and_stopped(ecs: Ecs) -> None:
    arns = ecs_tasks.start(ecs.fleet, 12, {"DASK_SCHEDULER_ADDRESS": "tls://10.0.0.5:8786"})
    assert len(set(arns)) == 12
    task = ecs.tasks()[0]
    (run,) = (tag["value"] for tag in task["tags"] if tag["key"] == "Run")
    assert {task["startedBy"] for task in ecs.tasks()} == {f"cabstand-{run}"}
    told = {pair["name"]: pair["value"] for pair in task["overrides"]["containerOverrides"][0]["environment"]}
    assert told == {"DASK_SCHEDULER_ADDRESS": "tls://10.0.0.5:8786", "CABSTAND_TASK_LIFETIME_S": "600"}
    assert {"key": "LifetimeSeconds", "value": "600"} in task["tags"]
    ecs_tasks.stop(ecs.name, arns, "the run has ended")
    ecs_tasks.stop(ecs.name, [*arns, arns[0]], "again")
    assert ecs.tasks() == []


def test_a_fleet_without_settings_is_refused() -> None:
    with pytest.raises(ConfigError, match="CABSTAND_ECS_CLUSTER, CABSTAND_ECS_SUBNETS not set"):
        ecs_tasks.Fleet("", "d", (), "sg")
    with pytest.raises(ConfigError, match="CABSTAND_ECS_WORKER_DEFINITION"):
        ecs_tasks.Fleet("c", "", ("s",), "sg")


def test_all_or_none(ecs: Ecs, monkeypatch: pytest.MonkeyPatch) -> None:
    real, calls = aws.client("ecs"), []

    class Poor:
        def run_task(self, **options: Any) -> Any:
            calls.append(options["clientToken"])
            if len(calls) == 2:
                return {"tasks": [], "failures": [{"reason": "Capacity is unavailable at this time"}]}
            return real.run_task(**options)

        def stop_task(self, **options: Any) -> Any:
            return real.stop_task(**options)

    monkeypatch.setattr(ecs_tasks, "client", lambda service: Poor())
    with pytest.raises(TaskError, match="Capacity is unavailable"):
        ecs_tasks.start(ecs.fleet, 15, {})
    assert len(set(calls)) == 2
    assert [task["desiredStatus"] for task in ecs.tasks()] == []


class Runner:
    """What ECS is for: starts the command of each task that the emulator lists, and ends it when it is stopped."""

    def __init__(self, ecs: Ecs, log: Path) -> None:
        self.ecs, self.log = ecs, log
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.over = threading.Event()
        self.thread = threading.Thread(target=self._loop)

    def _loop(self) -> None:
        while not self.over.wait(0.3):
            there = {task["taskArn"]: task for task in self.ecs.tasks()}
            for arn in there.keys() - self.processes.keys():
                pairs = there[arn]["overrides"]["containerOverrides"][0]["environment"]
                environment = os.environ | {pair["name"]: pair["value"] for pair in pairs}
                words = [sys.executable, "-m", "cabstand", "dask-worker", "--workers", "1"]
                with self.log.open("ab") as log:
                    self.processes[arn] = subprocess.Popen(words, env=environment, stdout=log, stderr=log)
            for arn in self.processes.keys() - there.keys():
                self.processes[arn].terminate()

    def __enter__(self) -> Runner:
        self.thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.over.set()
        self.thread.join()
        for process in self.processes.values():
            process.kill()
            process.wait()

    def ended(self) -> bool:
        return all(process.poll() is not None for process in self.processes.values())


DRIVER = """
import json, os, sys, time
from cabstand.io import ecs_tasks
from cabstand.io.dask import ecs_workers
fleet = ecs_tasks.Fleet(**json.loads(sys.argv[1]))
with ecs_workers.on_ecs(fleet, 2, sys.argv[2], host="127.0.0.1", port=int(sys.argv[3])) as client:
    print(sorted(client.map(abs, [-2, -1, 3]), key=str) and client.gather(client.map(abs, [-2, -1, 3])), flush=True)
    time.sleep(float(sys.argv[4]))
"""


@pytest.mark.slow
@pytest.mark.parametrize("end", ["well", "SIGTERM", "SIGKILL"])
def test_no_worker_outlives_its_run(ecs: Ecs, bucket: str, tmp_path: Path, end: str) -> None:
    fleet = json.dumps(
        {name: getattr(ecs.fleet, name) for name in ("cluster", "definition", "subnets", "security_group")}
    )
    words = [
        sys.executable,
        "-c",
        DRIVER,
        fleet,
        f"s3://{bucket}/run",
        str(free_port()),
        "0" if end == "well" else "600",
    ]
    with (
        Runner(ecs, tmp_path / "log") as runner,
        (tmp_path / "driver").open("wb") as errors,
        subprocess.Popen(words, stdout=subprocess.PIPE, stderr=errors, text=True) as driver,
    ):
        try:
            assert driver.stdout is not None
            assert driver.stdout.readline().strip() == "[2, 1, 3]", (tmp_path / "driver").read_text()
            assert len(runner.processes) == 2
            if end != "well":
                driver.send_signal(getattr(signal, end))
            assert driver.wait(timeout=120) == {"well": 0, "SIGTERM": 143, "SIGKILL": -9}[end]
            finish = time.monotonic() + 120  # "no orphan task after two minutes"
            while not runner.ended() and time.monotonic() < finish:
                time.sleep(0.5)
            assert runner.ended(), (tmp_path / "log").read_text()
            if end != "SIGKILL":
                assert ecs.tasks() == []
                assert aws.client("s3").list_objects_v2(Bucket=bucket).get("KeyCount") == 0
        finally:
            driver.kill()
