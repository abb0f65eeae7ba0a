"""What IAM would answer: a role's policies and boundary, read back from the account, evaluated as AWS documents it.

An explicit Deny wins; else an Allow is needed in the role's own policies and, where there is one, in its boundary too.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

Document = dict[str, Any]
Context = Mapping[str, str]


def is_allowed(iam: Any, role: str, action: str, resource: str, context: Context | None = None) -> bool:
    """Return whether a role may do an action on a resource."""
    context = context or {}
    own = identity_policies(iam, role)
    boundary = boundary_policy(iam, role)
    if any(verdict(document, action, resource, context) == "Deny" for document in [*own, *boundary]):
        return False
    inside = not boundary or any(verdict(document, action, resource, context) == "Allow" for document in boundary)
    return inside and any(verdict(document, action, resource, context) == "Allow" for document in own)


def identity_policies(iam: Any, role: str) -> list[Document]:
    """Return the inline and the attached policies of a role."""
    inline = iam.list_role_policies(RoleName=role)["PolicyNames"]
    documents = [iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"] for name in inline]
    attached = iam.list_attached_role_policies(RoleName=role)["AttachedPolicies"]
    return [_document(document) for document in documents] + [managed(iam, one["PolicyArn"]) for one in attached]


def boundary_policy(iam: Any, role: str) -> list[Document]:
    """Return the role's boundary in a list, empty where it has none."""
    boundary = iam.get_role(RoleName=role)["Role"].get("PermissionsBoundary")
    return [managed(iam, boundary["PermissionsBoundaryArn"])] if boundary else []


def managed(iam: Any, arn: str) -> Document:
    """Return the version in force of a managed policy."""
    version = iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"]
    return _document(iam.get_policy_version(PolicyArn=arn, VersionId=version)["PolicyVersion"]["Document"])


def verdict(document: Document, action: str, resource: str, context: Context) -> str:
    """Return Allow, Deny, or nothing of one policy."""
    effects = {
        statement["Effect"]
        for statement in _listed(document["Statement"])
        if _matches_any(statement.get("Action", []), action)
        and _matches_resource(statement, resource)
        and _conditions_hold(statement.get("Condition", {}), context)
    }
    return "Deny" if "Deny" in effects else "Allow" if "Allow" in effects else ""


def _matches_resource(statement: Document, resource: str) -> bool:
    if "NotResource" in statement:
        return not _matches_any(statement["NotResource"], resource)
    return _matches_any(statement["Resource"], resource)


def _conditions_hold(conditions: Document, context: Context) -> bool:
    """Return whether every condition holds; a key that the request does not have fails it."""
    for operator, keys in conditions.items():
        for key, wanted in keys.items():
            given = context.get(key)
            exact = operator in {"StringEquals", "Bool"}
            if given is None or not any(given == one if exact else _matches(one, given) for one in _listed(wanted)):
                return False
    return True


def _matches_any(patterns: Any, text: str) -> bool:
    return any(_matches(pattern, text) for pattern in _listed(patterns))


def _matches(pattern: str, text: str) -> bool:
    return re.fullmatch(re.escape(pattern).replace(r"\*", ".*").replace(r"\?", "."), text, re.IGNORECASE) is not None


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _document(value: Any) -> Document:
    document: Document = json.loads(unquote(value)) if isinstance(value, str) else value
    return document
