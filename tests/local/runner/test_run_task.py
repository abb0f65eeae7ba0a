"""`cabstand run-task` starts a task where its definition says, shows its log as it comes, and prints its result."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cabstand.account import tasks
from cabstand.errors import LeftRunningError, TaskError
from cabstand.local.emulator.access import ROOT_KEYS
from ecs_cluster import Cluster, running

PROGRAM = """
import sys, time
print('{"level": "INFO", "logger": "job", "message": "begins"}', flush=True)
time.sleep(0.4)
print('{"words": "%s"}' % " ".join(sys.argv[1:]), flush=True)
print('{"level": "INFO", "logger": "job", "message": "ends"}', flush=True)
sys.exit("fail" in sys.argv)
"""


@pytest.fixture(scope="session")
def cluster(aws: Callable[[str], Any]) -> Cluster:
    """A cluster with a default of its own, as that of infra/."""
    made = Cluster(aws)
    strategy = [{"capacityProvider": "FARGATE", "weight": 1}]
    aws("ecs").put_cluster_capacity_providers(
        cluster=made.name, capacityProviders=["FARGATE"], defaultCapacityProviderStrategy=strategy
    )
    return made


@pytest.fixture(scope="session")
def family(cluster: Cluster) -> str:
    """A task definition with the settings that infra/ gives each of its own."""
    place = {
        "CABSTAND_ECS_CLUSTER": cluster.name,
        "CABSTAND_ECS_SUBNETS": cluster.subnet,
        "CABSTAND_ECS_SECURITY_GROUP": cluster.group,
        "CABSTAND_ECS_PUBLIC_ADDRESS": "true",
    }
    settings = [{"name": name, "value": value} for name, value in place.items()]
    log = cluster.logged()
    return cluster.define(
        "compare",
        environment=settings,
        entryPoint=[sys.executable, "-c", PROGRAM],
        command=["compare"],
        tags=[{"key": "Project", "value": "cabstand"}],
        **log,
    )


@pytest.fixture
def runs(aws: Callable[[str], Any], tmp_path: Path) -> Any:
    with running(aws, tmp_path):
        yield


def test_the_log_is_shown_once_and_in_order(
    aws: Callable[[str], Any], cluster: Cluster, family: str, runs: Any
) -> None:
    shown: list[str] = []
    arn = tasks.start(aws, family, added=["--repeats", "3"])
    ended = tasks.follow(aws, cluster.name, arn, shown.append, 60, 0.05)
    assert ended.exit_code == 0
    assert ended.result == {"words": "compare --repeats 3"}
    assert [json.loads(line).get("message") for line in shown] == ["begins", None, "ends"]
    task = cluster.task(arn)
    assert task["startedBy"] == "cabstand-run-task"
    assert {"key": "Project", "value": "cabstand"} in task["tags"]


def test_another_command_and_a_failure(aws: Callable[[str], Any], cluster: Cluster, family: str, runs: Any) -> None:
    arn = tasks.start(aws, family, ["monitor", "fail"])
    ended = tasks.follow(aws, cluster.name, arn, print, 60, 0.05)
    assert (ended.exit_code, ended.result) == (1, {"words": "monitor fail"})


def test_following_ends_and_the_task_goes_on(aws: Callable[[str], Any], cluster: Cluster, family: str) -> None:
    arn = tasks.start(aws, family)
    with pytest.raises(TaskError, match=r"is PROVISIONING after \d s.*it goes on"):
        tasks.follow(aws, cluster.name, arn, print, 0.2, 0.05)
    assert cluster.task(arn)["lastStatus"] == "PROVISIONING"
    cluster.stop(arn)


def test_whoever_interrupts_it_is_told_that_the_task_goes_on(
    aws: Callable[[str], Any], cluster: Cluster, family: str, runs: Any
) -> None:
    def interrupt(line: str) -> None:
        raise KeyboardInterrupt

    arn = tasks.start(aws, family)
    with pytest.raises(LeftRunningError, match=r"interrupted; the task goes on") as left:
        tasks.follow(aws, cluster.name, arn, interrupt, 60, 0.05)
    assert left.value.exit_code == 130
    assert f"stop-task --cluster {cluster.name} --task {arn.rpartition('/')[2]}" in str(left.value)
    assert tasks.follow(aws, cluster.name, arn, print, 60, 0.05).exit_code == 0


def test_a_task_that_ecs_does_not_know(aws: Callable[[str], Any], cluster: Cluster) -> None:
    with pytest.raises(TaskError, match="unknown to ECS"):
        tasks.follow(aws, cluster.name, "0123456789abcdef", print, 0.2, 0.05)


def test_the_command_prints_the_result_last(emulator_url: str, cluster: Cluster, family: str, runs: Any) -> None:
    project, _, environment = cluster.name.partition("-")
    line = [sys.executable, "-m", "cabstand", "run-task", "compare", "--project", project, "--environment", environment]
    env = {"PATH": "/usr/bin:/bin", "AWS_ENDPOINT_URL": emulator_url, "AWS_DEFAULT_REGION": "us-east-1", **ROOT_KEYS}
    env["PYTHONPATH"] = str(Path(tasks.__file__).parents[2])
    done = subprocess.run([*line, "--", "--repeats", "3"], env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["result"] == {"words": "compare --repeats 3"}
    assert '"message": "begins"' in done.stderr
    done = subprocess.run([*line, "--", "fail"], env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "compare: ended with exit code 1" in done.stderr
    line[4] = "nothing"
    done = subprocess.run(line, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    [said] = done.stderr.splitlines()
    assert "Unable to describe task definition" in said
