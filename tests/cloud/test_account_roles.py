"""Permissions in the applied account: what each role is refused and granted; mutated policies are noticed."""

from __future__ import annotations

import pytest

from access_cases import GRANTED, REFUSED
from cloud_account import Account
from policy_evaluation import is_allowed, mutants, policies
from policy_rules import broken_rules

pytestmark = pytest.mark.cloud


@pytest.mark.parametrize(("role", "action", "resource", "context"), REFUSED, ids=lambda value: str(value)[:40])
def test_refused(account: Account, role: str, action: str, resource: str, context: dict[str, str]) -> None:
    assert not is_allowed(policies(account.client("iam"), f"cabstand-{role}"), action, resource, context)


@pytest.mark.parametrize(("role", "action", "resource", "context"), GRANTED, ids=lambda value: str(value)[:40])
def test_granted(account: Account, role: str, action: str, resource: str, context: dict[str, str]) -> None:
    if resource == "the tasks' secret":  # its ARN ends in random letters
        resource = account.client("secretsmanager").describe_secret(SecretId="cabstand-dev/mlflow/tasks")["ARN"]
    assert is_allowed(policies(account.client("iam"), f"cabstand-{role}"), action, resource, context)


# A Deny of something that no statement allows: a second safeguard.
UNSEEN = {"deploy": ["KeepTheBoundary dropped"]}
ROLES = sorted({case[0] for case in REFUSED})


@pytest.mark.parametrize("role", ROLES)
def test_a_role_keeps_to_the_rules(account: Account, role: str) -> None:
    assert broken_rules(policies(account.client("iam"), f"cabstand-{role}")) == []


@pytest.mark.parametrize("role", ROLES)
def test_a_mutated_policy_is_noticed(account: Account, role: str) -> None:
    cases = [case[1:] for case in REFUSED if case[0] == role]
    changed = list(mutants(policies(account.client("iam"), f"cabstand-{role}")))
    assert changed
    unseen = [name for name, one in changed if not broken_rules(one) and not any(is_allowed(one, *c) for c in cases)]
    assert unseen == UNSEEN.get(role, [])


def test_every_role_has_the_boundary(account: Account) -> None:
    iam = account.client("iam")
    roles = [role["RoleName"] for role in iam.list_roles()["Roles"] if role["RoleName"].startswith("cabstand-dev-")]
    assert len(roles) >= 10
    for role in roles:
        boundary = iam.get_role(RoleName=role)["Role"]["PermissionsBoundary"]["PermissionsBoundaryArn"]
        assert boundary == "arn:aws:iam::123456789012:policy/cabstand-boundary"
