"""Tasks really run: what they get, how they end, and what ECS tells of them."""

from __future__ import annotations

import json
import os
import sys
import textwrap
import time
from collections.abc import Callable
from typing import Any

import pytest

from cabstand.local import runner
from cabstand.local.runner import processes
from ecs_cluster import Cluster

pytestmark = pytest.mark.usefixtures("running")
Clients = Callable[[str], Any]
PYTHON = ["python3", "-c"]
TRUST = json.dumps({"Version": "2012-10-17", "Statement": []})


@pytest.fixture(scope="session")
def roles(aws: Clients) -> dict[str, str]:
    """The two roles of a task."""
    iam = aws("iam")
    found = {name: iam.create_role(RoleName=name, AssumeRolePolicyDocument=TRUST) for name in ("job", "execution")}
    return {name: answer["Role"]["Arn"] for name, answer in found.items()}


@pytest.fixture(scope="session")
def logged(aws: Clients, roles: dict[str, str]) -> dict[str, Any]:
    """What a definition needs for logs in the group `/runner`."""
    aws("logs").create_log_group(logGroupName="/runner")
    options = {"awslogs-group": "/runner", "awslogs-region": "us-east-1", "awslogs-stream-prefix": "run"}
    log = {"logDriver": "awslogs", "options": options}
    return {"logConfiguration": log, "executionRoleArn": roles["execution"], "taskRoleArn": roles["job"]}


def lines(aws: Clients, arn: str) -> list[str]:
    stream = f"run/task/{arn.rpartition('/')[2]}"
    events = aws("logs").get_log_events(logGroupName="/runner", logStreamName=stream, startFromHead=True)["events"]
    return [event["message"] for event in events]


def ended(cluster: Cluster, arn: str, seconds: float = 60) -> dict[str, Any]:
    """Wait for the end, see that no process is left, and return the task."""
    task = cluster.until(arn, "STOPPED", seconds)
    assert list(processes.members(arn.rpartition("/")[2])) == []
    return task


def why(task: dict[str, Any]) -> tuple[Any, ...]:
    (container,) = task["containers"]
    return task["stopCode"], task["stoppedReason"], container.get("exitCode"), container.get("reason")


def script(text: str) -> list[str]:
    return [textwrap.dedent(text)]


@pytest.mark.parametrize("code", [0, 3])
def test_exit_code_and_output(cluster: Cluster, aws: Clients, logged: dict[str, Any], code: int) -> None:
    family = cluster.define(entryPoint=PYTHON, **logged)
    said = "print('one', flush=True); print('', flush=True); print('zwei \\u00e9', file=sys.stderr, flush=True)"
    arn = cluster.start(family, [f"import sys; {said}; sys.exit({code})"])
    task = ended(cluster, arn)
    assert why(task) == ("EssentialContainerExited", "Essential container in task exited", code, None)
    times = [task[name] for name in ("createdAt", "pullStartedAt", "pullStoppedAt", "startedAt", "stoppedAt")]
    assert times == sorted(times)
    assert lines(aws, arn) == ["one", "zwei \u00e9"]


def test_many_lines_arrive_in_order(cluster: Cluster, aws: Clients, logged: dict[str, Any]) -> None:
    family = cluster.define(entryPoint=PYTHON, **logged)
    arn = cluster.start(family, ["for i in range(3000): print(i)\nprint('x' * 100_000)"])
    ended(cluster, arn)
    found, token = [], {}
    while True:
        answer = aws("logs").get_log_events(
            logGroupName="/runner", logStreamName=f"run/task/{arn.rpartition('/')[2]}", startFromHead=True, **token
        )
        if not answer["events"]:
            break
        found += [event["message"] for event in answer["events"]]
        token = {"nextToken": answer["nextForwardToken"]}
    assert found[:3000] == [str(i) for i in range(3000)]
    assert "".join(found[3000:]) == "x" * 100_000


