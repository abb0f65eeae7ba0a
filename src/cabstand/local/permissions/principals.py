"""Whose access key a call is made with: a role's session, with everything that limits it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from moto.core.utils import utcnow
from moto.iam.models import iam_backends
from moto.sts.models import AssumedRole, sts_backends

from cabstand.local.permissions.decision import Document, Policies
from cabstand.local.permissions.lookups import PARTITION, role_named


@dataclass(frozen=True)
class Principal:
    """A role's session; `context` holds the condition keys that it gives to each of its requests."""

    role: str
    account: str
    role_arn: str
    arn: str
    policies: Policies
    context: Mapping[str, str]


def session(access_key: str) -> AssumedRole | None:
    """Return the session that a temporary key belongs to; None for a key that the emulator did not issue."""
    backends = [sts_backends[account][PARTITION] for account in list(sts_backends)]
    return next((found for one in backends if (found := one.get_assumed_role_from_access_key(access_key))), None)


def is_expired(found: AssumedRole) -> bool:
    """Return whether a session has ended."""
    return bool(found.expiration < utcnow())


def of_session(found: AssumedRole) -> Principal:
    """Return a session's principal; a role that is gone, or never was, has no policy."""
    name = found.role_arn.rpartition("/")[2]
    role = role_named(found.account_id, name)
    tags = [*(role.tags or []), *getattr(found, "tags", [])] if role else []
    context = {
        "aws:PrincipalArn": found.role_arn,
        "aws:PrincipalAccount": found.account_id,
        "aws:PrincipalType": "AssumedRole",
        "aws:userid": found.user_id,
    }
    context |= {f"aws:PrincipalTag/{one['Key']}": one["Value"] for one in tags}
    return Principal(name, found.account_id, found.role_arn, found.arn, _policies(found, role), context)


def _policies(found: AssumedRole, role: Any) -> Policies:
    if role is None:
        return Policies([])
    own = [document(one) for one in role.policies.values()]
    own += [managed(found.account_id, arn) for arn in role.managed_policies]
    boundary = role.permissions_boundary_arn
    return Policies(
        own,
        [managed(found.account_id, boundary)] if boundary else [],
        [document(found.policy)] if found.policy else [],
    )


def managed(account: str, arn: str) -> Document:
    """Return the version of a managed policy that is in force; a policy that is gone allows nothing."""
    found = iam_backends[account][PARTITION].managed_policies.get(arn)
    versions = {one.version_id: one.document for one in found.versions} if found else {}
    return document(versions[found.default_version_id]) if versions else {"Statement": []}


@lru_cache(maxsize=512)
def document(text: str) -> Document:
    """Return a policy's document."""
    content: Document = json.loads(text)
    return content
