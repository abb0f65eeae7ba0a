"""`cabstand doctor`: what a new account's quotas allow, and whether the tasks can start."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from pytest_httpserver import HTTPServer
from typer.testing import CliRunner
from werkzeug import Request, Response

from cabstand.cli import app
from cabstand.io import aws as sdk

ON_DEMAND, SPOT = "L-3032A538", "L-36FBB829"


@pytest.fixture
def quotas(httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch) -> dict[str, float]:
    """What AWS answers about quotas, by code; moto knows none of Fargate, and not Lambda's account settings."""
    known: dict[str, float] = {ON_DEMAND: 6.0, SPOT: 6.0, "concurrent": 10, "unreserved": 10}

    def account(request: Request) -> Response:
        limits = {"ConcurrentExecutions": known["concurrent"], "UnreservedConcurrentExecutions": known["unreserved"]}
        return Response(json.dumps({"AccountLimit": limits}))

    def reserved(request: Request) -> Response:
        return Response(json.dumps({"ReservedConcurrentExecutions": known["reserved"]} if "reserved" in known else {}))

    def answer(request: Request) -> Response:
        code = json.loads(request.data)["QuotaCode"]
        if code not in known:
            return Response(json.dumps({"__type": "NoSuchResourceException"}), 400)
        return Response(json.dumps({"Quota": {"QuotaCode": code, "Value": known[code]}}))

    httpserver.expect_request("/").respond_with_handler(answer)
    httpserver.expect_request("/2016-08-19/account-settings").respond_with_handler(account)
    httpserver.expect_request("/2019-09-30/functions/cabstand-dev-api/concurrency").respond_with_handler(reserved)
    monkeypatch.setenv("AWS_ENDPOINT_URL_SERVICE_QUOTAS", httpserver.url_for("/"))
    monkeypatch.setenv("AWS_ENDPOINT_URL_LAMBDA", httpserver.url_for("/").rstrip("/"))
    sdk.client.cache_clear()
    return known


def define(aws: Callable[[str], Any], name: str, vcpus: int) -> str:
    container = {"name": "task", "image": "123456789012.dkr.ecr.us-east-1.amazonaws.com/cabstand/batch:v1"}
    size = {"cpu": str(vcpus * 1024), "memory": str(vcpus * 2048), "requiresCompatibilities": ["FARGATE"]}
    made = aws("ecs").register_task_definition(
        family=f"cabstand-dev-{name}", containerDefinitions=[container], networkMode="awsvpc", **size
    )
    arn: str = made["taskDefinition"]["taskDefinitionArn"]
    return arn


def schedule(aws: Callable[[str], Any], name: str, arn: str, state: str = "ENABLED") -> None:
    target = {"Arn": "arn:aws:ecs:us-east-1:123456789012:cluster/cabstand-dev", "RoleArn": "arn:aws:iam::1:role/r"}
    aws("scheduler").create_schedule(
        Name=f"cabstand-dev-{name}",
        GroupName="cabstand-dev",
        ScheduleExpression="rate(1 days)",
        FlexibleTimeWindow={"Mode": "OFF"},
        State=state,
        Target=target | {"EcsParameters": {"TaskDefinitionArn": arn}},
    )


def checked(code: int) -> dict[str, tuple[str, str, str]]:
    done = CliRunner().invoke(app, ["doctor"])
    assert done.exit_code == code, done.output
    result = json.loads(done.stdout.splitlines()[-1])
    return {one["name"]: (one["status"], one["found"], one["hint"]) for one in result["checks"]}


@pytest.fixture
def deployed(aws: Callable[[str], Any], quotas: dict[str, float]) -> Callable[[str], Any]:
    aws("scheduler").create_schedule_group(Name="cabstand-dev")
    for name, vcpus in (("compare", 2), ("sweep", 2), ("pipeline", 2), ("cluster-multicore", 4)):
        arn = define(aws, name, vcpus)
        if vcpus == 2:
            schedule(aws, name, arn)
    aws("ecr").create_repository(repositoryName="cabstand/batch")
    manifest = {"schemaVersion": 2, "mediaType": "application/vnd.docker.distribution.manifest.v2+json"}
    aws("ecr").put_image(repositoryName="cabstand/batch", imageManifest=json.dumps(manifest), imageTag="v1")
    return aws


def test_the_defaults_fit_into_a_new_account(deployed: Callable[[str], Any]) -> None:
    found = checked(0)
    assert {name: status for name, (status, _, _) in found.items()} == dict.fromkeys(found, "ok")
    assert "cluster-multicore takes 4, all enabled schedules together 6" in found["FARGATE"][1]
    assert "cabstand/batch:v1" in found["image"][1]


def test_lambda_says_how_much_can_be_reserved(deployed: Callable[[str], Any], quotas: dict[str, float]) -> None:
    assert "at most 0 can be reserved" in checked(0)["Lambda's quota"][2]
    quotas |= {"concurrent": 1000, "unreserved": 900, "reserved": 100}
    found = checked(0)["Lambda's quota"]
    assert found[1] == "1000 concurrent executions, 100 reserved for cabstand-dev-api"
    assert found[2] == "at most 900 can be reserved (api_reserved_concurrency)"


def test_a_task_that_is_too_large_names_the_quota_it_needs(deployed: Callable[[str], Any]) -> None:
    define(deployed, "cluster-multicore", 16)
    found = checked(1)
    assert found["FARGATE"][0] == found["FARGATE_SPOT"][0] == "fail"
    assert "raise it to 16" in found["FARGATE"][2]


def test_schedules_that_overlap_are_a_warning(deployed: Callable[[str], Any], quotas: dict[str, float]) -> None:
    quotas[SPOT] = 4
    found = checked(0)
    assert found["FARGATE"][0] == "ok"
    assert found["FARGATE_SPOT"][0] == "warn"
    assert "raise it to 6" in found["FARGATE_SPOT"][2]


def test_disabled_schedules_do_not_count(aws: Callable[[str], Any], quotas: dict[str, float]) -> None:
    aws("scheduler").create_schedule_group(Name="cabstand-dev")
    schedule(aws, "compare", define(aws, "compare", 4), "DISABLED")
    assert "together 0" in checked(1)["FARGATE"][1]  # 1: without an image


def test_an_unknown_quota_and_an_absent_image(deployed: Callable[[str], Any], quotas: dict[str, float]) -> None:
    del quotas[ON_DEMAND]
    deployed("ecr").batch_delete_image(repositoryName="cabstand/batch", imageIds=[{"imageTag": "v1"}])
    found = checked(1)
    assert found["FARGATE"][0] == "warn"
    assert ON_DEMAND in found["FARGATE"][2]
    assert found["image"] == ("fail", "cabstand/batch:v1 is not in the repository", "make push-images TAG=v1")


def test_an_empty_account(aws: Callable[[str], Any], quotas: dict[str, float]) -> None:
    assert checked(0)["tasks"][0] == "warn"


def test_without_credentials_each_check_says_so(monkeypatch: pytest.MonkeyPatch, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/").respond_with_data("<Error/>", status=403)
    monkeypatch.setenv("AWS_ENDPOINT_URL", httpserver.url_for("/"))
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "x")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    sdk.client.cache_clear()
    found = checked(1)
    assert found["credentials"][0] == "fail"
    sdk.client.cache_clear()
