"""AssumeRoleWithWebIdentity: what a token claims, and whether the role trusts that.

The emulator does not check a token's signature: a test makes its own tokens, as GitHub would.
"""

from __future__ import annotations

import json
import time
from base64 import urlsafe_b64decode
from binascii import Error
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from moto.iam.models import iam_backends

from cabstand.local.permissions import principals
from cabstand.local.permissions.decision import Request, trusts
from cabstand.local.permissions.lookups import PARTITION, role_named


@dataclass(frozen=True)
class Checked:
    """What a token was found to be; `claims` are condition keys. Without a code the role may be assumed with it."""

    subject: str = ""
    claims: Mapping[str, str] = field(default_factory=dict)
    code: str = ""
    message: str = ""


def check(params: Mapping[str, Any]) -> Checked:
    """Check the token of a call against its role's trust."""
    role_arn = str(params.get("RoleArn", ""))
    try:
        claims = _claims(str(params.get("WebIdentityToken", "")))
    except (ValueError, Error):
        return Checked(code="InvalidIdentityToken", message="The ID Token provided is not a valid JWT.")
    account = role_arn.split(":")[4] if role_arn.count(":") > 4 else ""
    issuer = str(claims.get("iss", "")).partition("://")[2].rstrip("/")
    subject = str(claims.get("sub", ""))
    arn = f"arn:aws:iam::{account}:oidc-provider/{issuer}"
    provider = iam_backends[account][PARTITION].open_id_providers.get(arn) if account else None
    if provider is None:
        return Checked(
            subject,
            code="InvalidIdentityToken",
            message=f"No OpenIDConnect provider found in your account for https://{issuer}",
        )
    if claims.get("aud") not in provider.client_id_list:
        return Checked(subject, code="InvalidIdentityToken", message="Incorrect token audience")
    if float(claims.get("exp", 0)) < time.time():
        return Checked(subject, code="ExpiredTokenException", message="Token expired")
    keys = {f"{issuer}:{name}": str(value) for name, value in claims.items()}
    role = role_named(account, role_arn.rpartition("/")[2])
    request = Request("sts:AssumeRoleWithWebIdentity", role_arn, keys)
    if role and trusts(principals.document(role.assume_role_policy_document), request, arn):
        return Checked(subject, keys)
    return Checked(subject, keys, "AccessDenied", "Not authorized to perform sts:AssumeRoleWithWebIdentity")


def _claims(token: str) -> dict[str, Any]:
    _, body, _ = token.split(".")
    claims: dict[str, Any] = json.loads(urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    return claims
