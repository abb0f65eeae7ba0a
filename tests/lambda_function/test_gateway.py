"""The gateway in front of a small function in Lambda's own runtime, both read from the emulator."""

from __future__ import annotations

import json
import os
import re
import signal
import ssl
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest

import gateway_account
from cabstand.local.alarms import watch
from gateway_account import LOGS, NAME, REQUESTS, Account, event_of, zipped
from waiting import until

pytestmark = pytest.mark.lambda_


FORM = {"status": "$context.status", "route": "$context.routeKey", "error": "$context.integrationErrorMessage"}
GROUP = f"arn:aws:logs:us-east-1:123456789012:log-group:{REQUESTS}"
LOGGED = {"AccessLogSettings": {"DestinationArn": GROUP, "Format": json.dumps(FORM)}}


@pytest.fixture(scope="module")
def account(python: tuple[str, str]) -> Iterator[Account]:
    with gateway_account.account() as found:
        found.make_function(python[1], Environment={"Variables": {"PLACE": "/tmp/place", "COLOUR": "yellow"}})
        found.client("logs").create_log_group(logGroupName=REQUESTS)
        yield found


@pytest.fixture(scope="module")
def api(account: Account) -> str:
    origins = {"AllowOrigins": ["https://a.example"], "AllowMethods": ["GET"], "AllowHeaders": ["x-api-key"]}
    api = account.make_api("$default", "GET /pets/{id}", "ANY /deep/{rest+}", CorsConfiguration=origins)
    account.change_stage(api, **LOGGED)
    return api


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("gateway")


@pytest.fixture(scope="module")
def site(account: Account, api: str, folder: Path, runtime: Path) -> Iterator[httpx2.Client]:
    """A client of the gateway."""
    with (
        gateway_account.gateway(account, folder, "--cache", str(runtime.parent)) as url,
        httpx2.Client(base_url=url, timeout=40) as client,
    ):
        yield client


