"""Whether the service answers as it should: alive, ready, refusing requests without a key."""

from __future__ import annotations

import time
import urllib.error
import urllib.request
from urllib.parse import urlsplit

from cabstand.errors import ConfigError, TaskError
from cabstand.io.aws import items

MAX_WAIT_S = 60.0


def address(function: str) -> str:
    """Return the address of the function's HTTP API: its domain, if it has one; empty without an API."""
    wanted = f"Items[?Name == '{function}'].[ApiId, ApiEndpoint, DisableExecuteApiEndpoint]"
    for api, endpoint, has_domain in items("apigatewayv2", "get_apis", wanted):
        return domain_address(api) if has_domain else str(endpoint)
    return ""


def domain_address(api: str) -> str:
    """Return the address of an API's own domain; empty if it has none."""
    for name in items("apigatewayv2", "get_domain_names", "Items[].DomainName"):
        if api in items("apigatewayv2", "get_api_mappings", "Items[].ApiId", DomainName=name):
            return f"https://{name}"
    return ""


def require_address(url: str) -> None:
    """Raise a ConfigError unless a text is the address of a server."""
    try:
        parts = urlsplit(url)
        known = parts.scheme in {"http", "https"} and parts.hostname and (parts.port is None or parts.port > 0)
    except ValueError:
        known = False
    if not known or parts.query or parts.fragment or not url.isprintable() or " " in url:
        hint = "it begins with https:// and a name, such as https://api.example.org"
        raise ConfigError(f"not the address of a service: {url[:80]!r}", where="--url", hint=hint)


def check(url: str) -> bool:
    """Check a service; return whether it is ready: without a published model it is only alive.

    Raises
    ------
    TaskError
        If it does not answer as it should within a minute.
    """
    url = url.rstrip("/")
    _expect(url, "/healthz", 200)
    is_ready = _expect(url, "/readyz", 200, 503) == 200
    if is_ready:
        _expect(url, "/v1/trip-duration/predict", 401, body=b'{"rows": []}')
    return is_ready


def _expect(url: str, path: str, *wanted: int, body: bytes | None = None) -> int:
    """Return the status once it is one of those wanted; retried, because a new version starts cold."""
    end = time.monotonic() + MAX_WAIT_S
    while (found := _status(url + path, body)) not in wanted:
        if time.monotonic() >= end:
            hint = "see the function's log"
            raise TaskError(f"answers {found or 'nothing'}, not {wanted[0]}", where=url + path, hint=hint)
        time.sleep(2)
    return found


def _status(url: str, body: bytes | None) -> int:
    """Return the HTTP status of one request, 0 if there is no answer."""
    request = urllib.request.Request(url, data=body, headers={"content-type": "application/json"})  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=15) as answer:  # noqa: S310
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return 0
