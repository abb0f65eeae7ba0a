"""Tasks really run: what they get, how they end, and what ECS tells of them."""

from __future__ import annotations

import json
import textwrap
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from cabstand.local import runner
from cabstand.local.runner import memory
from ecs_cluster import Cluster, running

Clients = Callable[[str], Any]
PYTHON = ["python3", "-c"]
ADDRESSES = {"http://10.0.0.10:5000": "http://127.0.0.1:4321"}


@pytest.fixture(scope="module", autouse=True)
def runner_there(aws: Clients, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with running(aws, tmp_path_factory.mktemp("runner"), vcpus=4, spot_notice_s=0.5, addresses=ADDRESSES):
        yield


def why(task: dict[str, Any]) -> tuple[Any, ...]:
    (container,) = task["containers"]
    return task["stopCode"], task["stoppedReason"], container.get("exitCode"), container.get("reason")


def script(text: str) -> list[str]:
    return [textwrap.dedent(text)]


@pytest.mark.parametrize("code", [0, 3])
def test_exit_code_and_output(cluster: Cluster, code: int) -> None:
    family = cluster.define(entryPoint=PYTHON, **cluster.logged())
    said = "print('one', flush=True); print('', flush=True); print('zwei \\u00e9', file=sys.stderr, flush=True)"
    arn = cluster.start(family, [f"import sys; {said}; sys.exit({code})"])
    task = cluster.ended(arn)
    assert why(task) == ("EssentialContainerExited", "Essential container in task exited", code, None)
    times = [task[name] for name in ("createdAt", "pullStartedAt", "pullStoppedAt", "startedAt", "stoppedAt")]
    assert times == sorted(times)
    assert cluster.lines(arn) == ["one", "zwei \u00e9"]


def test_many_lines_arrive_in_order(cluster: Cluster) -> None:
    family = cluster.define(entryPoint=PYTHON, **cluster.logged())
    arn = cluster.start(family, ["for i in range(3000): print(i)\nprint('x' * 100_000)"])
    cluster.ended(arn)
    found = cluster.lines(arn)
    assert found[:3000] == [str(i) for i in range(3000)]
    assert "".join(found[3000:]) == "x" * 100_000


def test_addresses_of_the_network_are_those_of_this_machine(cluster: Cluster) -> None:
    pairs = [{"name": "SERVER", "value": "http://10.0.0.10:5000/path"}, {"name": "OTHER", "value": "10.0.0.10:5000"}]
    family = cluster.define(entryPoint=PYTHON, environment=pairs, **cluster.logged())
    arn = cluster.start(family, ["import os; print(os.environ['SERVER'], os.environ['OTHER'])"])
    cluster.ended(arn)
    assert cluster.lines(arn) == ["http://127.0.0.1:4321/path 10.0.0.10:5000"]


def test_environment_and_command_of_the_overrides(cluster: Cluster, boxed: bool) -> None:
    pairs = [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}, {"name": "HOME", "value": "/work"}]
    family = cluster.define(
        cpu=1024, entryPoint=PYTHON, command=["print('never')"], environment=pairs, **cluster.logged()
    )
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
    cluster.ended(arn)
    shown = json.loads(cluster.lines(arn)[0])
    assert shown.pop("tmp").startswith("/tmp/tmp") == boxed
    assert shown == {
        "A": "1",
        "B": "3",
        "C": "4",
        "AWS_REGION": "us-east-1",
        "PYTEST_CURRENT_TEST": None,
        "files": ["kept"],
        "cores": 1,
    }


def test_role_and_metadata(
    cluster: Cluster,
) -> None:
    family = cluster.define(entryPoint=PYTHON, **cluster.logged())
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
    task = cluster.ended(arn)
    assert task["containers"][0]["exitCode"] == 0, cluster.lines(arn)
    who, refused, named, addresses = json.loads(cluster.lines(arn)[0])
    assert who.startswith("arn:aws:sts::123456789012:assumed-role/job-")
    assert (refused, named, addresses) == (403, arn, ["127.0.0.1"])


def test_secrets(cluster: Cluster, aws: Clients) -> None:
    value = json.dumps({"username": "u", "password": "p"})
    secret = aws("secretsmanager").create_secret(Name="runner", SecretString=value)["ARN"]
    aws("ssm").put_parameter(Name="/runner/plain", Value="s", Type="SecureString")
    sources = {"USER_NAME": f"{secret}:username::", "WHOLE": secret, "PLAIN": "/runner/plain"}
    sources["BY_ARN"] = "arn:aws:ssm:us-east-1:123456789012:parameter/runner/plain"
    secrets = [{"name": name, "valueFrom": source} for name, source in sources.items()]
    family = cluster.define(entryPoint=PYTHON, secrets=secrets, **cluster.logged())
    arn = cluster.start(family, [f"import os; print([os.environ[name] for name in {list(sources)}])"])
    cluster.ended(arn)
    assert cluster.lines(arn) == [str(["u", value, "s", "s"])]


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("arn:aws:secretsmanager:us-east-1:123456789012:secret:absent-AbCdEf", "ResourceNotFoundException"),
        ("/absent", "invalid ssm parameters: /absent"),
    ],
)
def test_a_missing_secret_stops_the_task(cluster: Cluster, source: str, told: str) -> None:
    family = cluster.define(entryPoint=PYTHON, secrets=[{"name": "S", "valueFrom": source}], **cluster.logged())
    task = cluster.ended(cluster.start(family, ["print('never')"]))
    code, reason, *rest = why(task)
    assert (code, rest) == ("TaskFailedToStart", [None, None])
    assert reason.startswith("ResourceInitializationError: unable to pull secrets or registry auth: ")
    assert told in reason
    assert "startedAt" not in task


