"""`cabstand doctor`: what a new account's quotas allow, whether the tasks can start, and what a broken check becomes.

tests/story runs all of it on a whole account.
"""

from __future__ import annotations

import io
import json
import subprocess
import zipfile
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from pytest_httpserver import HTTPServer
from typer.testing import CliRunner
from werkzeug import Request, Response

from cabstand.account.deployment import Deployment
from cabstand.account.doctor import quotas as quota_checks
from cabstand.account.doctor import safely, service, tasks
from cabstand.account.doctor.line import Line
from cabstand.account.doctor.subject import Subject
from cabstand.cli import app
from cabstand.errors import TaskError
from cabstand.io import aws as sdk

SECRET = "arn:aws:secretsmanager:us-east-1:123456789012:secret:cabstand-dev/api/keys-a1b2c3"  # pragma: allowlist secret
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


def checked() -> dict[str, tuple[str, str, str]]:
    """Return the lines about quotas, tasks and images by name."""
    lines = safely.run(quota_checks.CHECKS | tasks.CHECKS, Subject(Deployment("cabstand", "dev")))
    return {line.name: (line.status, line.found, line.hint) for line in lines}


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
    found = checked()
    assert {name: status for name, (status, _, _) in found.items()} == dict.fromkeys(found, "ok")
    assert "cluster-multicore takes 4, all enabled schedules together 6" in found["FARGATE"][1]
    assert "cabstand/batch:v1" in found["image"][1]


def test_lambda_says_how_much_can_be_reserved(deployed: Callable[[str], Any], quotas: dict[str, float]) -> None:
    assert "at most 0 can be reserved" in checked()["Lambda's quota"][2]
    quotas |= {"concurrent": 1000, "unreserved": 900, "reserved": 100}
    found = checked()["Lambda's quota"]
    assert found[1] == "1000 concurrent executions, 100 reserved for cabstand-dev-api"
    assert found[2] == "at most 900 can be reserved (api_reserved_concurrency)"


def test_a_task_that_is_too_large_names_the_quota_it_needs(deployed: Callable[[str], Any]) -> None:
    define(deployed, "cluster-multicore", 16)
    found = checked()
    assert found["FARGATE"][0] == found["FARGATE_SPOT"][0] == "fail"
    assert "raise it to 16" in found["FARGATE"][2]


def test_schedules_that_overlap_are_a_warning(deployed: Callable[[str], Any], quotas: dict[str, float]) -> None:
    quotas[SPOT] = 4
    found = checked()
    assert found["FARGATE"][0] == "ok"
    assert found["FARGATE_SPOT"][0] == "warn"
    assert "raise it to 6" in found["FARGATE_SPOT"][2]


def test_disabled_schedules_do_not_count(aws: Callable[[str], Any], quotas: dict[str, float]) -> None:
    aws("scheduler").create_schedule_group(Name="cabstand-dev")
    schedule(aws, "compare", define(aws, "compare", 4), "DISABLED")
    assert "together 0" in checked()["FARGATE"][1]


def test_an_unknown_quota_and_an_absent_image(deployed: Callable[[str], Any], quotas: dict[str, float]) -> None:
    del quotas[ON_DEMAND]
    deployed("ecr").batch_delete_image(repositoryName="cabstand/batch", imageIds=[{"imageTag": "v1"}])
    found = checked()
    assert found["FARGATE"][0] == "warn"
    assert ON_DEMAND in found["FARGATE"][2]
    assert found["image"] == ("fail", "cabstand/batch:v1 is not in the repository", "make push-images TAG=v1")


def test_an_empty_account(aws: Callable[[str], Any], quotas: dict[str, float]) -> None:
    assert checked()["tasks"][0] == "warn"


def test_definitions_are_described_once(deployed: Callable[[str], Any]) -> None:
    described: list[str] = []

    def note(**_: Any) -> None:
        described.append("once")

    sdk.client("ecs").meta.events.register("before-call.ecs.DescribeTaskDefinition", note)
    checked()
    assert len(described) == 4  # families


def test_without_credentials_nothing_else_is_asked(monkeypatch: pytest.MonkeyPatch, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/").respond_with_data("<Error/>", status=403)
    monkeypatch.setenv("AWS_ENDPOINT_URL", httpserver.url_for("/"))
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "x")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    sdk.client.cache_clear()
    done = CliRunner().invoke(app, ["doctor"])
    sdk.client.cache_clear()
    assert done.exit_code == 1, done.output
    found = {one["name"]: one for one in json.loads(done.stdout.splitlines()[-1])["checks"]}
    assert found["credentials"]["status"] == found["account"]["status"] == "fail"
    assert "log in again" in found["credentials"]["hint"]
    assert "buckets" not in found


