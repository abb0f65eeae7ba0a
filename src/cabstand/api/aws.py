"""The application behind API Gateway: Mangum, and what it does not survive by itself.

Mangum raises on a null header, on a surrogate without its other half and on an event that is not a request.
"""

from __future__ import annotations

import base64
import binascii
import gc
import json
import logging
import sys
import uuid
from collections.abc import Callable
from typing import Any

from mangum import Mangum
from starlette.types import ASGIApp, Receive, Scope, Send

from cabstand import settings
from cabstand.api import service as services
from cabstand.api.errors import MEDIA_TYPE
from cabstand.api.front import front
from cabstand.api.service import Service
from cabstand.log import JsonFormatter, hush

logger = logging.getLogger(__name__)

SNAPSHOT = "snap-start"  # AWS_LAMBDA_INITIALIZATION_TYPE of a function that is frozen before its first event
SPARE_S = 0.25  # of a request's time, for a look at the pointers that could not end while the function was frozen
Event = dict[str, Any]
Handler = Callable[[Event, Any], Event]


def lambda_handler() -> Handler:
    """Return the function's handler, its keys and models loaded: SnapStart keeps them in the snapshot."""
    effective = settings.load()
    _configure(effective.log_level)
    service = services.build(effective)
    routes = Routes(service)
    if effective.api_keys_required:
        service.keyring.refresh()
    service.store.refresh()
    service.store.start()
    if effective.lambda_initialization == SNAPSHOT:
        routes.load()
    gc.freeze()  # what stays for good is not searched for garbage again
    answer = Mangum(front(routes, effective, service), lifespan="off")

    def handle(event: Event, context: Any) -> Event:
        service.store.spare(SPARE_S)
        answered: Event = answer(event, context)
        return answered

    return guarded(handle)


class Routes:
    """FastAPI's routes, imported when first asked for: predictions need none of it, and it is a fifth of a cold start.

    A snapshot has it from the start, where time costs nothing.
    """

    def __init__(self, service: Service) -> None:
        self._service = service
        self._routed: ASGIApp | None = None

    def load(self) -> ASGIApp:
        """Return the application of the routes."""
        if self._routed is None:
            from cabstand.api.app import with_routes

            self._routed = with_routes(self._service).routed
        return self._routed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request that is not a prediction."""
        await self.load()(scope, receive, send)


def guarded(handler: Handler) -> Handler:
    """Return a handler that answers every event: mended where it can be, else with a problem."""

    def handle(event: Event, context: Any) -> Event:
        try:
            _mend(event)
        except (AttributeError, KeyError, TypeError, ValueError, binascii.Error):
            return _problem(400, "Bad Request", "not a request of API Gateway's HTTP API")
        try:
            return handler(event, context)
        except Exception as error:
            logger.error("event failed: %s", type(error).__name__)
            return _problem(500, "Internal Server Error", "the service failed")

    return handle


def _mend(event: Event) -> None:
    """Make an HTTP API event one that Mangum reads, or raise."""
    http = event["requestContext"]["http"]
    for part in (http["method"], http["path"], event.get("rawQueryString") or ""):
        part.encode()
    event["version"] = "2.0"
    event["rawQueryString"] = event.get("rawQueryString") or ""
    http["sourceIp"] = str(http.get("sourceIp") or "-")
    headers = event.get("headers") or {}
    event["headers"] = {_text(name): _text(value) for name, value in headers.items() if value is not None}
    event["cookies"] = []  # nothing here reads any
    body = event.get("body") or ""
    if event.get("isBase64Encoded"):
        base64.b64decode(body, validate=True)
    else:
        event["body"] = body if body.isascii() else body.encode("utf-8", "surrogatepass").decode("utf-8", "replace")


def _text(value: Any) -> str:
    text = str(value)
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def _problem(status: int, title: str, detail: str) -> Event:
    request_id = uuid.uuid4().hex
    content = {"type": "about:blank", "title": title, "status": status, "detail": detail, "request_id": request_id}
    headers = {"content-type": MEDIA_TYPE, "x-request-id": request_id, "x-content-type-options": "nosniff"}
    return {"statusCode": status, "headers": headers, "body": json.dumps(content), "isBase64Encoded": False}


def _configure(level: str) -> None:
    line = logging.StreamHandler(sys.stdout)
    line.setFormatter(JsonFormatter())
    root = logging.getLogger()
    root.handlers[:] = [line]
    root.setLevel(level.upper())
    hush()
    logging.getLogger("mangum").setLevel(logging.ERROR)