def test_environment_and_command_of_the_overrides(cluster: Cluster, aws: Clients, logged: dict[str, Any]) -> None:
    pairs = [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}, {"name": "HOME", "value": "/work"}]
    family = cluster.define(cpu=1024, entryPoint=PYTHON, command=["print('never')"], environment=pairs, **logged)
    program = script("""
        import json, os, tempfile
        open(os.environ["HOME"] + "/kept", "w").close()
        with tempfile.NamedTemporaryFile() as file:
            shown = {name: os.environ.get(name) for name in ("A", "B", "C", "AWS_REGION", "PYTEST_CURRENT_TEST")}
            shown |= {"files": os.listdir(), "cores": len(os.sched_getaffinity(0)), "tmp": file.name}
        print(json.dumps(shown))
    """)
    changed = [{"name": "B", "value": "3"}, {"name": "C", "value": "4"}]
    override = {"name": "task", "command": program, "environment": changed}
    arn = cluster.start(family, overrides={"containerOverrides": [override]})
    ended(cluster, arn)
    shown = json.loads(lines(aws, arn)[0])
    assert not os.path.lexists(shown.pop("tmp"))
    assert shown == {
        "A": "1",
        "B": "3",
        "C": "4",
        "AWS_REGION": "us-east-1",
        "PYTEST_CURRENT_TEST": None,
        "files": ["kept"],
        "cores": 1,
    }


def test_role_and_metadata(cluster: Cluster, aws: Clients, logged: dict[str, Any], roles: dict[str, str]) -> None:
    family = cluster.define(entryPoint=PYTHON, **logged)
    program = script("""
        import boto3, json, os, urllib.request, urllib.error
        uri = os.environ["ECS_CONTAINER_METADATA_URI_V4"]
        task = json.load(urllib.request.urlopen(uri + "/task"))
        assert json.load(urllib.request.urlopen(uri))["Name"] == "task"
        try:
            urllib.request.urlopen(os.environ["AWS_CONTAINER_CREDENTIALS_FULL_URI"])
        except urllib.error.HTTPError as error:
            refused = error.code
        who = boto3.client("sts").get_caller_identity()["Arn"]
        print(json.dumps([who, refused, task["TaskARN"], task["Containers"][0]["Networks"][0]["IPv4Addresses"]]))
    """)
    arn = cluster.start(family, program)
    task = ended(cluster, arn)
    assert task["containers"][0]["exitCode"] == 0, lines(aws, arn)
    who, refused, named, addresses = json.loads(lines(aws, arn)[0])
    assert who.startswith("arn:aws:sts::123456789012:assumed-role/job/")
    assert (refused, named, addresses) == (403, arn, ["127.0.0.1"])


def test_secrets(cluster: Cluster, aws: Clients, logged: dict[str, Any]) -> None:
    value = json.dumps({"username": "u", "password": "p"})
    secret = aws("secretsmanager").create_secret(Name="runner", SecretString=value)["ARN"]
    aws("ssm").put_parameter(Name="/runner/plain", Value="s", Type="SecureString")
    sources = {"USER_NAME": f"{secret}:username::", "WHOLE": secret, "PLAIN": "/runner/plain"}
    sources["BY_ARN"] = "arn:aws:ssm:us-east-1:123456789012:parameter/runner/plain"
    secrets = [{"name": name, "valueFrom": source} for name, source in sources.items()]
    family = cluster.define(entryPoint=PYTHON, secrets=secrets, **logged)
    arn = cluster.start(family, [f"import os; print([os.environ[name] for name in {list(sources)}])"])
    ended(cluster, arn)
    assert lines(aws, arn) == [str(["u", value, "s", "s"])]


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("arn:aws:secretsmanager:us-east-1:123456789012:secret:absent-AbCdEf", "ResourceNotFoundException"),
        ("/absent", "invalid ssm parameters: /absent"),
    ],
)
def test_a_missing_secret_stops_the_task(cluster: Cluster, logged: dict[str, Any], source: str, told: str) -> None:
    family = cluster.define(entryPoint=PYTHON, secrets=[{"name": "S", "valueFrom": source}], **logged)
    task = ended(cluster, cluster.start(family, ["print('never')"]))
    code, reason, *rest = why(task)
    assert (code, rest) == ("TaskFailedToStart", [None, None])
    assert reason.startswith("ResourceInitializationError: unable to pull secrets or registry auth: ")
    assert told in reason
    assert "startedAt" not in task


def test_a_foreign_image_cannot_be_pulled(cluster: Cluster) -> None:
    task = ended(cluster, cluster.start(cluster.define(image="docker.io/library/absent:1")))
    code, reason, exit_code, container = why(task)
    assert (code, exit_code) == ("TaskFailedToStart", None)
    assert reason.startswith("CannotPullContainerError: pull image manifest has been retried 1 time(s)")
    assert reason == container


