"""Events of payload format 2.0, as API Gateway sends them to a function.

https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
"""

from __future__ import annotations

import base64
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from urllib.parse import parse_qsl

from cabstand.local.gateway.definition import Api, Route, Stage

TEXT_TYPES = ("text/", "application/json", "application/javascript", "application/xml")


@dataclass(frozen=True)
class Request:
    """One HTTP request; header names are in lower case, repeated ones stay apart."""

    method: str
    path: str
    query: str
    header_list: Sequence[tuple[str, str]]
    body: bytes
    source_ip: str
    request_id: str
    protocol: str = "HTTP/1.1"
    received_s: float = field(default_factory=time.time)

    @cached_property
    def headers(self) -> dict[str, str]:
        """The headers, repeated ones joined by commas."""
        return _joined(self.header_list)

    @cached_property
    def host(self) -> str:
        """The name of the host without the port."""
        return self.headers.get("host", "").partition(":")[0]

    @cached_property
    def time_text(self) -> str:
        """The time of the request as in access logs."""
        return time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime(self.received_s))


def make(request: Request, api: Api, stage: Stage, route: Route, parameters: Mapping[str, str]) -> dict[str, Any]:
    """Return the event for a request; keys without a value are absent, as on AWS."""
    headers = dict(request.headers)
    cookies = [one.strip() for one in headers.pop("cookie", "").split(";") if one.strip()]
    body, is_base64 = _body(request.body, headers)
    found = {
        "version": "2.0",
        "routeKey": route.key,
        "rawPath": request.path,
        "rawQueryString": request.query,
        "cookies": cookies,
        "headers": headers,
        "queryStringParameters": _joined(parse_qsl(request.query, keep_blank_values=True)),
        "requestContext": _context(request, api, stage, route),
        "body": body,
        "pathParameters": dict(parameters),
        "isBase64Encoded": is_base64,
        "stageVariables": dict(stage.variables),
    }
    optional = ("cookies", "queryStringParameters", "body", "pathParameters", "stageVariables")
    return {key: value for key, value in found.items() if value or key not in optional}


def _context(request: Request, api: Api, stage: Stage, route: Route) -> dict[str, Any]:
    return {
        "accountId": api.account,
        "apiId": api.id,
        "domainName": request.host,
        "domainPrefix": request.host.partition(".")[0],
        "http": {
            "method": request.method,
            "path": request.path,
            "protocol": request.protocol,
            "sourceIp": request.source_ip,
            "userAgent": request.headers.get("user-agent", ""),
        },
        "requestId": request.request_id,
        "routeKey": route.key,
        "stage": stage.name,
        "time": request.time_text,
        "timeEpoch": int(request.received_s * 1000),
    }


def _joined(pairs: Sequence[tuple[str, str]]) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in pairs:
        separator = "; " if name == "cookie" else ","
        found[name] = f"{found[name]}{separator}{value}" if name in found else value
    return found


def _body(body: bytes, headers: Mapping[str, str]) -> tuple[str, bool]:
    """Return the body as text, or in base64 where it is of a binary type."""
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    if (kind.startswith(TEXT_TYPES) or kind.endswith(("+json", "+xml")) or not kind) and not _is_packed(headers):
        try:
            return body.decode(), False
        except UnicodeDecodeError:
            pass
    return base64.b64encode(body).decode(), bool(body)


def _is_packed(headers: Mapping[str, str]) -> bool:
    return headers.get("content-encoding", "identity") != "identity"