def test_a_foreign_image_cannot_be_pulled(cluster: Cluster) -> None:
    task = cluster.ended(cluster.start(cluster.define(image="docker.io/library/absent:1")))
    code, reason, exit_code, container = why(task)
    assert (code, exit_code) == ("TaskFailedToStart", None)
    assert reason.startswith("CannotPullContainerError: pull image manifest has been retried 1 time(s)")
    assert reason == container


def test_an_absent_log_group_stops_the_task(cluster: Cluster) -> None:
    options = cluster.logged()["logConfiguration"]["options"] | {"awslogs-group": "/absent"}
    family = cluster.define(**(cluster.logged() | {"logConfiguration": {"logDriver": "awslogs", "options": options}}))
    code, reason, *_ = why(cluster.ended(cluster.start(family)))
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


@pytest.mark.parametrize(("program", "code"), [(CAREFUL, 7), (WAIT, 143), (DEAF, 137)])
def test_stopped(cluster: Cluster, boxed: bool, program: str, code: int) -> None:
    family = cluster.define(entryPoint=PYTHON, stopTimeout=2, **cluster.logged())
    arn = cluster.up(family, script(program))
    began = time.monotonic()
    cluster.stop(arn, "enough")
    task = cluster.ended(arn)
    assert why(task) == ("UserInitiated", "enough", code, None)
    assert (time.monotonic() - began >= 2) == (program == DEAF)
    assert cluster.lines(arn) == ["up", *["cleaned up"] * (program == CAREFUL)]


def test_spot_interruption(cluster: Cluster, aws: Clients) -> None:
    family = cluster.define(entryPoint=PYTHON, stopTimeout=100, **cluster.logged())
    arn = cluster.up(family, script(DEAF))
    runner.interrupt(aws, cluster.name, arn)
    warned = cluster.task(arn)
    assert (warned["desiredStatus"], warned["stopCode"]) == ("STOPPED", "SpotInterruption")
    assert why(cluster.ended(arn)) == ("SpotInterruption", "Your Spot Task was interrupted.", 137, None)


def test_what_waits_for_room_starts_later_or_is_stopped(cluster: Cluster) -> None:
    large = cluster.define("large", cpu=4096, memory=8192, entryPoint=PYTHON, **cluster.logged())
    first = cluster.up(large, [WAIT])
    second, third = cluster.start(large, [WAIT]), cluster.start(large, [WAIT])
    time.sleep(1)
    assert {cluster.task(arn)["lastStatus"] for arn in (second, third)} == {"PROVISIONING"}
    cluster.stop(third, "no longer wanted")
    assert why(cluster.ended(third)) == ("UserInitiated", "no longer wanted", None, None)
    cluster.stop(first)
    cluster.ended(first)
    cluster.until(second, "RUNNING")
    cluster.stop(second)
    cluster.ended(second)


def test_a_task_of_the_batch_image_is_this_cabstand(cluster: Cluster) -> None:
    arn = cluster.start(cluster.define(memory=2048, **cluster.logged()), ["--version"])
    assert cluster.ended(arn)["containers"][0]["exitCode"] == 0, cluster.lines(arn)
    assert cluster.lines(arn)[0].startswith("cabstand ")


def test_the_same_token_runs_once(cluster: Cluster) -> None:
    family = cluster.define(entryPoint=PYTHON, **cluster.logged())
    arns = {cluster.start(family, ["print('once')"], clientToken="one") for _ in range(3)}
    (arn,) = arns
    cluster.ended(arn)
    assert cluster.lines(arn) == ["once"]


GREEDY = "import time; x = bytearray(300 << 20); time.sleep(0.1); print(len(x))"


def test_out_of_memory(cluster: Cluster, boxed: bool) -> None:
    group = memory.limited("probe", 64)
    if not group:
        pytest.skip("no memory cgroup can be made here")
    group.remove()
    arn = cluster.start(cluster.define(memory=128, entryPoint=PYTHON, **cluster.logged()), [GREEDY])
    reason = "OutOfMemoryError: Container killed due to memory usage"
    assert why(cluster.ended(arn)) == ("EssentialContainerExited", "Essential container in task exited", 137, reason)


def test_a_killed_child_is_out_of_memory_too(cluster: Cluster) -> None:
    if not (group := memory.limited("probe", 64)):
        pytest.skip("no memory cgroup can be made here")
    group.remove()
    program = f"import subprocess, sys; sys.exit(subprocess.run([sys.executable, '-c', {GREEDY!r}]).returncode != 0)"
    arn = cluster.start(cluster.define(memory=128, entryPoint=PYTHON, **cluster.logged()), [program])
    assert why(cluster.ended(arn))[2:] == (1, "OutOfMemoryError: Container killed due to memory usage")


def test_out_of_memory_without_cgroups(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "limited", lambda identity, memory_mib: None)
    family = cluster.define(memory=128, entryPoint=PYTHON, **cluster.logged())
    arn, enough = cluster.start(family, [GREEDY]), cluster.start(family, ["print(len(bytearray(30 << 20)))"])
    assert why(cluster.ended(arn)) == ("EssentialContainerExited", "Essential container in task exited", 1, None)
    assert cluster.lines(arn)[-1] == "MemoryError"
    assert why(cluster.ended(enough))[2] == 0


def test_a_command_that_does_not_exist(cluster: Cluster, boxed: bool) -> None:
    arn = cluster.start(cluster.define(entryPoint=["absent"], **cluster.logged()))
    assert why(cluster.ended(arn))[2] in {1, 127}
    assert "absent" in cluster.lines(arn)[0]
