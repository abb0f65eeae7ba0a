"""The check of the service from outside, and where it looks."""

from __future__ import annotations

from typing import Any

import pytest
from pytest_httpserver import HTTPServer

from cabstand.account import service_check
from cabstand.errors import TaskError
from cabstand.io import aws


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service_check, "MAX_WAIT_S", 0.0)


def test_it_requires_life_readiness_and_a_refusal(httpserver: HTTPServer) -> None:
    url = httpserver.url_for("").rstrip("/")
    with pytest.raises(TaskError, match="answers 500, not 200"):
        service_check.check(url)
    httpserver.clear_log()
    httpserver.expect_request("/healthz").respond_with_json({})
    with pytest.raises(TaskError, match="readyz"):
        service_check.check(url)
    httpserver.expect_request("/readyz").respond_with_json({})
    with pytest.raises(TaskError, match="predict"):
        service_check.check(url)
    httpserver.expect_request("/v1/trip-duration/predict", method="POST").respond_with_json({}, status=401)
    assert service_check.check(url)


def test_a_service_without_a_model_is_alive(httpserver: HTTPServer) -> None:
    httpserver.expect_request("/healthz").respond_with_json({})
    httpserver.expect_request("/readyz").respond_with_json({}, status=503)
    assert not service_check.check(httpserver.url_for("").rstrip("/"))


def test_no_service_is_reported() -> None:
    with pytest.raises(TaskError, match="answers nothing"):
        service_check.check("http://127.0.0.1:9")


def test_the_address_is_the_api_s_or_its_domain_s(bucket: str) -> None:
    aws.client.cache_clear()
    gateway: Any = aws.client("apigatewayv2")
    assert service_check.address("cabstand-address-api") == ""
    api = gateway.create_api(Name="cabstand-address-api", ProtocolType="HTTP")
    assert service_check.address("cabstand-address-api") == api["ApiEndpoint"]
    gateway.update_api(ApiId=api["ApiId"], DisableExecuteApiEndpoint=True)
    assert service_check.address("cabstand-address-api") == ""
    gateway.create_stage(ApiId=api["ApiId"], StageName="$default")
    certificate = "arn:aws:acm:us-east-1:123456789012:certificate/1"
    configuration = {"CertificateArn": certificate, "EndpointType": "REGIONAL", "SecurityPolicy": "TLS_1_2"}
    gateway.create_domain_name(DomainName="api.example.org", DomainNameConfigurations=[configuration])
    gateway.create_api_mapping(ApiId=api["ApiId"], DomainName="api.example.org", Stage="$default")
    assert service_check.address("cabstand-address-api") == "https://api.example.org"
    aws.client.cache_clear()
