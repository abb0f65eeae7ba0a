"""Lambda's Invoke, for the other parts of the account: an SDK's client with the gateway as its endpoint.

So that all share the environments and the concurrency of a function.
"""

from __future__ import annotations

import json
import re
from typing import NamedTuple
from urllib.parse import parse_qs, unquote

from cabstand.local.functions.invocation import Invocation, RefusedError
from cabstand.local.gateway.answer import JSON, Answer
from cabstand.local.gateway.event import Request

_PATH = re.compile(r"/2015-03-31/functions/([^/]+)/invocations")


class Call(NamedTuple):
    """One call of Invoke."""

    name: str
    qualifier: str
    kind: str


def call_of(request: Request) -> Call | None:
    """Return what a request asks of Lambda; None if it is none of Lambda's."""
    found = _PATH.fullmatch(request.path) if request.method == "POST" else None
    if not found:
        return None
    # A name, a name with its qualifier, or an ARN with or without one.
    parts = unquote(found[1]).removeprefix("arn:aws:lambda:").split(":")
    name, *rest = parts[3:] if len(parts) > 3 else parts
    qualifier = parse_qs(request.query).get("Qualifier", rest or ["$LATEST"])[0]
    return Call(name, qualifier, request.headers.get("x-amz-invocation-type", "RequestResponse"))


def of_invocation(found: Invocation) -> Answer:
    """Return Invoke's answer with the function's."""
    headers = [JSON, ("x-amz-executed-version", found.version)]
    return Answer(200, headers + ([("x-amz-function-error", found.error)] if found.error else []), found.payload)


def of_refusal(refused: RefusedError) -> Answer:
    """Return Invoke's answer with an error."""
    body = json.dumps({"Type": "User", "message": refused.what}).encode()
    return Answer(refused.status, [JSON, ("x-amzn-errortype", refused.code)], body)


def accepted() -> Answer:
    """Return the answer to an asynchronous invocation."""
    return Answer(202, [JSON])
