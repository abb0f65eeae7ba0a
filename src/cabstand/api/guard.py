"""What every request passes before a route sees it: ids, key, rate, size and time; and what every answer carries.

Plain ASGI around the whole application. A route is public only if its path is listed, so a new route is guarded until
somebody says otherwise. The path judged is the one the router matches, not a URL built from the Host header.
"""

from __future__ import annotations

import asyncio
import logging
import math
import traceback
from collections.abc import MutableMapping
from dataclasses import dataclass
from itertools import chain
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from cabstand.api import call as calls
from cabstand.api.call import Call
from cabstand.api.errors import ApiError, translate
from cabstand.api.limits import RateLimit
from cabstand.api.service import Service
from cabstand.io.keys import ApiKey

logger = logging.getLogger(__name__)

PUBLIC = frozenset({"/", "/healthz", "/readyz", "/docs", "/openapi.json"})
METRICS_PATH = "/metrics"
MAX_HEADERS_BYTES = 32_768
SECURITY = [
    (b"strict-transport-security", b"max-age=31536000"),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cache-control", b"no-store"),
    (b"cross-origin-resource-policy", b"same-origin"),
]
POLICY = (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'")
WHOLE = "cabstand.whole"  # in a scope: the server has the whole body, so there is nothing to wait for


@dataclass(frozen=True)
class Rules:
    """What the guard holds requests to."""

    keys_required: bool
    max_body_bytes: int
    timeout_s: float | None


class Guard:
    """The application behind its guard."""

    def __init__(self, app: ASGIApp, *, rules: Rules, limit: RateLimit, service: Service) -> None:
        self._app = app
        self._rules = rules
        self._limit = limit
        self._keyring = service.keyring
        self._metrics = metrics = service.metrics
        self._telemetry = service.telemetry
        self._tracing = service.tracing
        self._tick = service.store.tick
        metrics.declare("cabstand_requests_total", "counter", "Requests by route and status.")
        metrics.declare("cabstand_request_seconds", "histogram", "Time from arrival until the answer is written.")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or pass on what is not one."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        call = scope[calls.SCOPE] = calls.begin(headers.get(b"traceparent"))
        if self._tracing is not None:
            self._tracing.begin(call, headers.get(b"traceparent"))
        answer = _Answer(send, call)
        self._tick()
        try:
            await self._admit(scope, headers, call)
            if scope["method"] == "POST":
                call.body = await self._body(scope, headers, receive)
            await self._app(scope, receive, answer)
        except Exception as error:
            if not isinstance(error, ApiError):
                _report(error, call)
            if answer.begun:  # too late for another answer; the server closes the connection
                return
            await translate(error).response(call.request_id)(scope, receive, answer)
        finally:
            self._finish(scope, call)

    async def _admit(self, scope: Scope, headers: MutableMapping[bytes, bytes], call: Call) -> None:
        if sum(map(len, chain.from_iterable(scope["headers"]))) > MAX_HEADERS_BYTES:
            raise ApiError(431, "headers-too-large", f"the headers exceed {MAX_HEADERS_BYTES} bytes")
        path = scope["path"]
        if path in PUBLIC:
            call.route = path
            return
        if self._rules.keys_required:
            wanted = "metrics" if path == METRICS_PATH else "predict"
            call.key = (await self._key(headers, wanted)).id
        caller = call.key if call.key != "-" else str((scope.get("client") or "-")[0])
        if wait := self._limit.wait_s(caller):
            after = {"retry-after": str(math.ceil(wait))}
            raise ApiError(429, "too-many-requests", "this key's rate is used up", headers=after)

    async def _key(self, headers: MutableMapping[bytes, bytes], scope: str) -> ApiKey:
        presented = headers.get(b"x-api-key") or _bearer(headers.get(b"authorization", b""))
        if not presented:
            raise _unauthorized("send an API key as `x-api-key`, or as `authorization: Bearer`")
        if self._keyring.stale():
            await asyncio.to_thread(self._keyring.refresh)
        key = self._keyring.find(presented.decode("latin-1"))
        if key is None:
            raise _unauthorized("this API key is not valid: unknown, expired or revoked")
        if scope not in key.scopes:
            raise ApiError(403, "forbidden", f"this API key lacks the scope `{scope}`")
        return key

    async def _body(self, scope: Scope, headers: MutableMapping[bytes, bytes], receive: Receive) -> bytes:
        limit = self._rules.max_body_bytes
        declared = headers.get(b"content-length", b"0")
        if not declared.isdigit() or len(declared) > 18 or int(declared) > limit:
            raise _too_large(limit)
        if self._rules.timeout_s is None or WHOLE in scope:
            return await _read(receive, limit)
        try:
            async with asyncio.timeout(self._rules.timeout_s):
                return await _read(receive, limit)
        except TimeoutError as error:
            late = {"connection": "close"}
            raise ApiError(408, "too-slow", "the request did not arrive in time", headers=late) from error

    def _finish(self, scope: Scope, call: Call) -> None:
        seconds = call.elapsed_s()
        if call.route == "other" and (route := scope.get("route")) is not None:
            call.route = getattr(route, "path", "other")
        labels = (("route", call.route), ("status", str(call.status)))
        self._metrics.add("cabstand_requests_total", labels)
        self._metrics.observe("cabstand_request_seconds", (("route", call.route),), seconds)
        method = scope["method"] if scope["method"] in _METHODS else "other"
        self._telemetry.answered(call, method, seconds)
        if self._tracing is not None:
            self._tracing.end(call, method)


_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class _Answer:
    """Sends an answer with the headers that each carries."""

    __slots__ = ("_call", "_send", "begun")

    def __init__(self, send: Send, call: Call) -> None:
        self._send = send
        self._call = call
        self.begun = False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.begun = True
            self._call.status = message["status"]
            own = message["headers"]
            policy = [] if any(name == POLICY[0] for name, _ in own) else [POLICY]
            request_id, trace = self._call.request_id.encode(), self._call.traceparent().encode()
            message["headers"] = [*own, *SECURITY, *policy, (b"x-request-id", request_id), (b"traceparent", trace)]
        await self._send(message)


async def _read(receive: Receive, limit: int) -> bytes:
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ApiError(400, "incomplete", "the client left before its request was whole")
        body += message.get("body", b"")
        if len(body) > limit:
            raise _too_large(limit)
        if not message.get("more_body", False):
            return bytes(body)


def _too_large(limit: int) -> ApiError:
    return ApiError(413, "body-too-large", f"the body exceeds {limit} bytes", headers={"connection": "close"})


def _bearer(value: bytes) -> bytes:
    scheme, _, token = value.partition(b" ")
    return token.strip() if scheme.lower() == b"bearer" else b""


def _unauthorized(detail: str) -> ApiError:
    return ApiError(401, "unauthorized", detail, headers={"www-authenticate": "Bearer"})


def _report(error: Exception, call: Call) -> None:
    # Where it happened and of which class; never its text, which may quote the request.
    frames = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in traceback.extract_tb(error.__traceback__)]
    told: dict[str, Any] = {"request_id": call.request_id, "trace_id": call.trace_id, "frames": frames[-8:]}
    logger.error("request failed: %s", type(error).__name__, extra=told)