def test_an_environment_that_does_not_exist_is_one_line(aws: Callable[[str], Any]) -> None:
    serve(aws, *GRANTS.items())  # cabstand-dev
    done = CliRunner().invoke(app, ["doctor", "--environment", "nonsense"])
    *_, last = json.loads(done.stdout.splitlines()[-1])["checks"]
    assert done.exit_code == 1
    assert last == {
        "name": "environment",
        "status": "fail",
        "found": "account 123456789012 has no cabstand-nonsense in us-east-1",
        "hint": "name another with --environment; make bootstrap and make deploy ENV=nonsense create it",
    }
    assert "buckets" not in done.stdout


def test_an_account_with_a_function_alone_has_a_line_for_all_that_is_missing(aws: Callable[[str], Any]) -> None:
    serve(aws, *GRANTS.items())
    aws("lambda").delete_alias(FunctionName="cabstand-dev-api", Name="live")
    done = CliRunner().invoke(app, ["doctor"])
    found = {one["name"]: one for one in json.loads(done.stdout.splitlines()[-1])["checks"]}
    assert done.exit_code == 1
    assert "Traceback" not in done.output
    assert found["cabstand-state-123456789012"]["hint"] == "make bootstrap creates it"
    assert found["API keys"]["found"].startswith("cabstand-dev-api, alias live: does not exist")
    assert not [one for one in found.values() if one["status"] != "ok" and not one["hint"]]


def serve(aws: Callable[[str], Any], *allowed: tuple[str, str]) -> None:
    """Make the live function, whose role may do what is given, action by resource."""
    trust = json.dumps({"Version": "2012-10-17", "Statement": []})
    arn = aws("iam").create_role(RoleName="function", AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    statements = [{"Effect": "Allow", "Action": action, "Resource": on} for action, on in allowed]
    document = json.dumps({"Version": "2012-10-17", "Statement": statements})
    aws("iam").put_role_policy(RoleName="function", PolicyName="serve", PolicyDocument=document)
    with zipfile.ZipFile(code := io.BytesIO(), "w") as package:
        package.writestr("handler.py", "")
    variables = {"CABSTAND_ARTIFACTS": "s3://artifacts/serving", "CABSTAND_API_KEYS_SECRET": SECRET}
    aws("lambda").create_function(
        FunctionName="cabstand-dev-api",
        Role=arn,
        Code={"ZipFile": code.getvalue()},
        Runtime="python3.13",
        Handler="handler.handler",
        Environment={"Variables": variables},
        Publish=True,
    )
    aws("lambda").create_alias(FunctionName="cabstand-dev-api", Name="live", FunctionVersion="1")


GRANTS = {
    "secretsmanager:GetSecretValue": SECRET,
    "s3:Get*": "arn:aws:s3:::artifacts/serving/*",
    "s3:ListBucket": "arn:aws:s3:::artifacts",
    "logs:PutLogEvents": "arn:aws:logs:us-east-1:123456789012:log-group:/aws/lambda/cabstand-dev-api:*",
}


@pytest.mark.parametrize("lacking", ["", *GRANTS])
def test_a_permission_that_the_function_lacks_is_named(aws: Callable[[str], Any], lacking: str) -> None:
    serve(aws, *(grant for grant in GRANTS.items() if grant[0] != lacking))
    (line,) = service.role_permissions(Subject(Deployment("cabstand", "dev")))
    assert line.status == ("fail" if lacking else "ok")
    assert line.hint == ("make deploy restores its policies" if lacking else "")
    if lacking:
        assert line.found == f"function may not {lacking.replace('*', 'Object')}"


def denied(_: None) -> Iterator[Line]:
    yield Line("first", "ok", "done")
    sdk.call("iam", "get_role", RoleName="x")


def broken(_: None) -> Iterator[Line]:
    raise KeyError("Tags")


def hangs(_: None) -> Iterator[Line]:
    raise subprocess.TimeoutExpired("terraform version", 20)


def refused(_: None) -> Iterator[Line]:
    raise TaskError("cannot", where="here", hint="do this")


def test_a_check_that_breaks_is_a_line_and_the_others_go_on(
    monkeypatch: pytest.MonkeyPatch, httpserver: HTTPServer
) -> None:
    message = "User: arn:aws:iam::1:user/x is not authorized to perform: iam:GetRole on resource: role x"
    body = f"<ErrorResponse><Error><Code>AccessDenied</Code><Message>{message}</Message></Error></ErrorResponse>"
    httpserver.expect_request("/").respond_with_data(body, status=403)
    monkeypatch.setenv("AWS_ENDPOINT_URL_IAM", httpserver.url_for("/"))
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "x")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    sdk.client.cache_clear()
    lines = safely.run({"permission": denied, "broken": broken, "slow": hangs, "refused": refused}, None)
    sdk.client.cache_clear()
    assert [(line.name, line.status) for line in lines] == [
        ("first", "ok"), ("permission", "fail"), ("broken", "fail"), ("slow", "fail"), ("refused", "fail")
    ]  # fmt: skip
    found = {line.name: line for line in lines}
    assert "you lack a permission" in found["permission"].found
    assert message in found["permission"].found
    assert "KeyError" in found["broken"].found
    assert "timed out" in found["slow"].found
    assert (found["refused"].found, found["refused"].hint) == ("here: cannot", "do this")
