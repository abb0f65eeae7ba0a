"""How API Gateway's part decides: routes, events, answers, throttles, CORS, permissions, access log, tokens."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from joserfc import jwt
from joserfc.jwk import ECKey
from pytest_httpserver import HTTPServer

from cabstand.local.functions.invocation import Invocation, failure, throttled, too_large
from cabstand.local.gateway import access_log, answer, authorizer, cors, event, matching, permission
from cabstand.local.gateway.authorizer import Refusal
from cabstand.local.gateway.definition import Api, Route, Stage
from cabstand.local.gateway.event import Request
from cabstand.local.gateway.throttle import Bucket, Throttle

STAGE = Stage("$default")
API = Api("api-id", "us-east-1", "123456789012", [], {"$default": STAGE}, None, frozenset())
FUNCTION = "arn:aws:lambda:us-east-1:123456789012:function:f:live"
SOURCE = "arn:aws:execute-api:us-east-1:123456789012:api-id"


def request(
    path: str = "/", query: str = "", body: bytes = b"", method: str = "GET", *headers: tuple[str, str]
) -> Request:
    return Request(method, path, query, headers, body, "192.0.2.1", "id", received_s=1583348638.39)


@pytest.mark.parametrize(
    ("method", "path", "key", "parameters"),
    [
        ("GET", "/pets/dog/1", "GET /pets/dog/1", {}),
        ("GET", "/pets/dog/2", "GET /pets/dog/{id}", {"id": "2"}),
        ("GET", "/pets/cat/3", "GET /pets/{proxy+}", {"proxy": "cat/3"}),
        ("POST", "/pets/cat/3", "ANY /{proxy+}", {"proxy": "pets/cat/3"}),
        ("POST", "/", "$default", {}),
        ("GET", "/healthz", "GET /healthz", {}),
        ("HEAD", "/healthz", "ANY /{proxy+}", {"proxy": "healthz"}),
    ],
)
def test_the_most_specific_route_wins(method: str, path: str, key: str, parameters: dict[str, str]) -> None:
    """The examples of "Working with routes for HTTP APIs" in API Gateway's developer guide, and some more."""
    keys = ["$default", "ANY /{proxy+}", "GET /pets/{proxy+}", "GET /pets/dog/{id}", "GET /pets/dog/1", "GET /healthz"]
    found = matching.choose_route([Route(one, None) for one in keys], method, path)
    assert found
    assert (found[0].key, found[1]) == (key, parameters)


def test_without_a_route_there_is_none() -> None:
    assert matching.choose_route([Route("GET /a", None), Route("GET /a/{b+}", None)], "GET", "/b") is None
    assert matching.choose_route([Route("GET /a/{b}", None)], "GET", "/a") is None


def test_a_stage_and_an_api_are_named_by_path_and_host() -> None:
    api = Api("one", "", "", [], {"$default": STAGE, "prod": Stage("prod")}, None, frozenset())
    assert matching.choose_stage(api, "/prod/x/y") == (Stage("prod"), "/x/y")
    assert matching.choose_stage(api, "/products") == (STAGE, "/products")
    assert matching.choose_stage(Api("x", "", "", [], {}, None, frozenset()), "/a") is None
    assert matching.choose_api({"one": api}, "127.0.0.1") is api
    assert matching.choose_api({"one": api, "two": API}, "two.localhost") is API
    assert matching.choose_api({"one": api, "two": API}, "localhost") is None


def test_the_event_is_the_documented_one() -> None:
    """The example of payload format 2.0 in the developer guide, without its authorizers."""
    given_headers = [("header1", "value1"), ("header2", "value1"), ("header2", "value2"), ("user-agent", "agent")]
    given_headers += [("cookie", "cookie1; cookie2"), ("host", "id.execute-api.us-east-1.amazonaws.com")]
    query = "parameter1=value1&parameter1=value2&parameter2=value"
    stage = Stage("$default", variables={"stageVariable1": "value1"})
    made = event.make(
        request("/my/path", query, b"Hello from Lambda", "POST", *given_headers),
        API, stage, Route("$default", None), {"parameter1": "value1"},
    )  # fmt: skip
    host = given_headers[-1][1]
    assert made == {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": "/my/path",
        "rawQueryString": query,
        "cookies": ["cookie1", "cookie2"],
        "headers": {"header1": "value1", "header2": "value1,value2", "user-agent": "agent", "host": host},
        "queryStringParameters": {"parameter1": "value1,value2", "parameter2": "value"},
        "requestContext": {
            "accountId": "123456789012",
            "apiId": "api-id",
            "domainName": host,
            "domainPrefix": "id",
            "http": {
                "method": "POST",
                "path": "/my/path",
                "protocol": "HTTP/1.1",
                "sourceIp": "192.0.2.1",
                "userAgent": "agent",
            },
            "requestId": "id",
            "routeKey": "$default",
            "stage": "$default",
            "time": "04/Mar/2020:19:03:58 +0000",
            "timeEpoch": 1583348638390,
        },
        "body": "Hello from Lambda",
        "pathParameters": {"parameter1": "value1"},
        "isBase64Encoded": False,
        "stageVariables": {"stageVariable1": "value1"},
    }


