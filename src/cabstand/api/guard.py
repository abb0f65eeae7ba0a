"""ASGI middleware around every route: ids, API key, rate, size and time limits, security headers, the request's log.

A route is public only if its path is listed here, so a new route needs a key until somebody decides otherwise. The
path checked is the one that the router matches, not a URL built from the Host header.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import chain

from starlette.routing import Match
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from cabstand.api import call as calls
from cabstand.api.call import Call
from cabstand.api.errors import ApiError, respond
from cabstand.api.metrics import Labels
from cabstand.api.service import Service
from cabstand.api.tracing import span

PUBLIC = frozenset({"/", "/healthz", "/readyz", "/docs", "/openapi.json"})
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
MAX_HEADERS_BYTES = 32_768
MAX_CALLERS = 10_000  # whose rates are remembered
ARRIVED = "cabstand.arrived"  # ASGI extension of a request whose body is here, so that no timer is set for it
SECURITY_HEADERS = [
    (b"strict-transport-security", b"max-age=31536000"),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cache-control", b"no-store"),
    (b"cross-origin-resource-policy", b"same-origin"),
]
REQUESTS = "cabstand_requests_total"
ERRORS = "cabstand_request_errors_total"
SECONDS = "cabstand_request_seconds"
CONTENT_POLICY = (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'")


@dataclass(frozen=True)
class RequestLimits:
    """What the guard holds requests to; a limit of None or 0 is left to the gateway."""

    keys_required: bool
    max_body_bytes: int
    timeout_s: float | None  # for a body to arrive
    rate_per_s: float  # of one key
    burst: int  # requests of one key at once


class RateLimit:
    """Token buckets by caller; a rate of 0 switches the limit off."""

    def __init__(self, rate_per_s: float, burst: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate = rate_per_s
        self._burst = float(burst)
        self._clock = clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def wait_s(self, caller: str) -> float:
        """Take a token and return 0, or return the seconds until there is one."""
        if not self._rate:
            return 0.0
        now = self._clock()
        tokens, at = self._buckets.pop(caller, (self._burst, now))
        tokens = min(self._burst, tokens + (now - at) * self._rate)
        missing = max(0.0, 1.0 - tokens)
        self._buckets[caller] = (tokens if missing else tokens - 1.0, now)
        if len(self._buckets) > MAX_CALLERS:
            self._buckets.popitem(last=False)
        return missing / self._rate


class Guard:
    """The middleware."""

    def __init__(self, app: ASGIApp, *, limits: RequestLimits, service: Service, routes: Iterable[str]) -> None:
        self._app = app
        self._limits = limits
        self._rate = RateLimit(limits.rate_per_s, limits.burst)
        self._service = service
        service.metrics.declare(REQUESTS, "counter", "Requests by route and status.")
        service.metrics.declare(ERRORS, "counter", "Requests that failed, by route and class of status.")
        service.metrics.start(ERRORS, [_failed(route, status) for route in (*routes, "other") for status in (400, 500)])
        service.metrics.declare(SECONDS, "histogram", "Time from arrival until the answer is written.")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; anything else, such as the lifespan, passes through."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        self._strip(scope)
        headers = dict(scope["headers"])
        call = calls.begin(headers.get(b"traceparent"), headers.get(b"x-amzn-trace-id"))
        if (event := scope.get("aws.event")) is not None:
            call.gateway_request_id = str(event["requestContext"].get("requestId", ""))
        self._service.store.tick()
        scope.setdefault("state", {})["call"] = call
        answer = _Answer(send, call, has_body=scope["method"] != "HEAD")
        try:
            await self._admit(scope, headers, call)
            if scope["method"] == "POST":
                call.body = await self._body(scope, headers, receive)
            await self._app(scope, receive, answer)
        except Exception as error:
            response = respond(error, call)
            if not answer.begun:  # otherwise it is too late, and the server closes the connection
                await response(scope, receive, answer)
        finally:
            self._finish(scope, call)

    def _strip(self, scope: Scope) -> None:
        """Take the prefix off the path, if the proxy has left it there."""
        root, path = self._service.root_path, scope["path"]
        if root and (path == root or path.startswith(f"{root}/")):
            scope["path"] = path[len(root) :] or "/"

    async def _admit(self, scope: Scope, headers: dict[bytes, bytes], call: Call) -> None:
        if sum(map(len, chain.from_iterable(scope["headers"]))) > MAX_HEADERS_BYTES:
            raise ApiError(431, "headers-too-large", f"the headers exceed {MAX_HEADERS_BYTES} bytes")
        path = scope["path"]
        if path in PUBLIC:
            call.route = path
            return
        if self._limits.keys_required:
            scope_wanted = "metrics" if path == "/metrics" else "predict"
            call.key = await self._service.keyring.authenticate(headers, scope_wanted)
        caller = call.key if call.key != "-" else str((scope.get("client") or "-")[0])
        if wait_s := self._rate.wait_s(caller):
            after = {"retry-after": str(math.ceil(wait_s))}
            raise ApiError(429, "too-many-requests", "this key's rate is used up", headers=after)

    async def _body(self, scope: Scope, headers: dict[bytes, bytes], receive: Receive) -> bytes:
        limit = self._limits.max_body_bytes
        declared = headers.get(b"content-length", b"0")
        if not declared.isdigit() or len(declared) > 18 or int(declared) > limit:
            raise _too_large(limit)
        if ARRIVED in scope.get("extensions", ()):
            return await _read(receive, limit)
        try:
            async with asyncio.timeout(self._limits.timeout_s):
                return await _read(receive, limit)
        except TimeoutError as error:
            close = {"connection": "close"}
            raise ApiError(408, "too-slow", "the request did not arrive in time", headers=close) from error

    def _finish(self, scope: Scope, call: Call) -> None:
        seconds = call.elapsed_s()
        if call.route == "other":
            call.route = _route(scope)
        self._service.metrics.add(REQUESTS, (("route", call.route), ("status", str(call.status))))
        if call.status >= 400:
            self._service.metrics.add(ERRORS, _failed(call.route, call.status))
        self._service.metrics.observe(SECONDS, (("route", call.route),), seconds)
        method = scope["method"] if scope["method"] in METHODS else "other"
        self._service.telemetry.answered(call, method, seconds)
        if self._service.tracing is not None:
            self._service.tracing(span(call, method))


class _Answer:
    """Sends an answer with the headers that every answer carries."""

    __slots__ = ("_call", "_has_body", "_send", "begun")

    def __init__(self, send: Send, call: Call, *, has_body: bool) -> None:
        self._send = send
        self._call = call
        self._has_body = has_body
        self.begun = False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.begun = True
            self._call.status = message["status"]
            headers = message["headers"]
            policy = [] if any(name == CONTENT_POLICY[0] for name, _ in headers) else [CONTENT_POLICY]
            ids = [
                (b"x-request-id", self._call.request_id.encode()),
                (b"traceparent", self._call.traceparent().encode()),
            ]
            message["headers"] = [*headers, *SECURITY_HEADERS, *policy, *ids]
        elif not self._has_body:
            message["body"] = b""
        await self._send(message)


def _failed(route: str, status: int) -> Labels:
    return ("route", route), ("class", f"{status // 100}xx")


def _route(scope: Scope) -> str:
    """Return the template of the route that a request asked for, though the guard or the router refused it."""
    if (found := scope.get("route")) is not None:
        return str(found.path)
    matching = (route.path for route in scope["app"].routes if route.matches(scope)[0] != Match.NONE)
    return next(matching, "other")


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
