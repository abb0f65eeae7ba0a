"""CORS by the API's configuration: preflight answers, and the headers of the others."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Headers = list[tuple[str, str]]
PREFIX = "access-control-"


def is_preflight(cors: Mapping[str, Any] | None, method: str, headers: Mapping[str, str]) -> bool:
    """Return whether API Gateway itself answers: also where there is no route for OPTIONS."""
    return bool(cors) and method == "OPTIONS" and {"origin", "access-control-request-method"} <= headers.keys()


def preflight(cors: Mapping[str, Any], origin: str) -> Headers:
    """Return the headers of the answer 204; none for an origin that is not allowed."""
    found = _common(cors, origin)
    if found:
        lists = {"allow-methods": "AllowMethods", "allow-headers": "AllowHeaders"}
        found += [(PREFIX + name, ",".join(cors[key])) for name, key in lists.items() if cors.get(key)]
        if cors.get("MaxAge") is not None:
            found.append((PREFIX + "max-age", str(cors["MaxAge"])))
    return found


def applied(cors: Mapping[str, Any] | None, origin: str | None, headers: Headers) -> Headers:
    """Return an answer's headers with the API's CORS headers instead of the function's."""
    if not cors:
        return headers
    kept = [(name, value) for name, value in headers if not name.startswith(PREFIX)]
    common = _common(cors, origin) if origin else []
    if common and cors.get("ExposeHeaders"):
        common.append((PREFIX + "expose-headers", ",".join(cors["ExposeHeaders"])))
    return kept + common


def _common(cors: Mapping[str, Any], origin: str) -> Headers:
    allowed = cors.get("AllowOrigins") or []
    if not any(one in {"*", origin} or (one.endswith("://*") and origin.startswith(one[:-1])) for one in allowed):
        return []
    found = [(PREFIX + "allow-origin", "*" if "*" in allowed else origin)]
    return found + ([(PREFIX + "allow-credentials", "true")] if cors.get("AllowCredentials") else [])
