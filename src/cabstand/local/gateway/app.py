"""The gateway as an ASGI application."""

from __future__ import annotations

import asyncio
import json
import logging
import time
import uuid
from collections.abc import Awaitable, Callable, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from cabstand.errors import CabstandError
from cabstand.local.functions.fresh import Fresh
from cabstand.local.functions.invocation import RefusedError
from cabstand.local.functions.service import Functions
from cabstand.local.gateway import access_log, answer, authorizer, cors, definition, event, lambda_api, matching
from cabstand.local.gateway.answer import Answer
from cabstand.local.gateway.definition import Api, Clients, Integration, Route, Stage
from cabstand.local.gateway.event import Request
from cabstand.local.gateway.throttle import Throttle

Message = MutableMapping[str, Any]
MOST_BYTES = 10 * 2**20  # https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-quotas.html
# Requests beyond wait for one of these threads; most of them wait for an environment.
THREADS = 64
NO_PERMISSION = (
    "The IAM role configured on the integration or API Gateway doesn't have permissions to call the integration"
)
_LOG = logging.getLogger(__name__)


class Gateway:
    """Serves every HTTP API of the emulator: the only one, or that whose id starts the host name."""

    def __init__(self, client: Clients, functions: Functions) -> None:
        self._client, self._functions = client, functions
        self._apis = Fresh(lambda: definition.read(client))
        self._throttle = Throttle()
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="invoke")
        self._writers: dict[str, Callable[[str], None]] = {}
        self._later: set[asyncio.Future[Any]] = set()

    async def __call__(
        self, scope: Message, receive: Callable[[], Awaitable[Message]], send: Callable[[Message], Awaitable[None]]
    ) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        request, is_whole = await _request(scope, receive)
        call = lambda_api.call_of(request)
        found = (
            await (self._called(call, request.body) if call else self._answer(request)) if is_whole else answer.own(413)
        )
        headers = [*found.headers, ("apigw-requestid", request.request_id), ("content-length", str(len(found.body)))]
        if found.status == 204:
            headers.pop()
        encoded = [(name.encode("latin-1"), value.encode("latin-1", "replace")) for name, value in headers]
        await send({"type": "http.response.start", "status": found.status, "headers": encoded})
        await send({"type": "http.response.body", "body": found.body})

    async def _called(self, call: lambda_api.Call, payload: bytes) -> Answer:
        """Answer a call of Lambda's Invoke; an asynchronous one is run once, without AWS's two retries."""
        running = asyncio.ensure_future(
            self._functions.invoke_here(self._threads, call.name, call.qualifier, payload or b"{}")
        )
        if call.kind == "Event":
            self._later.add(running)
            running.add_done_callback(self._finished)
            return lambda_api.accepted()
        try:
            return lambda_api.of_invocation(await running)
        except RefusedError as refused:
            return lambda_api.of_refusal(refused)
        except (CabstandError, BotoCoreError, ClientError, OSError) as error:
            return lambda_api.of_refusal(RefusedError("ServiceException", 500, str(error)))

    def _finished(self, running: asyncio.Future[Any]) -> None:
        self._later.discard(running)
        if not running.cancelled() and (error := running.exception()):
            _LOG.error("an asynchronous invocation failed: %s", error)

    async def _answer(self, request: Request) -> Answer:
        try:
            apis = self._apis.get() if self._apis.is_recent else await asyncio.to_thread(self._apis.get)
        except (BotoCoreError, ClientError) as error:
            _LOG.warning("the HTTP APIs cannot be read: %s", error)
            return answer.own(503)
        api = matching.choose_api(apis, request.host)
        chosen = api and matching.choose_stage(api, request.path)
        if not api or not chosen:
            return answer.own(404)
        stage, path = chosen
        if api.cors and cors.is_preflight(api.cors, request.method, request.headers):
            return Answer(204, cors.preflight(api.cors, request.headers["origin"]))
        routed = matching.choose_route(api.routes, request.method, path)
        found = await self._routed(request, api, stage, *routed) if routed else answer.own(404)
        found.headers = cors.applied(api.cors, request.headers.get("origin"), found.headers)
        self._log(request, api, stage, routed[0].key if routed else "", found)
        self._functions.metrics.add("AWS/ApiGateway", "ApiId", api.id, **access_log.metrics(request, found))
        return found

    async def _routed(
        self, request: Request, api: Api, stage: Stage, route: Route, parameters: dict[str, str]
    ) -> Answer:
        if not self._throttle.admits(api.id, stage, route.key):
            return answer.own(429)
        made = event.make(request, api, stage, route, parameters)
        if route.authorizer:
            claims = await asyncio.to_thread(authorizer.claims, route.authorizer, request.headers)
            if not isinstance(claims, dict):
                return replace(answer.own(claims.status), served={"authorizer.error": claims.reason})
            made["requestContext"]["authorizer"] = {"jwt": {"claims": claims, "scopes": None}}
        if not route.integration:
            return answer.own(500, "only Lambda integrations of payload format 2.0 are served here")
        if (stage.name, route.key) not in api.permitted:
            return answer.own(500, NO_PERMISSION)
        return await self._invoked(route.integration, json.dumps(made).encode())

    async def _invoked(self, integration: Integration, payload: bytes) -> Answer:
        """Invoke the function; after the integration's time-out it goes on, but nobody waits for it."""
        began_s = time.perf_counter()
        call = asyncio.ensure_future(
            self._functions.invoke_here(self._threads, integration.function, integration.qualifier, payload)
        )
        done, _ = await asyncio.wait([call], timeout=integration.timeout_s)
        if not done:
            call.add_done_callback(lambda late: late.cancelled() or late.exception())
            found = answer.own(503, "The integration timed out")
        else:
            found = _outcome(call)
        found.integration_ms = (time.perf_counter() - began_s) * 1000
        return found

    def _log(self, request: Request, api: Api, stage: Stage, route_key: str, found: Answer) -> None:
        if not stage.log_group:
            return
        write = self._writers.get(stage.log_group)
        if not write:
            write = self._functions.log.open(stage.log_group, f"{api.id}-{stage.name}", lambda: self._client("logs"))
            self._writers[stage.log_group] = write
        write(access_log.line(stage.log_format, access_log.variables(request, api, stage, route_key, found)))


def _outcome(call: asyncio.Future[Any]) -> Answer:
    try:
        return answer.of_function(call.result())
    except RefusedError as refused:
        return answer.of_refusal(refused)
    except (CabstandError, BotoCoreError, ClientError, OSError) as error:
        _LOG.error("the function was not invoked: %s", error)
        return answer.own(500, str(error))


async def _request(scope: Message, receive: Callable[[], Awaitable[Message]]) -> tuple[Request, bool]:
    """Read a request; return also whether it was small enough to be read as a whole."""
    body, more, n_bytes = [], True, 0
    while more:
        message = await receive()
        more = message.get("more_body", False)
        n_bytes += len(message.get("body", b""))
        if n_bytes <= MOST_BYTES:
            body.append(message.get("body", b""))
    headers = [(name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in scope["headers"]]
    client = (scope.get("client") or ("127.0.0.1",))[0]
    headers += [("x-forwarded-for", client), ("x-forwarded-proto", scope["scheme"])]
    request = Request(
        scope["method"], scope["path"], scope["query_string"].decode("latin-1"), headers, b"".join(body), client,
        str(uuid.uuid4()), f"HTTP/{scope['http_version']}",
    )  # fmt: skip
    return request, n_bytes <= MOST_BYTES
