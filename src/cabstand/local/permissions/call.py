"""Read a request to the emulator: who calls which operation of which service, with which parameters."""

from __future__ import annotations

import gzip
import io
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from moto.core.parse import PROTOCOL_PARSERS
from moto.core.request import Request, determine_request_protocol
from moto.core.routing import get_service_router
from moto.core.utils import get_service_model

_CREDENTIAL = re.compile(r"Credential=([^/]+)/\d+/([^/]+)/([^/]+)/aws4_request")
# Signing name => botocore's name, where they differ.
_SERVICES = {
    "elasticloadbalancing": "elbv2",
    "monitoring": "cloudwatch",
    "servicequotas": "service-quotas",
    "tagging": "resourcegroupstaggingapi",
}
# Operations that are called without a signature; anyone who holds the token may.
UNSIGNED = frozenset({"AssumeRoleWithWebIdentity"})


@dataclass(frozen=True)
class Call:
    """One call of AWS's API; the access key of an unsigned one is empty."""

    access_key: str
    region: str
    service: str
    operation: str
    params: Mapping[str, Any]
    path: str = ""
    token: str = ""  # of a session

    @property
    def name(self) -> str:
        """Service and operation, such as `s3:GetObject`."""
        return f"{self.service}:{self.operation}"


def read(environ: dict[str, Any]) -> Call | None:
    """Return the call that a WSGI request makes, its body kept readable; None if it is not one of AWS's API."""
    body = Request(environ).get_data()
    environ["wsgi.input"] = io.BytesIO(body)
    request = _plain(environ, body)
    if signed := _CREDENTIAL.search(request.headers.get("Authorization", "") or _presigned(request)):
        key, region, signing_name = signed.groups()
    elif request.values.get("Action") in UNSIGNED:
        key, region, signing_name = "", "us-east-1", "sts"
    else:
        return None
    service = _service(signing_name, request.path)
    operation, params = _parse(service, request)
    return Call(key, region, service, operation, params, request.path.removeprefix("/v2"), _token(request))


def _plain(environ: dict[str, Any], body: bytes) -> Request:
    """Return the request with a body of its own, which is uncompressed unless it is an object."""
    if environ.get("HTTP_CONTENT_ENCODING") == "gzip" and "/s3/aws4_request" not in environ.get(
        "HTTP_AUTHORIZATION", ""
    ):
        body = gzip.decompress(body)
    return Request({**environ, "wsgi.input": io.BytesIO(body), "CONTENT_LENGTH": str(len(body))})


def _presigned(request: Request) -> str:
    """Return the credential of an address that is signed itself; S3's older signature has no scope."""
    if older := request.args.get("AWSAccessKeyId"):
        return f"Credential={older}/0/us-east-1/s3/aws4_request"
    return f"Credential={request.args.get('X-Amz-Credential', '')}"


def _token(request: Request) -> str:
    given = {name.lower(): value for name, value in request.args.items()}
    return str(request.headers.get("X-Amz-Security-Token") or given.get("x-amz-security-token", ""))


def _service(signing_name: str, path: str) -> str:
    if signing_name == "apigateway":  # two generations of the service share a signing name
        return "apigatewayv2" if path.startswith("/v2/") else "apigateway"
    return _SERVICES.get(signing_name, signing_name)


def _parse(service: str, request: Request) -> tuple[str, dict[str, Any]]:
    """Return operation and parameters; the operation is empty where none fits, or the request is malformed."""
    try:
        operation, labels = get_service_router(service).match(request)
        protocol = determine_request_protocol(get_service_model(service), request.content_type)
        parsed = PROTOCOL_PARSERS[protocol](operation, map_type=dict).parse(
            {
                "method": request.method,
                "values": request.values,
                "headers": request.headers,
                "body": request.get_data(),
                "url_path": request.path,
                "url_params": labels,
            }
        )
    except Exception:  # the parsers raise anything; moto then answers with AWS's error
        return "", {}
    return operation.name, parsed