def test_what_is_absent_is_left_out() -> None:
    made = event.make(request(), API, STAGE, Route("$default", None), {})
    assert not made.keys() & {"cookies", "queryStringParameters", "body", "pathParameters", "stageVariables"}


@pytest.mark.parametrize(
    ("headers", "body", "sent", "is_base64"),
    [
        ({"content-type": "application/json; charset=utf-8"}, b'"\xc3\xa9"', '"é"', False),
        ({"content-type": "application/problem+json"}, b"{}", "{}", False),
        ({"content-type": "image/png"}, b"ab", "YWI=", True),
        ({"content-type": "text/plain"}, b"\xff", "/w==", True),
        ({"content-type": "application/json", "content-encoding": "gzip"}, b"ab", "YWI=", True),
    ],
)
def test_binary_bodies_are_sent_in_base64(headers: dict[str, str], body: bytes, sent: str, is_base64: bool) -> None:
    made = event.make(request("/", "", body, "POST", *headers.items()), API, STAGE, Route("$default", None), {})
    assert (made["body"], made["isBase64Encoded"]) == (sent, is_base64)


@pytest.mark.parametrize(
    ("payload", "status", "body"),
    [
        ("Hello from Lambda!", 200, b"Hello from Lambda!"),
        ({"message": "hi"}, 200, b'{"message": "hi"}'),
        (None, 200, b"null"),
        ({"statusCode": 201, "body": "made", "headers": {"Content-Type": "text/plain"}}, 201, b"made"),
        ({"statusCode": "204"}, 204, b""),
        ({"statusCode": 200, "body": "YWI=", "isBase64Encoded": True}, 200, b"ab"),
        ({"statusCode": 200, "body": "?", "isBase64Encoded": True}, 500, b'{"message":"Internal Server Error"}'),
        ({"statusCode": 200, "headers": {"x": "1\r\ny: 2"}}, 500, b'{"message":"Internal Server Error"}'),
        ({"statusCode": 200, "headers": {"\u00e9 x": "1"}}, 500, b'{"message":"Internal Server Error"}'),
        ({"statusCode": "many"}, 500, b'{"message":"Internal Server Error"}'),
        ({"statusCode": 200, "headers": []}, 200, b""),
        ({"statusCode": 200, "body": {"not": "text"}}, 500, b'{"message":"Internal Server Error"}'),
    ],
)
def test_the_functions_answer(payload: Any, status: int, body: bytes) -> None:
    found = answer.of_function(Invocation("1", json.dumps(payload).encode()))
    assert (found.status, found.body) == (status, body)


@settings(max_examples=40)
@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda one: st.lists(one) | st.dictionaries(
    st.sampled_from(["statusCode", "body", "headers", "cookies", "isBase64Encoded", "x"]), one)))  # fmt: skip
def test_every_answer_of_a_function_becomes_an_http_answer(payload: Any) -> None:
    found = answer.of_function(Invocation("1", json.dumps(payload).encode()))
    assert 200 <= found.status <= 599


def test_bytes_that_are_no_json_are_a_wrong_answer() -> None:
    assert answer.of_function(Invocation("1", b"\xff raw")).status == 500
    assert answer.of_function(Invocation("1", b"\xff raw", "Unhandled")).status == 502


def test_errors_become_the_documented_statuses() -> None:
    assert answer.of_function(failure("1", "Runtime.ExitError", "ended")).status == 502
    assert answer.of_function(failure("1", "Sandbox.Timedout", "late", timed_out=True)).status == 504
    assert answer.of_refusal(throttled()).body == b'{"message":"Service Unavailable"}'
    assert answer.of_refusal(too_large(7_000_000)).status == 413
    assert answer.own(429).body == b'{"message":"Too Many Requests"}'


def test_a_bucket_lets_a_burst_through_and_then_its_rate() -> None:
    now = [0.0]
    bucket = Bucket(10, 5, lambda: now[0])
    assert [bucket.take() for _ in range(7)] == [True] * 5 + [False] * 2
    taken = 0
    for _ in range(1000):
        now[0] += 0.01
        taken += bucket.take()
    assert 99 <= taken <= 101


def test_a_route_with_settings_has_a_bucket_of_its_own() -> None:
    limit = {"ThrottlingRateLimit": 1.0, "ThrottlingBurstLimit": 1}
    stage, throttle = Stage("s", limit, {"GET /a": limit}), Throttle(lambda: 0.0)
    assert [throttle.admits("api", stage, key) for key in ("GET /a", "GET /b", "GET /a", "GET /b")] == [
        True,
        True,
        False,
        False,
    ]
    assert all(throttle.admits("api", Stage("t"), "GET /a") for _ in range(100))


