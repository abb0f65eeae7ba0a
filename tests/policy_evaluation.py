"""Evaluate a role's policies and boundary, read back from the account, as IAM does.

An explicit Deny wins; otherwise an Allow is required in the role's own policies and, if it has one, in its boundary.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple
from urllib.parse import unquote

Document = dict[str, Any]
Context = Mapping[str, str]


class Policies(NamedTuple):
    """The policies that decide about a role's requests."""

    own: list[Document]
    boundary: list[Document]


def policies(iam: Any, role: str) -> Policies:
    """Read a role's policies and boundary back from the account."""
    return Policies(identity_policies(iam, role), boundary_policy(iam, role))


def is_allowed(found: Policies, action: str, resource: str, context: Context | None = None) -> bool:
    """Return whether a role with these policies may do an action on a resource."""
    context = context or {}
    if any(verdict(document, action, resource, context) == "Deny" for document in [*found.own, *found.boundary]):
        return False
    inside = not found.boundary or any(verdict(one, action, resource, context) == "Allow" for one in found.boundary)
    return inside and any(verdict(document, action, resource, context) == "Allow" for document in found.own)


def trusts(iam: Any, role: str, action: str, context: Context) -> bool:
    """Return whether a role's trust policy lets a token with these claims assume it."""
    document = _document(iam.get_role(RoleName=role)["Role"]["AssumeRolePolicyDocument"])
    statements = [statement | {"Resource": "*"} for statement in listed(document["Statement"])]
    return verdict({"Statement": statements}, action, role, context) == "Allow"


def mutants(found: Policies) -> Iterator[tuple[str, Policies]]:
    """Yield mutated policies: in each, one statement is widened or, if it denies, dropped."""
    for number, document in enumerate(found.own):
        statements = listed(document["Statement"])
        for index, statement in enumerate(statements):
            others = statements[:index] + statements[index + 1 :]
            for name, put in _mutations(statement):
                changed = [*found.own[:number], {"Statement": others + put}, *found.own[number + 1 :]]
                yield f"{statement.get('Sid', number)} {name}", Policies(changed, found.boundary)


def _mutations(statement: Document) -> Iterator[tuple[str, list[Document]]]:
    if statement["Effect"] == "Deny":
        yield "dropped", []
        return
    if statement["Resource"] != "*":
        yield "of every resource", [statement | {"Resource": "*"}]
    if "Condition" in statement:
        yield "without its condition", [statement | {"Condition": {}}]


def identity_policies(iam: Any, role: str) -> list[Document]:
    """Return the inline and the attached policies of a role."""
    inline = iam.list_role_policies(RoleName=role)["PolicyNames"]
    documents = [iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"] for name in inline]
    attached = iam.list_attached_role_policies(RoleName=role)["AttachedPolicies"]
    return [_document(document) for document in documents] + [managed(iam, one["PolicyArn"]) for one in attached]


def boundary_policy(iam: Any, role: str) -> list[Document]:
    """Return the role's boundary in a list; empty if it has none."""
    boundary = iam.get_role(RoleName=role)["Role"].get("PermissionsBoundary")
    return [managed(iam, boundary["PermissionsBoundaryArn"])] if boundary else []


def managed(iam: Any, arn: str) -> Document:
    """Return the current version of a managed policy."""
    version = iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"]
    return _document(iam.get_policy_version(PolicyArn=arn, VersionId=version)["PolicyVersion"]["Document"])


def verdict(document: Document, action: str, resource: str, context: Context) -> str:
    """Return Allow, Deny, or an empty string for one policy."""
    effects = {
        statement["Effect"]
        for statement in listed(document["Statement"])
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
    """Return whether every condition holds; one on a key that the request lacks does not."""
    for operator, keys in conditions.items():
        for key, wanted in keys.items():
            given = context.get(key)
            exact = operator in {"StringEquals", "Bool"}
            if given is None or not any(given == one if exact else _matches(one, given) for one in listed(wanted)):
                return False
    return True


def _matches_any(patterns: Any, text: str) -> bool:
    return any(_matches(pattern, text) for pattern in listed(patterns))


def _matches(pattern: str, text: str) -> bool:
    return re.fullmatch(re.escape(pattern).replace(r"\*", ".*").replace(r"\?", "."), text, re.IGNORECASE) is not None


def listed(value: Any) -> list[Any]:
    """Return a list, of one element if the value is not a list."""
    return value if isinstance(value, list) else [value]


def _document(value: Any) -> Document:
    document: Document = json.loads(unquote(value)) if isinstance(value, str) else value
    return document