def test_an_absent_log_group_stops_the_task(cluster: Cluster, logged: dict[str, Any]) -> None:
    options = logged["logConfiguration"]["options"] | {"awslogs-group": "/absent"}
    family = cluster.define(**(logged | {"logConfiguration": {"logDriver": "awslogs", "options": options}}))
    code, reason, *_ = why(ended(cluster, cluster.start(family)))
    assert code == "TaskFailedToStart"
    assert reason.startswith("ResourceInitializationError: failed to validate logger args: ")


WAIT = "import time; print('up', flush=True); time.sleep(600)"
CAREFUL = """
    import signal, sys, time
    def end(*_):
        print("cleaned up", flush=True)
        sys.exit(7)
    signal.signal(signal.SIGTERM, end)
    print("up", flush=True)
    time.sleep(600)
"""
DEAF = """
    import os, signal, subprocess, sys, time
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    child = "import time; time.sleep(600)"
    subprocess.Popen([sys.executable, "-c", child], start_new_session=True)
    print("up", flush=True)
    time.sleep(600)
"""


def started(cluster: Cluster, aws: Clients, family: str, program: list[str], **request: Any) -> str:
    """Start a task and wait until it says that it is up."""
    arn = cluster.start(family, program, **request)
    cluster.until(arn, "RUNNING")
    end = time.monotonic() + 30
    while lines(aws, arn) != ["up"]:
        assert time.monotonic() < end
        time.sleep(0.1)
    return arn


@pytest.mark.parametrize(("program", "code"), [(CAREFUL, 7), (WAIT, 143), (DEAF, 137)])
def test_stopped(cluster: Cluster, aws: Clients, logged: dict[str, Any], program: str, code: int) -> None:
    family = cluster.define(entryPoint=PYTHON, stopTimeout=2, **logged)
    arn = started(cluster, aws, family, script(program))
    began = time.monotonic()
    cluster.stop(arn, "enough")
    task = ended(cluster, arn)
    assert why(task) == ("UserInitiated", "enough", code, None)
    assert (time.monotonic() - began >= 2) == (program == DEAF)
    assert lines(aws, arn) == ["up", *["cleaned up"] * (program == CAREFUL)]


def test_spot_interruption(cluster: Cluster, aws: Clients, logged: dict[str, Any]) -> None:
    family = cluster.define(entryPoint=PYTHON, stopTimeout=100, **logged)
    arn = started(cluster, aws, family, script(DEAF))
    runner.interrupt(aws, cluster.name, arn)
    warned = cluster.task(arn)
    assert (warned["desiredStatus"], warned["stopCode"]) == ("STOPPED", "SpotInterruption")
    assert why(ended(cluster, arn)) == ("SpotInterruption", "Your Spot Task was interrupted.", 137, None)


def test_what_waits_for_room_starts_later_or_is_stopped(cluster: Cluster, aws: Clients, logged: dict[str, Any]) -> None:
    large = cluster.define("large", cpu=4096, memory=8192, entryPoint=PYTHON, **logged)
    first = started(cluster, aws, large, [WAIT])
    second, third = cluster.start(large, [WAIT]), cluster.start(large, [WAIT])
    time.sleep(1)
    assert {cluster.task(arn)["lastStatus"] for arn in (second, third)} == {"PROVISIONING"}
    cluster.stop(third, "no longer wanted")
    assert why(ended(cluster, third)) == ("UserInitiated", "no longer wanted", None, None)
    cluster.stop(first)
    ended(cluster, first)
    cluster.until(second, "RUNNING")
    cluster.stop(second)
    ended(cluster, second)


def test_a_task_of_the_batch_image_is_this_cabstand(cluster: Cluster, aws: Clients, logged: dict[str, Any]) -> None:
    arn = cluster.start(cluster.define(memory=2048, **logged), ["--version"])
    assert ended(cluster, arn)["containers"][0]["exitCode"] == 0, lines(aws, arn)
    assert lines(aws, arn)[0].startswith("cabstand ")


def test_the_same_token_runs_once(cluster: Cluster, aws: Clients, logged: dict[str, Any]) -> None:
    family = cluster.define(entryPoint=PYTHON, **logged)
    arns = {cluster.start(family, ["print('once')"], clientToken="one") for _ in range(3)}
    (arn,) = arns
    ended(cluster, arn)
    assert lines(aws, arn) == ["once"]
    assert sys.executable
