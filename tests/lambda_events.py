"""Events as API Gateway's HTTP API sends them (payload 2.0)."""

from __future__ import annotations

import json
from typing import Any

ROW = {"pickup_zone": 74, "dropoff_zone": 42, "pickup_at": "2023-03-01T08:15:00"}


def event(method: str, path: str, body: Any = None, **headers: str) -> dict[str, Any]:
    """Return an API Gateway HTTP API event (payload 2.0)."""
    path, _, query = path.partition("?")
    http = {"method": method, "path": path, "protocol": "HTTP/1.1", "sourceIp": "192.0.2.1", "userAgent": "test"}
    return {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": query,
        "headers": {"content-type": "application/json", "host": "api.example"} | headers,
        "requestContext": {"http": http, "stage": "$default", "requestId": "id", "accountId": "1", "apiId": "a"},
        "body": body if isinstance(body, str) or body is None else json.dumps(body),
        "isBase64Encoded": False,
    }
