"""What a client gets: a function's answer by payload format 2.0, or API Gateway's own."""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from cabstand.local.functions.invocation import Invocation, RefusedError

Headers = list[tuple[str, str]]
JSON = ("content-type", "application/json")
# RFC 9110, section 5.
_NAME, _VALUE = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"), re.compile(r"[^\r\n\0]*")
# Of the connection, not of the answer.
_DROPPED = {"connection", "content-length", "keep-alive", "transfer-encoding"}


@dataclass
class Answer:
    """One HTTP answer, and what the access log says about an error."""

    status: int
    headers: Headers
    body: bytes = b""
    error: str = ""
    integration_error: str = ""
    integration_status: str = "-"
    integration_ms: float | None = None
    served: dict[str, str] = field(default_factory=dict)  # further $context variables


def own(status: int, integration_error: str = "") -> Answer:
    """Return an answer of API Gateway itself."""
    # Its words are older than Python's.
    words = {413: "Request Entity Too Large"}.get(status) or HTTPStatus(status).phrase
    return Answer(
        status, [JSON], json.dumps({"message": words}, separators=(",", ":")).encode(), words, integration_error
    )


def of_refusal(refused: RefusedError) -> Answer:
    """Return the answer where Lambda does not invoke the function."""
    status = {429: 503, 413: 413}.get(refused.status, 500)
    return own(status, refused.what)


def of_function(found: Invocation) -> Answer:
    """Return the answer that a function gives, or 502 or 504 for its error."""
    if found.error:
        return own(504 if found.timed_out else 502, found.error_message)
    try:
        value = json.loads(found.payload)
        answer = _given(value) if isinstance(value, dict) and "statusCode" in value else _inferred(value)
    except (TypeError, ValueError, AttributeError, binascii.Error):
        return own(500, "The response from the Lambda function doesn't match the format that API Gateway expects")
    answer.integration_status = "200"
    return answer


def _inferred(value: Any) -> Answer:
    """Without a status code, the whole value is the body."""
    body = value if isinstance(value, str) else json.dumps(value)
    return Answer(200, [JSON], body.encode())


def _given(value: Mapping[str, Any]) -> Answer:
    status = int(value["statusCode"])
    if not 200 <= status <= 599:
        raise ValueError(status)
    headers = [(name.lower(), _text(one)) for name, one in (value.get("headers") or {}).items()]
    headers = [(name, one) for name, one in headers if name not in _DROPPED]
    if "content-type" not in dict(headers):
        headers.append(JSON)
    headers += [("set-cookie", str(one)) for one in value.get("cookies") or []]
    if not all(_NAME.fullmatch(name) and _VALUE.fullmatch(one) for name, one in headers):
        raise ValueError(headers)
    body = (value.get("body") or "").encode(errors="replace")
    return Answer(status, headers, base64.b64decode(body, validate=True) if value.get("isBase64Encoded") else body)


def _text(value: Any) -> str:
    return json.dumps(value) if isinstance(value, bool) else str(value)
