"""Deployments on the emulated account: steps, refusals, rollbacks, and what a killed run leaves."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest

import emulator
from cabstand.account import deployment_record
from cabstand.account.canary import Settings as Canary
from cabstand.cli import run as command_line
from cabstand.errors import ConfigError, ConflictError, DataError, TaskError
from cabstand.io import aws, s3
from cabstand.jobs import deploy
from cabstand.local.emulator.access import ROOT_KEYS
from cabstand.settings import Settings
from function_probes import zipped

STATES = "cabstand-state-123456789012"
NUMBERS = itertools.count()
QUICK = Canary(watch_s=0)
Hook = Callable[..., object]
HOOK: list[Hook] = []


@pytest.fixture(scope="module")
def account() -> Iterator[dict[str, str]]:
    """The variables of an emulated account in a process of its own, and clients whose calls `HOOK` sees."""
    with emulator.started(emulator.MODULE) as url:
        forget_clients()
        boto3.setup_default_session()
        boto3.DEFAULT_SESSION.events.register("after-call", lambda **call: HOOK and HOOK[0](**call))
        yield {"AWS_ENDPOINT_URL": url, "AWS_DEFAULT_REGION": "us-east-1", **ROOT_KEYS}
        forget_clients()
        boto3.DEFAULT_SESSION = None


def forget_clients() -> None:
    aws.client.cache_clear()
    s3.client.cache_clear()


@pytest.fixture
def environment(account: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """An environment whose function has version 1, live, and newer code."""
    for variable, value in account.items():
        monkeypatch.setenv(variable, value)
    aws.client("s3").create_bucket(Bucket=STATES)
    name = f"n{next(NUMBERS)}"
    make_function(f"cabstand-{name}-api")
    yield name
    HOOK.clear()


def make_function(function: str) -> None:
    roles, functions = aws.client("iam"), aws.client("lambda")
    role = roles.create_role(RoleName=function, AssumeRolePolicyDocument="{}")["Role"]["Arn"]
    functions.create_function(
        FunctionName=function, Role=role, Runtime="python3.13", Handler="handler.x", Publish=True,
        Code={"ZipFile": zipped("1")},
    )  # fmt: skip
    functions.create_alias(FunctionName=function, Name="live", FunctionVersion="1")
    aws.client("logs").create_log_group(logGroupName=f"/aws/lambda/{function}")
    upload(function, "2")


def upload(function: str, text: str) -> None:
    aws.client("lambda").update_function_code(FunctionName=function, ZipFile=zipped(text))


def on_shift(hook: Hook) -> None:
    """Call a function after each change of an alias."""
    HOOK[:] = [lambda **call: call["model"].name == "UpdateAlias" and hook(**call)]


def ship(environment: str, action: deploy.Action = "deploy", canary: Canary = QUICK) -> dict[str, Any]:
    return deploy.run(Settings(), deploy.Params(environment, action=action, canary=canary))


def live(environment: str) -> tuple[str, dict[str, float]]:
    found = aws.client("lambda").get_alias(FunctionName=f"cabstand-{environment}-api", Name="live")
    return found["FunctionVersion"], (found.get("RoutingConfig") or {}).get("AdditionalVersionWeights") or {}


def recorded(environment: str) -> list[dict[str, Any]]:
    return deployment_record.read(deploy.Params(environment).deployment).deployments


def log_requests(environment: str, version: str, n: int, n_failed: int) -> None:
    """Write what the function would, at a time that every step of the next deployment looks at."""
    group, stream, at = f"/aws/lambda/cabstand-{environment}-api", f"2026/11/29/[{version}]", int(time.time() * 1000)
    texts = []
    for number in range(n):
        answered = json.dumps({"event": "request", "status": 500 if number < n_failed else 200})
        report = f"REPORT RequestId: {number}\tDuration: 8.0 ms\tBilled Duration: 8 ms"
        texts += [f"START RequestId: {number} Version: {version}", answered, report]
    events = [{"timestamp": at + 60_000, "message": text} for text in texts]
    aws.client("logs").create_log_stream(logGroupName=group, logStreamName=stream)
    aws.client("logs").put_log_events(logGroupName=group, logStreamName=stream, logEvents=events)


def test_a_version_gets_all_requests_by_steps(environment: str) -> None:
    seen: list[Any] = []
    on_shift(lambda parsed, **_: seen.append((parsed["FunctionVersion"], parsed["RoutingConfig"])))
    found = ship(environment)
    assert [one[0] for one in seen] == ["1", "1", "2"]
    assert [one[1]["AdditionalVersionWeights"] for one in seen] == [{"2": 0.1}, {"2": 0.5}, {}]
    assert live(environment) == ("2", {})
    assert (found["state"], found["from_version"], found["to_version"], found["version"]) == (
        "completed",
        "1",
        "2",
        "2",
    )
    assert found["versions_kept"] == ["1", "2"]
    [entry] = recorded(environment)
    assert entry["by"].startswith("arn:aws:")
    assert [step["share"] for step in entry["steps"]] == [0.1, 0.5, 1.0]
    assert entry["steps"][0]["found"]["n_new"] == 0
    assert entry["settings"]["alpha"] == 0.01
    assert ship(environment)["state"] == "unchanged"
    assert len(recorded(environment)) == 1


def test_old_versions_go_but_not_those_to_return_to(environment: str) -> None:
    function = f"cabstand-{environment}-api"
    ship(environment)
    upload(function, "3")
    assert ship(environment)["versions_deleted"] == ["1"]
    upload(function, "4")
    log_requests(environment, "3", 300, 0)
    log_requests(environment, "4", 40, 20)
    assert ship(environment)["state"] == "rolled back"
    upload(function, "5")
    found = ship(environment)
    assert (found["versions_deleted"], found["versions_kept"]) == (["2", "4"], ["3", "5"])
    assert ship(environment, "rollback")["version"] == "3"
    with pytest.raises(TaskError, match="no version before 3 to return to"):
        ship(environment, "rollback")


def test_a_version_that_fails_is_rolled_back_at_the_first_step(environment: str) -> None:
    log_requests(environment, "1", 300, 1)
    log_requests(environment, "2", 40, 8)
    found = ship(environment)
    assert live(environment) == ("1", {})
    assert found["state"] == "rolled back"
    assert found["reason"].startswith("8 of 40 requests failed, before 1 of 300")
    assert len(recorded(environment)[0]["steps"]) == 1
    assert recorded(environment)[0]["steps"][0]["found"]["detectable_error_rate"] < 0.3
    assert command_line(["deploy", "-e", environment, "--watch", "0"]) == 1, "and again"


def test_the_service_s_alarms_are_watched_but_those_that_rang_before(environment: str) -> None:
    watched = aws.client("cloudwatch")
    for name in ("errors", "slow"):
        watched.put_metric_alarm(
            AlarmName=f"cabstand-{environment}-api-{name}", MetricName="m", Namespace="n", Period=60, Statistic="Sum",
            EvaluationPeriods=1, Threshold=1, ComparisonOperator="GreaterThanThreshold",
        )  # fmt: skip

    def ring(name: str) -> None:
        watched.set_alarm_state(AlarmName=f"cabstand-{environment}-api-{name}", StateValue="ALARM", StateReason="test")

    ring("slow")
    on_shift(lambda **_: ring("errors"))
    assert ship(environment)["reason"] == f"alarm cabstand-{environment}-api-errors"
    assert live(environment) == ("1", {})
    HOOK.clear()
    found = ship(environment)
    assert found["state"] == "completed", "a version that mends what rings can be deployed"
    assert found["ringing_before"] == [f"cabstand-{environment}-api-{name}" for name in ("errors", "slow")]


def killed_after(n: int, environment: str, action: deploy.Action) -> bool:
    """Run in a process that is killed after its n-th call; return whether it came so far."""
    child = os.fork()
    if child == 0:
        calls = itertools.count(1)
        HOOK[:] = [lambda **_: next(calls) == n and os.kill(os.getpid(), signal.SIGKILL)]
        try:
            ship(environment, action)
        finally:
            os._exit(0)
    return os.waitpid(child, 0)[1] == signal.SIGKILL


def killed_everywhere(environment: str, action: deploy.Action, prepare: Callable[[str], object]) -> Iterator[str]:
    """Yield environments in each of which a run was killed after one more call."""
    for n in itertools.count(1):
        name = f"{environment}-{n}"
        make_function(f"cabstand-{name}-api")
        prepare(name)
        if not killed_after(n, name, action):
            return
        yield name


@pytest.mark.slow
@pytest.mark.parametrize("after", ["deploy", "abort", "rollback"])
def test_a_deployment_killed_after_any_call_is_ended_by_the_next_command(environment: str, after: Any) -> None:
    n_killed = 0
    for name in killed_everywhere(environment, "deploy", str):
        n_killed += 1
        with contextlib.suppress(TaskError):  # there may be nothing to return to
            ship(name, after)
        version, shares = live(name)
        assert not shares
        assert version == "2" if after == "deploy" else version in {"1", "2"}
        assert not {one["state"] for one in recorded(name)} & set(deployment_record.UNDER_WAY)
        assert ship(name)["version"] == "2"
    assert n_killed > 25


@pytest.mark.slow
def test_a_rollback_killed_after_any_call_is_finished_by_the_next_command(environment: str) -> None:
    n_killed = 0
    for name in killed_everywhere(environment, "rollback", ship):
        n_killed += 1
        began = recorded(name)[0]["kind"] == "rollback"
        ship(name, "abort" if began else "rollback")
        assert live(name) == ("1", {})
        assert recorded(name)[0]["state"] == "completed"
    assert n_killed > 6


def test_the_later_of_two_runs_wins(environment: str) -> None:
    taken: list[str] = []

    def take_over(**_: Any) -> None:
        if not taken:
            taken.append("now")
            ship(environment, "abort")

    on_shift(take_over)
    with pytest.raises(ConflictError, match="took over; this one has stopped"):
        ship(environment)
    assert live(environment) == ("1", {})
    assert recorded(environment)[0]["state"] == "rolled back"


def test_an_interrupted_run_leaves_no_split(environment: str) -> None:
    interrupted: list[str] = []

    def interrupt(**_: Any) -> None:
        if not interrupted:
            interrupted.append("now")
            raise KeyboardInterrupt

    on_shift(interrupt)
    with pytest.raises(KeyboardInterrupt):
        ship(environment)
    assert live(environment) == ("1", {})
    assert recorded(environment)[0]["reason"] == "KeyboardInterrupt"


def test_a_service_that_does_not_answer_is_rolled_back(environment: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cabstand.account.service_check.MAX_WAIT_S", 0.0)
    params = deploy.Params(environment, url="http://127.0.0.1:9", canary=QUICK)
    with pytest.raises(TaskError, match="healthz: answers nothing"):
        deploy.run(Settings(), params)
    assert live(environment) == ("1", {})
    assert "answers nothing" in recorded(environment)[0]["reason"]


def test_a_split_by_hand_ends(environment: str) -> None:
    ship(environment)
    weights = {"AdditionalVersionWeights": {"1": 0.3}}
    function = f"cabstand-{environment}-api"
    aws.client("lambda").update_alias(FunctionName=function, Name="live", RoutingConfig=weights)
    assert ship(environment)["state"] == "unchanged"
    assert live(environment) == ("2", {})


def test_an_account_made_anew_is_not_bound_by_its_old_record(environment: str) -> None:
    record = deployment_record.read(deploy.Params(environment).deployment)
    record.begin(kind="deployment", state="shifting", from_version="7", to_version="8", began_at="", steps=[])
    record.save()
    assert ship(environment)["state"] == "completed"
    assert [one["state"] for one in recorded(environment)] == ["completed", "abandoned"]


def test_a_lost_answer_to_a_write_of_the_record_is_no_conflict(environment: str) -> None:
    record = deployment_record.read(deploy.Params(environment).deployment)
    record.save()
    tag, record.tag = record.tag, None
    record.save()
    assert record.tag == tag


def test_bad_input_is_one_line(environment: str, capsys: pytest.CaptureFixture[str]) -> None:
    wrong = (
        ["--steps", "50,10"], ["--steps", "many"], ["--steps", "10,50"], ["--steps", "nan,100"], ["--watch", "nan"],
        ["--every", "inf"], ["--slowdown", "nan"], ["-e", "../prod"], ["--project", ""], ["--abort", "--rollback"],
        ["--url", "example.org"], ["--url", "https://"], ["--url", "https://example.org:port"],
    )  # fmt: skip
    for words in wrong:
        assert command_line(["deploy", "-e", environment, *words]) == 2, words
    assert capsys.readouterr().err.count("error: ") == len(wrong)
    assert live(environment) == ("1", {}), "it is said before a request moves"
    with pytest.raises(ConfigError, match="no such function"):
        ship("nowhere", "rollback")
    aws.client("s3").put_object(Bucket=STATES, Key=f"{environment}/deployments.json", Body=b"{}")
    with pytest.raises(DataError, match="is no record of deployments of schema 1"):
        ship(environment)


def test_a_key_that_is_none_is_refused_before_a_request_moves(
    environment: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CABSTAND_API_KEY", "clé")
    assert command_line(["deploy", "-e", environment, "--watch", "0"]) == 2
    assert "not an API key" in capsys.readouterr().err
    assert live(environment) == ("1", {})


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"deployments": {}}, "deployments: Input should be"),
        ({"deployments": [{"state": "shifting"}]}, "deployments.0.kind: Field required"),
        ({"schema_version": 2, "deployments": []}, "schema_version"),
    ],
)
def test_a_record_of_another_shape_is_one_line(environment: str, wrong: dict[str, Any], told: str) -> None:
    body = json.dumps({"schema_version": 1} | wrong)
    aws.client("s3").put_object(Bucket=STATES, Key=f"{environment}/deployments.json", Body=body)
    with pytest.raises(DataError, match=r"is no record of deployments of schema 1") as refused:
        ship(environment)
    assert told in str(refused.value)