def test_cors_is_the_apis_not_the_functions() -> None:
    given_cors = {"AllowOrigins": ["https://a.example"], "AllowMethods": ["GET", "POST"], "MaxAge": 60}
    found = dict(cors.preflight(given_cors, "https://a.example"))
    assert found == {
        "access-control-allow-origin": "https://a.example",
        "access-control-allow-methods": "GET,POST",
        "access-control-max-age": "60",
    }
    assert cors.preflight(given_cors, "https://b.example") == []
    theirs = [("access-control-allow-origin", "*"), ("x", "1")]
    assert cors.applied(given_cors, "https://b.example", theirs) == [("x", "1")]
    assert cors.applied(None, "https://b.example", theirs) == theirs
    assert ("access-control-allow-origin", "*") in cors.applied({"AllowOrigins": ["*"]}, "https://b.example", [])
    assert cors.is_preflight(given_cors, "OPTIONS", {"origin": "a", "access-control-request-method": "GET"})
    assert not cors.is_preflight(None, "OPTIONS", {"origin": "a", "access-control-request-method": "GET"})


@pytest.mark.parametrize(
    ("change", "allowed"),
    [
        ({}, True),
        ({"Resource": FUNCTION.removesuffix(":live")}, False),
        ({"Principal": {"Service": "events.amazonaws.com"}}, False),
        ({"Action": "lambda:GetFunction"}, False),
        ({"Condition": {"ArnLike": {"AWS:SourceArn": f"{SOURCE}/*/GET/b"}}}, False),
        ({"Condition": {"ArnLike": {"AWS:SourceArn": f"{SOURCE}/*/GET/a"}}}, True),
        ({"Effect": "Deny"}, False),
    ],
)
def test_the_functions_policy_must_allow_it(change: dict[str, Any], allowed: bool) -> None:
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "apigateway.amazonaws.com"},
        "Action": "lambda:InvokeFunction",
        "Resource": FUNCTION,
        "Condition": {"ArnLike": {"AWS:SourceArn": f"{SOURCE}/*/*"}},
    }
    assert permission.permits([statement | change], FUNCTION, f"{SOURCE}/$default/GET/a") is allowed
    assert not permission.permits([], FUNCTION, f"{SOURCE}/$default/GET/a")


def test_a_line_of_the_access_log() -> None:
    found = answer.own(502, 'it said "no"')
    variables = access_log.variables(request("/a"), API, STAGE, "GET /a", found)
    form = json.dumps({"at": "$context.requestTime", "route": "$context.routeKey", "status": "$context.status",
                       "why": "$context.integrationErrorMessage", "unknown": "$context.nothing.here"})  # fmt: skip
    assert json.loads(access_log.line(form, variables)) == {
        "at": "04/Mar/2020:19:03:58 +0000",
        "route": "GET /a",
        "status": "502",
        "why": 'it said "no"',
        "unknown": "-",
    }
    common = '$context.identity.sourceIp [$context.requestTime] "$context.httpMethod $context.routeKey" $context.status'
    assert access_log.line(common, variables) == '192.0.2.1 [04/Mar/2020:19:03:58 +0000] "GET GET /a" 502'


@pytest.fixture
def issuer(httpserver: HTTPServer) -> tuple[str, ECKey]:
    key = ECKey.generate_key("P-256", {"kid": "1"})
    url = httpserver.url_for("").rstrip("/")
    httpserver.expect_request("/.well-known/openid-configuration").respond_with_json({"jwks_uri": f"{url}/keys"})
    httpserver.expect_request("/keys").respond_with_json({"keys": [key.as_dict(private=False)]})
    return url, key


def test_a_token_must_be_the_issuers_for_the_audience(issuer: tuple[str, ECKey]) -> None:
    url, key = issuer
    jwt_settings = {"Issuer": url, "Audience": ["cabs"]}
    given_authorizer = {"AuthorizationType": "JWT", "JwtConfiguration": jwt_settings, "Scopes": ["read"]}
    good = {"iss": url, "aud": "cabs", "exp": int(time.time()) + 60, "scope": "read write"}

    def ask(signer: ECKey = key, **change: Any) -> Any:
        token = jwt.encode({"alg": "ES256", "kid": "1"}, good | change, signer)
        return authorizer.claims(given_authorizer, {"authorization": f"Bearer {token}"})

    assert ask()["aud"] == "cabs"
    faults = [
        ask(aud="other"),
        ask(exp=int(time.time()) - 1),
        ask(iss="https://other"),
        ask(ECKey.generate_key("P-256")),
    ]
    assert [one.status for one in faults] == [401] * 4
    assert ask(scope="write") == Refusal(403, "insufficient scope")
    assert authorizer.claims(given_authorizer, {}).status == 401  # type: ignore[union-attr]
