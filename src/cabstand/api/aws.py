"""The application behind API Gateway: Mangum, and the events that Mangum fails on.

Mangum raises on a null header, on a lone surrogate and on an event that is not a request.
"""

from __future__ import annotations

import base64
import binascii
import gc
import json
import logging
import os
import uuid
from collections.abc import Callable
from typing import Any

from mangum import Mangum

from cabstand import settings
from cabstand.api.app import create_app
from cabstand.api.errors import MEDIA_TYPE
from cabstand.api.service import Service
from cabstand.log import configure

logger = logging.getLogger(__name__)

WAIT_S = 0.25  # of a request, for a refresh that could not end while the function was frozen
Event = dict[str, Any]
Handler = Callable[[Event, Any], Event]


def lambda_handler() -> Handler:
    """Return the function's handler, its keys and models loaded: SnapStart keeps them in the snapshot."""
    effective = settings.load()
    configure(effective.log_level, json_lines=True)
    logging.getLogger("mangum").setLevel(logging.ERROR)
    app = create_app(effective)
    service: Service = app.state.service
    if effective.api_keys_required:
        service.keyring.refresh()
    service.store.refresh()
    service.store.start()
    gc.freeze()  # garbage collection skips what stays for good
    answer = Mangum(app, lifespan="off")

    def handle(event: Event, context: Any) -> Event:
        service.store.catch_up(WAIT_S)
        if segment := os.environ.get("_X_AMZN_TRACE_ID"):  # of this invocation; the gateway's header lacks its id
            event["headers"]["x-amzn-trace-id"] = segment
        response: Event = answer(event, context)
        return response

    return guarded(handle)


def guarded(handler: Handler) -> Handler:
    """Return a handler that answers every event: repaired where possible, otherwise with a problem."""

    def handle(event: Event, context: Any) -> Event:
        try:
            _repair(event)
        except (AttributeError, KeyError, TypeError, ValueError, binascii.Error):
            return _problem(400, "Bad Request", "not a request of API Gateway's HTTP API")
        try:
            return handler(event, context)
        except Exception as error:
            logger.error("event failed: %s", type(error).__name__)
            return _problem(500, "Internal Server Error", "the service failed")

    return handle


def _repair(event: Event) -> None:
    """Make an HTTP API event one that Mangum can read, or raise."""
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
