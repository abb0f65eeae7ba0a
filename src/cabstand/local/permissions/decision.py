"""Decide about one request: an explicit Deny wins, and each kind of policy that applies must allow it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from cabstand.local.permissions import conditions
from cabstand.local.permissions.conditions import listed
from cabstand.local.permissions.patterns import Context, matches, matches_arn, substitute

Document = Mapping[str, Any]


@dataclass(frozen=True)
class Policies:
    """The policies that decide about a principal's requests."""

    own: Sequence[Document]
    boundary: Sequence[Document] = ()  # none: no boundary
    session: Sequence[Document] = ()  # none: no session policy


@dataclass(frozen=True)
class Request:
    """An action on a resource, such as `s3:GetObject` on an ARN or `*`, with the condition keys that AWS would set."""

    action: str
    resource: str
    context: Mapping[str, str | list[str]] = field(default_factory=dict)

    @property
    def values(self) -> Context:
        """The values of each condition key, whose case does not count."""
        return {key.lower(): [str(one) for one in listed(value)] for key, value in self.context.items()}


class Decision(NamedTuple):
    """Whether AWS would allow a request, and why not, in AWS's words."""

    allowed: bool
    reason: str


def decide(policies: Policies, request: Request, of_resource: Document | None = None, principal: str = "") -> Decision:
    """Return what IAM decides about a request by a principal of the same account.

    `of_resource` is the policy of the resource itself, if it has one, for the principal with that ARN.
    """
    kinds = {"identity-based": policies.own, "permissions boundary": policies.boundary, "session": policies.session}
    for_principal = [_naming(of_resource, principal)] if of_resource else []
    for kind, documents in {**kinds, "resource-based": for_principal}.items():
        if sid := _denied_by(documents, request):
            article = "an" if kind[0] in "aeiou" else "a"
            return Decision(False, f"with an explicit deny in {article} {kind} policy ({sid})")
    granted = _allowed_by(for_principal, request)
    for kind, documents in kinds.items():
        applies = not granted if kind == "identity-based" else bool(documents)
        if applies and not _allowed_by(documents, request):
            return Decision(False, f"because no {kind} policy allows the {request.action} action")
    return Decision(True, "")


def _allowed_by(documents: Sequence[Document], request: Request) -> bool:
    return any(one["Effect"] == "Allow" for one in _applying(documents, request))


def _naming(document: Document, principal: str) -> Document:
    """Return a resource's policy for one principal; a grant to the whole account grants nothing by itself."""
    account = {principal.split(":")[4], f"arn:aws:iam::{principal.split(':')[4]}:root"}
    kept = [
        one
        for one in _statements(document)
        if _matches_principal(one.get("Principal", {}), principal)
        and (one["Effect"] == "Deny" or not account.intersection(_names(one.get("Principal", {}))))
    ]
    return {**document, "Statement": kept}


def trusts(document: Document, request: Request, principal: str = "") -> bool:
    """Return whether a role's trust policy lets a principal assume the role; without a name, any principal matches."""
    effects = {
        one["Effect"]
        for one in _statements(document)
        if _matches_action(one, request.action)
        and _matches_principal(one.get("Principal", {}), principal)
        and _conditions(document, one, request)
    }
    return effects == {"Allow"}


def _denied_by(documents: Sequence[Document], request: Request) -> str:
    """Return the name of a statement that denies the request; empty if there is none."""
    return next(
        (str(one.get("Sid", "unnamed")) for one in _applying(documents, request) if one["Effect"] == "Deny"), ""
    )


def _applying(documents: Sequence[Document], request: Request) -> Iterator[Document]:
    for document in documents:
        for one in _statements(document):
            if (
                _matches_action(one, request.action)
                and _matches_resource(document, one, request)
                and _conditions(document, one, request)
            ):
                yield one


def _statements(document: Document) -> list[Document]:
    return listed(document["Statement"])


def _matches_action(statement: Document, action: str) -> bool:
    named = "Action" if "Action" in statement else "NotAction"
    found = any(matches(one, action, ignore_case=True) for one in listed(statement.get(named, [])))
    return found == (named == "Action")


def _matches_resource(document: Document, statement: Document, request: Request) -> bool:
    named = "Resource" if "Resource" in statement else "NotResource"
    patterns = listed(statement.get(named, []))
    if _has_variables(document):
        patterns = [one for one in (substitute(text, request.values) for text in patterns) if one is not None]
    found = any(matches_arn(one, request.resource) for one in patterns)
    return found == (named == "Resource")


def _matches_principal(named: Any, principal: str) -> bool:
    if not principal:
        return True
    names = _names(named)
    account = principal.split(":")[4] if principal.count(":") > 4 else ""
    return any(one in {"*", principal, account, f"arn:aws:iam::{account}:root"} for one in names)


def _names(named: Any) -> list[str]:
    return [named] if isinstance(named, str) else [one for kind in named.values() for one in listed(kind)]


def _conditions(document: Document, statement: Document, request: Request) -> bool:
    return conditions.hold(statement.get("Condition", {}), request.values, has_variables=_has_variables(document))


def _has_variables(document: Document) -> bool:
    """Return whether the version of the policy language knows variables; without a version, it is the first one."""
    return bool(document.get("Version", "2008-10-17") != "2008-10-17")
