"""What a call's resources have to be looked up for in the emulator: names made whole, roles behind other resources."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from moto.ecs.models import ecs_backends
from moto.iam.models import iam_backends
from moto.kms.models import kms_backends
from moto.s3.models import s3_backends
from moto.secretsmanager.models import secretsmanager_backends
from moto.sqs.models import sqs_backends

from cabstand.local.permissions.templates import Function

PARTITION = "aws"
Scope = Mapping[str, Any]


def role_named(account: str, name: str) -> Any:
    """Return moto's record of a role; None if there is none."""
    return next((role for role in iam_backends[account][PARTITION].get_roles() if role.name == name), None)


def bucket_policy(account: str, bucket: str) -> str:
    """Return a bucket's policy; empty if it has none."""
    found = s3_backends[account][PARTITION].buckets.get(bucket)
    return found.policy.decode() if found and found.policy else ""


def queue_policy(account: str, region: str, queue: str) -> str:
    """Return a queue's policy; empty if it has none."""
    found = sqs_backends[account][region].queues.get(queue)
    return str(found.policy or "") if found else ""


def _last(value: str, _: Scope) -> str:
    return value.rpartition("/")[2]


def _host(url: str, _: Scope) -> str:
    return url.partition("://")[2].rstrip("/")


def _on_its_bus(rule: str, scope: Scope) -> str:
    """Return a rule as its ARN names it: with its bus, unless that is the default one."""
    bus = _last(scope.get("EventBusName") or "default", scope)
    return rule if bus == "default" else f"{bus}/{rule}"


def _function(name: str, _: Scope) -> str:
    return name.partition(":function:")[2] or name


def _parameter(name: str, scope: Scope) -> str:
    """Return a parameter's path; those of AWS itself belong to no account."""
    path = name.lstrip("/")
    return f"arn:aws:ssm:{scope['region']}::parameter/{path}" if path.startswith("aws/service/") else path


def _secret(name: str, scope: Scope) -> str:
    """Return a secret's ARN, or its name with the six characters that a new one would get."""
    found = secretsmanager_backends[scope["account"]][scope["region"]].secrets.get(name)
    return str(found.arn) if found else name if name.startswith("arn:") else f"{name}-??????"


def _boundary(name: str, scope: Scope) -> str | None:
    """Return a boundary given, or that of the role which is given."""
    if name.startswith("arn:") or scope["operation"] == "CreateRole":
        return name if name.startswith("arn:") else None
    role = role_named(scope["account"], name)
    return role.permissions_boundary_arn if role else None


def _definition(name: str, scope: Scope) -> Any:
    family, _, revision = _last(name, scope).partition(":")
    revisions = ecs_backends[scope["account"]][scope["region"]].task_definitions.get(family, {})
    return revisions.get(int(revision) if revision else max(revisions, default=0))


def _revision(name: str, scope: Scope) -> str:
    """Return family and revision; without a revision, the newest one is meant."""
    found = _definition(name, scope)
    return f"{found.family}:{found.revision}" if found else _last(name, scope)


def _task_roles(name: str, scope: Scope) -> list[str]:
    """Return the roles of a started task: those of its definition, or of its overrides."""
    found, changed = _definition(name, scope), scope.get("overrides") or {}
    if not found:
        return []
    roles = [
        changed.get("taskRoleArn") or getattr(found, "task_role_arn", None),  # moto has it only where it is given
        changed.get("executionRoleArn") or getattr(found, "execution_role_arn", None),
    ]
    return [role for role in roles if role]


def _profile_role(name: str, scope: Scope) -> list[str]:
    profiles = iam_backends[scope["account"]][PARTITION].get_instance_profiles()
    return [role.arn for one in profiles if name in {one.name, one.arn} for role in one.roles]


def _copied(source: Any, scope: Scope) -> str:
    text = "{Bucket}/{Key}".format(**source) if isinstance(source, dict) else str(source)
    return text.partition("?")[0].lstrip("/")


def _bucket_without_key(bucket: str, scope: Scope) -> str | None:
    found = s3_backends[scope["account"]][PARTITION].buckets.get(bucket)
    return None if found and scope["Key"] in found.keys else bucket


def _aliases(key: str, scope: Scope) -> list[str]:
    if key.startswith("alias/"):
        return [key]
    keys = kms_backends[scope["account"]][scope["region"]].keys
    return sorted(keys[_last(key, scope)].aliases) if _last(key, scope) in keys else []


FUNCTIONS: dict[str, Function] = {
    "aliases": _aliases,
    "boundary": _boundary,
    "bucket_without_key": _bucket_without_key,
    "copied": _copied,
    "function": _function,
    "host": _host,
    "last": _last,
    "on_its_bus": _on_its_bus,
    "parameter": _parameter,
    "profile_role": _profile_role,
    "revision": _revision,
    "secret": _secret,
    "task_roles": _task_roles,
}
