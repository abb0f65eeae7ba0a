"""JWT authorizers: whether a request carries a token of the issuer for the audience."""

from __future__ import annotations

import json
import time
import urllib.request
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, NamedTuple

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet


class Refusal(NamedTuple):
    """The status that a client gets, and why."""

    status: int
    reason: str


def claims(authorizer: Mapping[str, Any], headers: Mapping[str, str]) -> dict[str, str] | Refusal:
    """Return the claims of a request's token, or why it has none that is valid.

    As API Gateway does: 401 for a token that is absent, forged, expired or for somebody else, 403 for a missing scope.
    """
    if authorizer.get("AuthorizationType") != "JWT":
        return Refusal(500, f"authorizers of type {authorizer.get('AuthorizationType')} are not served here")
    source = (authorizer.get("IdentitySource") or ["$request.header.Authorization"])[0]
    token = headers.get(source.rpartition(".")[2].lower(), "").removeprefix("Bearer ")
    configuration = authorizer.get("JwtConfiguration") or {}
    try:
        found = jwt.decode(token, _keys(configuration["Issuer"], int(time.time() // 300))).claims
    except (JoseError, OSError, ValueError, KeyError) as error:
        return Refusal(401, str(error))
    if reason := _fault(found, configuration):
        return Refusal(401, reason)
    scopes = set(str(found.get("scope", found.get("scp", ""))).split())
    if authorizer.get("Scopes") and not scopes & set(authorizer["Scopes"]):
        return Refusal(403, "insufficient scope")
    return {name: value if isinstance(value, str) else json.dumps(value) for name, value in found.items()}


def _fault(found: Mapping[str, Any], configuration: Mapping[str, Any]) -> str:
    audiences = found.get("aud", found.get("client_id"))
    audiences = audiences if isinstance(audiences, list) else [audiences]
    now = time.time()
    if found.get("iss") != configuration["Issuer"]:
        return "another issuer"
    if not set(audiences) & set(configuration.get("Audience") or []):
        return "another audience"
    return "expired" if not float(found.get("nbf", now)) <= now < float(found.get("exp", 0)) else ""


@lru_cache(maxsize=8)
def _keys(issuer: str, _period: int) -> KeySet:
    """Return the issuer's keys, fetched again every five minutes."""
    configuration = _fetched(f"{issuer.rstrip('/')}/.well-known/openid-configuration")
    return KeySet.import_key_set(_fetched(configuration["jwks_uri"]))


def _fetched(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310
        return json.loads(answer.read())