def message(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["message"]


def has_ended(pid: int) -> bool:
    """Wait until a process is gone; who inherited it may take a moment."""
    for _ in range(50):
        if not Path(f"/proc/{pid}").exists():
            return True
        time.sleep(0.1)
    return False


def test_the_function_gets_the_event_and_its_answer_comes_back(site: httpx2.Client, api: str) -> None:
    answer = site.get("/pets/7?a=1&a=2&b=", headers={"cookie": "c=1; d=2", "x-many": "1"})
    assert answer.status_code == 200
    assert answer.headers["x-small"] == "yes"
    assert answer.headers.get_list("set-cookie") == ["a=1", "b=2"]
    event = event_of(answer)
    assert (event["routeKey"], event["pathParameters"]) == ("GET /pets/{id}", {"id": "7"})
    assert event["queryStringParameters"] == {"a": "1,2", "b": ""}
    assert event["cookies"] == ["c=1", "d=2"]
    assert event["requestContext"]["apiId"] == api
    assert event["requestContext"]["accountId"] == gateway_account.ACCOUNT


def test_routes_take_what_is_theirs(site: httpx2.Client) -> None:
    assert event_of(site.put("/deep/a/b"))["pathParameters"] == {"rest": "a/b"}
    assert event_of(site.post("/pets/7", content=b"\xff\x00"))["isBase64Encoded"]
    assert event_of(site.get("/"))["routeKey"] == "$default"


def test_answers_without_a_status_are_inferred(site: httpx2.Client) -> None:
    assert site.get("/?do=text").text == "only text"
    assert site.get("/?do=sleep&s=0").json()["slept"] is True
    assert (binary := site.get("/?do=binary")).content == b"\xff\x00"
    assert binary.status_code == 201
    assert message(site.get("/?do=wrong")) == (500, "Internal Server Error")


def test_the_function_has_its_settings_and_its_role(site: httpx2.Client, folder: Path, python: tuple[str, str]) -> None:
    found = site.get("/?do=environment").json()
    assert (found["COLOUR"], found["AWS_LAMBDA_FUNCTION_VERSION"]) == ("yellow", "1")
    assert found["AWS_LAMBDA_FUNCTION_NAME"] == NAME
    assert found["AWS_ACCESS_KEY_ID"] != "emulator"
    assert found["PLACE"].startswith(str(folder))
    assert found["AWS_EXECUTION_ENV"] == f"AWS_Lambda_python{python[1]}"


def test_errors_become_the_gateways_answers(site: httpx2.Client, account: Account) -> None:
    assert message(site.get("/?do=raise")) == (502, "Bad Gateway")
    assert message(site.get("/?do=exit")) == (502, "Bad Gateway")
    assert message(site.get("/?do=big")) == (502, "Bad Gateway")
    assert message(site.get("/?do=sleep&s=9")) == (504, "Gateway Timeout")
    assert site.get("/").status_code == 200
    account.wait_for(REQUESTS, "Response payload size exceeded maximum allowed payload size (6291556 bytes)")
    account.wait_for(REQUESTS, "Task timed out after 2.00 seconds")
    account.wait_for(LOGS, "ValueError: bad")


def test_more_memory_than_configured_ends_the_environment(site: httpx2.Client, account: Account) -> None:
    assert message(site.get("/?do=memory")) == (502, "Bad Gateway")
    assert site.get("/").status_code == 200
    account.wait_for(LOGS, "Runtime.OutOfMemory")


def test_large_requests_are_refused(site: httpx2.Client) -> None:
    assert message(site.post("/", content=b"x" * 7_000_000)) == (413, "Request Entity Too Large")
    assert message(site.post("/", content=b"x" * 11_000_000)) == (413, "Request Entity Too Large")


def test_an_environment_killed_in_mid_request(site: httpx2.Client) -> None:
    with ThreadPoolExecutor(1) as threads:
        first = site.get("/?do=sleep&s=0").json()["pid"]
        waiting = threads.submit(site.get, "/?do=sleep&s=1.5")
        time.sleep(0.5)
        os.kill(first, signal.SIGKILL)
        assert waiting.result().status_code == 502
    after = site.get("/?do=sleep&s=0").json()
    assert after["pid"] != first


def test_several_run_at_once_each_in_its_own_environment(site: httpx2.Client) -> None:
    with ThreadPoolExecutor(8) as threads:
        pids = [one.json()["pid"] for one in threads.map(site.get, ["/?do=sleep&s=0.5"] * 8)]
    assert len(set(pids)) > 1
    assert len(set(pids)) <= 4


def test_reserved_concurrency_refuses_what_is_over_it(site: httpx2.Client, account: Account) -> None:
    account.client("lambda").put_function_concurrency(FunctionName=NAME, ReservedConcurrentExecutions=1)
    time.sleep(2.1)
    with ThreadPoolExecutor(4) as threads:
        answers = list(threads.map(site.get, ["/?do=sleep&s=0.5"] * 4))
    account.client("lambda").delete_function_concurrency(FunctionName=NAME)
    assert Counter(one.status_code for one in answers) == {200: 1, 503: 3}
    assert {message(one)[1] for one in answers if one.status_code == 503} == {"Service Unavailable"}
    time.sleep(2.1)


ALARMS = {  # as those of infra/modules/monitoring/alarms.tf
    "errors": ("AWS/ApiGateway", "5xx", "Sum", 5, "GreaterThanOrEqualToThreshold"),
    "slow": ("AWS/ApiGateway", "Latency", "p99", 400, "GreaterThanThreshold"),
    "throttled": ("AWS/Lambda", "Throttles", "Sum", 0, "GreaterThanThreshold"),
    "failing": ("AWS/Lambda", "Errors", "Sum", 4, "GreaterThanThreshold"),
    "never": ("AWS/Lambda", "Duration", "Maximum", 100_000, "GreaterThanThreshold"),
}


def test_what_is_measured_makes_alarms_ring(site: httpx2.Client, account: Account, api: str) -> None:
    cloudwatch, functions = account.client("cloudwatch"), account.client("lambda")
    for name, (namespace, metric, statistic, threshold, comparison) in ALARMS.items():
        of = ("FunctionName", NAME) if namespace == "AWS/Lambda" else ("ApiId", api)
        cloudwatch.put_metric_alarm(
            AlarmName=name, Namespace=namespace, MetricName=metric, Dimensions=[{"Name": of[0], "Value": of[1]}],
            Threshold=threshold, ComparisonOperator=comparison, Period=300, EvaluationPeriods=1,
            TreatMissingData="notBreaching",
            **{"ExtendedStatistic" if statistic.startswith("p") else "Statistic": statistic},
        )  # fmt: skip
    functions.put_function_concurrency(FunctionName=NAME, ReservedConcurrentExecutions=1)
    time.sleep(2.1)
    assert [site.get("/?do=raise").status_code for _ in range(5)] == [502] * 5
    with ThreadPoolExecutor(2) as threads:
        assert {one.status_code for one in threads.map(site.get, ["/?do=sleep&s=0.5"] * 2)} == {200, 503}
    functions.delete_function_concurrency(FunctionName=NAME)

    def ringing() -> set[str]:
        watch.check(account.client, datetime.now(UTC) + timedelta(minutes=1))
        found = cloudwatch.describe_alarms(StateValue="ALARM")["MetricAlarms"]
        return {one["AlarmName"] for one in found}

    until(lambda: ringing() == ALARMS.keys() - {"never"}, 20, 0.5)
    time.sleep(2.1)


def test_the_stage_throttles(site: httpx2.Client, account: Account, api: str) -> None:
    limits = {"ThrottlingRateLimit": 0.1, "ThrottlingBurstLimit": 3}
    account.change_stage(api, DefaultRouteSettings=limits)
    time.sleep(2.1)
    answers = [site.get("/") for _ in range(5)]
    account.change_stage(api, DefaultRouteSettings={})
    time.sleep(2.1)
    assert [one.status_code for one in answers] == [200, 200, 200, 429, 429]
    assert message(answers[-1]) == (429, "Too Many Requests")


def test_preflight_and_the_function_without_permission(site: httpx2.Client, account: Account, api: str) -> None:
    asks = {"origin": "https://a.example", "access-control-request-method": "GET"}
    answer = site.options("/", headers=asks)
    assert (answer.status_code, answer.headers["access-control-allow-methods"]) == (204, "GET")
    account.client("lambda").remove_permission(FunctionName=NAME, StatementId=f"gateway-{api}")
    time.sleep(2.1)
    assert message(site.get("/")) == (500, "Internal Server Error")
    account.permit(api)
    time.sleep(2.1)
    assert site.get("/").status_code == 200
    account.wait_for(REQUESTS, "doesn't have permissions to call the integration")


def test_an_alias_splits_its_requests(site: httpx2.Client, account: Account) -> None:
    functions = account.client("lambda")
    functions.update_function_code(FunctionName=NAME, ZipFile=zipped(second="2"))
    version = functions.publish_version(FunctionName=NAME)["Version"]
    weights = {"AdditionalVersionWeights": {version: 0.5}}
    functions.update_alias(FunctionName=NAME, Name="live", FunctionVersion="1", RoutingConfig=weights)
    time.sleep(2.1)
    seen = Counter(site.get("/").json()["version"] for _ in range(60))
    functions.update_alias(FunctionName=NAME, Name="live", FunctionVersion="1", RoutingConfig={})
    assert seen.keys() == {"1", "2"}
    assert 10 < seen["2"] < 50


def test_other_parts_invoke_by_lambdas_own_call(site: httpx2.Client, account: Account) -> None:
    functions = account.client("lambda", str(site.base_url).rstrip("/"))
    found = functions.invoke(FunctionName=NAME, Qualifier="live", Payload=b'{"a": 1}')
    assert found["StatusCode"] == 200
    assert found["ExecutedVersion"] in {"1", "2"}
    assert json.loads(json.loads(found["Payload"].read())["body"])["event"] == {"a": 1}
    failed = functions.invoke(
        FunctionName=f"arn:aws:lambda:us-east-1:123456789012:function:{NAME}:1",
        Payload=b'{"queryStringParameters": {"do": "raise"}}',
    )
    assert failed["FunctionError"] == "Unhandled"
    assert json.loads(failed["Payload"].read())["errorType"] == "ValueError"
    later = json.dumps({"queryStringParameters": {"do": "text", "later": "yes"}})
    assert functions.invoke(FunctionName=NAME, InvocationType="Event", Payload=later)["StatusCode"] == 202
    account.wait_for(LOGS, "does text")
    with pytest.raises(functions.exceptions.ResourceNotFoundException):
        functions.invoke(FunctionName=NAME, Qualifier="nowhere")


def test_the_logs_are_lambdas(site: httpx2.Client, account: Account) -> None:
    site.get("/")
    account.wait_for(LOGS, "START RequestId: ")
    report = account.wait_for(LOGS, "REPORT RequestId: ")
    used = re.search(r"Memory Size: 128 MB\tMax Memory Used: (\d+) MB", report)
    assert used
    assert 5 < int(used[1]) < 128
    assert not [line for line in account.lines(LOGS) if "(rapid)" in line]


def test_a_second_api_has_its_own_host_stage_and_time_out(site: httpx2.Client, account: Account) -> None:
    second = account.make_api("ANY /slow", timeout_ms=1_000, stage="test")
    time.sleep(2.1)
    there = {"host": f"{second}.localhost"}
    assert event_of(site.get("/test/slow", headers=there))["rawPath"] == "/test/slow"
    assert message(site.get("/test/other", headers=there)) == (404, "Not Found")
    assert message(site.get("/slow", headers=there)) == (404, "Not Found")
    assert message(site.get("/test/slow?do=sleep&s=1.5", headers=there)) == (503, "Service Unavailable")
    assert message(site.get("/slow")) == (404, "Not Found")  # two APIs, and the host names neither
    account.client("apigatewayv2").delete_api(ApiId=second)
    time.sleep(2.1)
    assert site.get("/").status_code == 200


def test_the_end_leaves_nothing(account: Account, api: str, tmp_path: Path, runtime: Path) -> None:
    with gateway_account.gateway(account, tmp_path, "--cache", str(runtime.parent), "--https") as url:
        assert url.startswith("https://127.0.0.1:")
        with (
            httpx2.Client(verify=ssl.create_default_context(cafile=tmp_path / "gateway.crt"), timeout=30) as client,
            ThreadPoolExecutor(2) as threads,
        ):
            pids = {one.json()["pid"] for one in threads.map(client.get, [f"{url}/?do=sleep&s=0.3"] * 2)}
    assert pids
    assert all(has_ended(pid) for pid in pids)
    listed = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    assert str(tmp_path) not in listed
    assert not (tmp_path / "environments").exists()


def test_a_killed_gateway_leaves_nothing_once_it_is_back(account: Account, tmp_path: Path, runtime: Path) -> None:
    options = ("--cache", str(runtime.parent))
    with gateway_account.gateway(account, tmp_path, *options, kill=True) as url:
        pid = httpx2.get(f"{url}/?do=sleep&s=0", timeout=30).json()["pid"]
    assert Path(f"/proc/{pid}").exists()
    with gateway_account.gateway(account, tmp_path, *options) as url:
        assert httpx2.get(url, timeout=30).status_code == 200
        assert has_ended(pid)
