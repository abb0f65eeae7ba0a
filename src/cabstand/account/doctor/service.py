"""The prediction service's function: its keys, its permissions, and the version that its alias names."""

from __future__ import annotations

import fnmatch
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from cabstand.account.doctor.line import Line
from cabstand.account.doctor.subject import Subject
from cabstand.io import keys
from cabstand.io.aws import call, items

SOON = timedelta(days=14)


def api_keys(subject: Subject) -> Iterator[Line]:
    """Count the keys that the service accepts."""
    arn = subject.variable("CABSTAND_API_KEYS_SECRET")
    secret = call("secretsmanager", "get_secret_value", SecretId=arn)
    now = datetime.now(UTC)
    valid = [key for key in keys.parse(secret["SecretString"], arn) if key.valid(now)]
    create = f"CABSTAND_API_KEYS_SECRET={arn} cabstand keys create NAME"
    if not valid:
        yield Line("API keys", "fail", "none is valid: nobody can use the service", create)
        return
    ending = [key for key in valid if key.expires_at and datetime.fromisoformat(key.expires_at) < now + SOON]
    for key in ending:
        yield Line("API keys", "warn", f"{key.name} expires on {str(key.expires_at)[:10]}", create)
    if not ending:
        yield Line("API keys", "ok", f"{len(valid)} valid")


def gateway_permission(subject: Subject) -> Iterator[Line]:
    """Look in the alias's policy for the permission by which the gateway calls it."""
    name, api = subject.deployment.function, subject.api["ApiId"]
    answer = call("lambda", "get_policy", missing_ok=True, FunctionName=name, Qualifier="live")
    statements = json.loads(answer["Policy"])["Statement"] if answer else []
    if any("apigateway.amazonaws.com" in str(one.get("Principal")) and api in str(one) for one in statements):
        yield Line("gateway's permission", "ok", f"{api} may call {name}:live")
    else:
        what = f"{api} may not call {name}:live, so that every answer is 500"
        yield Line("gateway's permission", "fail", what, "make deploy restores it")


def role_permissions(subject: Subject) -> Iterator[Line]:
    """Compare what the function's role allows with what the function does."""
    role = subject.function["Role"].rpartition("/")[2]
    granted = [
        (action, on) for one in _statements(role) for action in _list(one["Action"]) for on in _list(one["Resource"])
    ]
    artifacts = subject.variable("CABSTAND_ARTIFACTS").removeprefix("s3://")
    log_group = f"arn:aws:logs:*:{subject.account}:log-group:/aws/lambda/{subject.deployment.function}:*"
    needed = {
        "secretsmanager:GetSecretValue": subject.variable("CABSTAND_API_KEYS_SECRET"),
        "s3:GetObject": f"arn:aws:s3:::{artifacts}/x",
        "s3:ListBucket": f"arn:aws:s3:::{artifacts.partition('/')[0]}",
        "logs:PutLogEvents": log_group.replace(":*:", f":{subject.function['FunctionArn'].split(':')[3]}:", 1),
    }
    missing = [action for action, resource in needed.items() if not _allows(granted, action, resource)]
    if missing:
        what = f"{role} may not {', '.join(missing)}"
        yield Line("function's permissions", "fail", what, "make deploy restores its policies")
    else:
        yield Line("function's permissions", "ok", f"{role} may {', '.join(needed)}")


def _statements(role: str) -> Iterator[dict[str, Any]]:
    """Yield the statements of a role's policies that allow something."""
    documents = [
        call("iam", "get_role_policy", RoleName=role, PolicyName=name)["PolicyDocument"]
        for name in items("iam", "list_role_policies", "PolicyNames[]", RoleName=role)
    ]
    for arn in items("iam", "list_attached_role_policies", "AttachedPolicies[].PolicyArn", RoleName=role):
        version = call("iam", "get_policy", PolicyArn=arn)["Policy"]["DefaultVersionId"]
        documents.append(
            call("iam", "get_policy_version", PolicyArn=arn, VersionId=version)["PolicyVersion"]["Document"]
        )
    for document in documents:
        yield from (one for one in _list(document["Statement"]) if one["Effect"] == "Allow" and "Action" in one)


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _allows(granted: list[tuple[str, str]], action: str, resource: str) -> bool:
    return any(
        fnmatch.fnmatchcase(action.lower(), pattern.lower()) and fnmatch.fnmatchcase(resource, on)
        for pattern, on in granted
    )


def alias(subject: Subject) -> Iterator[Line]:
    """Compare the version behind the alias with the newest one, and look for a canary that was left."""
    name = subject.deployment.function
    found = call("lambda", "get_alias", missing_ok=True, FunctionName=name, Name="live")
    if not found:
        yield Line("live alias", "fail", "there is none: the gateway calls nothing", "make deploy creates it")
        return
    versions = items(
        "lambda", "list_versions_by_function", "Versions[?Version != '$LATEST'].Version", FunctionName=name
    )
    live, newest = found["FunctionVersion"], max(versions, key=int, default="none")
    weights = found.get("RoutingConfig", {}).get("AdditionalVersionWeights", {})
    for version, share in weights.items():
        what = f"version {version} gets {share:.0%} of the calls beside version {live}"
        yield Line("live alias", "warn", what, "a canary: finish it, or roll it back, unless it is under way")
    if live != newest:
        what = f"names version {live}; the newest is {newest}"
        yield Line("live alias", "warn", what, "make deploy moves it, unless it was rolled back on purpose")
    elif not weights:
        yield Line("live alias", "ok", f"version {live}, the newest")


CHECKS = {
    "API keys": api_keys, "gateway's permission": gateway_permission,
    "function's permissions": role_permissions, "live alias": alias,
}  # fmt: skip
