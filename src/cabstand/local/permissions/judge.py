"""Judge a call of the emulator as AWS would: who makes it, what IAM is asked about it, and what it answers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from cabstand.local.permissions import lookups, principals, web_identity
from cabstand.local.permissions.call import Call
from cabstand.local.permissions.decision import Decision, Document, Request, decide, trusts
from cabstand.local.permissions.principals import Principal
from cabstand.local.permissions.requests import requests

ROOT_KEY = "emulator"
ACCOUNT = "123456789012"


@dataclass(frozen=True)
class Asked:
    """One request that IAM was asked about, and its answer."""

    request: Request
    decision: Decision


@dataclass(frozen=True)
class Verdict:
    """Who made a call, what was asked, and the error to answer with: code and message, both empty if it is allowed."""

    caller: str
    asked: list[Asked] = field(default_factory=list)
    code: str = ""
    message: str = ""


def judge(call: Call) -> Verdict:
    """Return the verdict on a call."""
    if call.access_key == ROOT_KEY:
        asked_for = requests(call, ACCOUNT)
        unknown = [Request(call.name, "*")]  # root is not refused what the table lacks
        return Verdict(
            "root", [Asked(one, Decision(True, "")) for one in (unknown if asked_for is None else asked_for)]
        )
    if not call.access_key:
        return _by_token(call)
    session = principals.session(call.access_key)
    if session is None or session.session_token != call.token:
        return Verdict("unknown", [], "InvalidClientTokenId", "The security token included in the request is invalid.")
    if principals.is_expired(session):
        return Verdict("unknown", [], "ExpiredToken", "The security token included in the request is expired")
    return _by_role(call, principals.of_session(session))


def _by_token(call: Call) -> Verdict:
    """Judge AssumeRoleWithWebIdentity, which nobody signs: the role's trust in the token decides."""
    found = web_identity.check(call.params)
    request = Request("sts:AssumeRoleWithWebIdentity", str(call.params.get("RoleArn", "")), found.claims)
    asked = [Asked(request, Decision(not found.code, found.message))]
    return Verdict(f"web identity {found.subject}", asked, found.code, found.message)


def _by_role(call: Call, principal: Principal) -> Verdict:
    asked_for = requests(call, principal.account)
    if asked_for is None:
        decision = Decision(
            False, "because the operation is not in cabstand/local/permissions/actions.toml: add it there"
        )
        unknown = Asked(Request(call.name, "*"), decision)
        return Verdict(principal.role, [unknown], "AccessDenied", _message(principal, unknown))
    asked = [Asked(one, _decide(one, call, principal)) for one in asked_for]
    refused = next((one for one in asked if not one.decision.allowed), None)
    if refused is None:
        return Verdict(principal.role, asked)
    return Verdict(principal.role, asked, "AccessDenied", _message(principal, refused))


def _decide(asked: Request, call: Call, principal: Principal) -> Decision:
    # The emulator speaks plain HTTP on the loopback interface; on AWS the same call is made over TLS.
    common = {"aws:SecureTransport": "true", "aws:PrincipalIsAWSService": "false", "aws:ViaAWSService": "false"}
    request = Request(asked.action, asked.resource, {**common, **principal.context, **asked.context})
    if asked.action == "sts:AssumeRole":
        return _assume(request, principal)
    return decide(principal.policies, request, _of_resource(request, call, principal), principal.role_arn)


def _assume(request: Request, principal: Principal) -> Decision:
    """Decide whether a role may take another one: that one's trust is needed in any case."""
    role = lookups.role_named(principal.account, request.resource.rpartition("/")[2])
    trust = principals.document(role.assume_role_policy_document) if role else {"Statement": []}
    if not trusts(trust, request, principal.role_arn):
        return Decision(False, "because no resource-based policy allows the sts:AssumeRole action")
    return decide(principal.policies, request, trust, principal.role_arn)


def _of_resource(request: Request, call: Call, principal: Principal) -> Document | None:
    """Return the policy of a bucket or queue; other kinds of resources with policies have none that limits a role."""
    service, name = request.resource.split(":")[2:6:3] if request.resource.count(":") >= 5 else ("", "")
    text = ""
    if service == "s3":
        text = lookups.bucket_policy(principal.account, name.partition("/")[0])
    elif service == "sqs":
        text = lookups.queue_policy(principal.account, call.region, name)
    return principals.document(text) if text else None


def _message(principal: Principal, refused: Asked) -> str:
    request = refused.request
    prefix = "You are not authorized to perform this operation. " if request.action.startswith("ec2:") else ""
    return (
        f"{prefix}User: {principal.arn} is not authorized to perform: {request.action} on resource: {request.resource}"
        f" {refused.decision.reason}"
    )


def lines(verdict: Verdict, call: Call) -> Iterator[dict[str, object]]:
    """Yield the record of a verdict: one object for each request, with the operation that it was made for."""
    for one in verdict.asked:
        request = one.request
        record = {"role": verdict.caller, "action": request.action, "resource": request.resource}
        yield {**record, "allowed": one.decision.allowed, "call": call.name}
