"""Permissions in the applied account: what each role is refused and granted; mutated policies are noticed."""

from __future__ import annotations

import tomllib
from typing import Any

import pytest

import iam_reference
from access_cases import GRANTED, REFUSED
from cabstand.local.permissions import applied
from cabstand.local.permissions.decision import Policies, Request, decide, trusts
from cloud_account import ROOT, Account
from policy_mutants import mutants
from policy_rules import broken_rules

pytestmark = pytest.mark.cloud


def policies(account: Account, role: str) -> Policies:
    return applied.of_role(account.client("iam"), f"cabstand-{role}")


def is_allowed(found: Policies, action: str, resource: str, context: dict[str, str]) -> bool:
    return decide(found, Request(action, resource, context)).allowed


@pytest.mark.parametrize(("role", "action", "resource", "context"), REFUSED, ids=lambda value: str(value)[:40])
def test_refused(account: Account, role: str, action: str, resource: str, context: dict[str, str]) -> None:
    assert not is_allowed(policies(account, role), action, resource, context)


@pytest.mark.parametrize(("role", "action", "resource", "context"), GRANTED, ids=lambda value: str(value)[:40])
def test_granted(account: Account, role: str, action: str, resource: str, context: dict[str, str]) -> None:
    if resource == "the tasks' secret":  # its ARN ends in random letters
        resource = account.client("secretsmanager").describe_secret(SecretId="cabstand-dev/mlflow/tasks")["ARN"]
    assert is_allowed(policies(account, role), action, resource, context)


IMPLIED = tomllib.loads((ROOT / "infra/implied_permissions.toml").read_text())["implied"]


@pytest.mark.parametrize("case", IMPLIED, ids=lambda case: f"{case['role']} {case['call']} {case['action']}")
def test_what_a_call_implies_is_granted(account: Account, case: dict[str, Any]) -> None:
    resource = case["resource"].format(account="123456789012")
    found = policies(account, case["role"])
    assert is_allowed(found, case["action"], resource, case.get("context", {}))


# A Deny of something that no statement allows, a second safeguard; and part of a lake that the role may list anyway.
UNSEEN = {
    "deploy": ["KeepTheBoundary dropped"],
    "dev-task-monitoring": ["ListPrefix without its condition"],
    "dev-task-retraining": ["ListPrefix without its condition"] * 2,
}
ROLES = sorted({case[0] for case in REFUSED})


@pytest.mark.parametrize("role", ROLES)
def test_a_role_keeps_to_the_rules(account: Account, role: str) -> None:
    assert broken_rules(policies(account, role)) == []


@pytest.mark.parametrize("role", ROLES)
def test_a_mutated_policy_is_noticed(account: Account, role: str) -> None:
    cases = [case[1:] for case in REFUSED if case[0] == role]
    changed = list(mutants(policies(account, role)))
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


GITHUB = "token.actions.githubusercontent.com:"
OLD, NEW = "repo:example/cabstand", "repo:example@456/cabstand@789"
IDS = {"repository_id": "789", "repository_owner_id": "456"}


def token(subject: str, **claims: str) -> dict[str, str]:
    """Return the condition keys of GitHub's token for this repository; `claims` replaces some."""
    given = {"aud": "sts.amazonaws.com", "sub": subject} | IDS | claims
    return {GITHUB + name: value for name, value in given.items()}


TRUSTED = [
    ("plan", token(f"{OLD}:pull_request")),
    ("plan", token(f"{NEW}:pull_request")),
    ("release-plan", token(f"{OLD}:ref:refs/heads/main", ref="refs/heads/main")),
    ("release-plan", token(f"{NEW}:ref:refs/heads/main", ref="refs/heads/main")),
    ("deploy", token(f"{OLD}:environment:dev", environment="dev")),
    ("deploy", token(f"{NEW}:environment:prod", environment="prod")),
    ("images", token(f"{NEW}:ref:refs/heads/main", ref="refs/heads/main")),
    ("run", token(f"{OLD}:environment:prod", environment="prod")),
]
UNTRUSTED = {
    "a fork": ("plan", token("repo:somebody/cabstand:pull_request", repository_id="790", repository_owner_id="457")),
    "a name taken by somebody else": (
        "plan",
        token(f"{OLD}:pull_request", repository_id="999", repository_owner_id="998"),
    ),
    "an owner's name taken": ("deploy", token(f"{OLD}:environment:dev", environment="dev", repository_owner_id="998")),
    "the new form of a recycled name": (
        "deploy",
        token("repo:example@998/cabstand@999:environment:dev", environment="dev", repository_id="999"),
    ),
    "another environment": ("deploy", token(f"{NEW}:environment:staging", environment="staging")),
    "an environment in the subject alone": ("deploy", token(f"{OLD}:environment:dev")),
    "another environment than the subject's": ("deploy", token(f"{OLD}:environment:dev", environment="staging")),
    "a branch": ("deploy", token(f"{OLD}:ref:refs/heads/main")),
    "a pull request": ("deploy", token(f"{NEW}:pull_request")),
    "an environment that plans": ("plan", token(f"{NEW}:environment:dev", environment="dev")),
    "a release's plan from another branch": (
        "release-plan",
        token(f"{NEW}:ref:refs/heads/other", ref="refs/heads/other"),
    ),
    "a release's plan from a pull request": ("release-plan", token(f"{NEW}:pull_request", ref="refs/pull/1/merge")),
    "an image of another branch": ("images", token(f"{NEW}:ref:refs/heads/other", ref="refs/heads/other")),
    "a task started without an environment": ("run", token(f"{NEW}:ref:refs/heads/main", ref="refs/heads/main")),
    "another audience": ("plan", token(f"{OLD}:pull_request", aud="https://github.com/example")),
    "another case": ("plan", token(f"{OLD}:pull_request".replace("cabstand", "Cabstand"))),
    "the hyphen of the first announcement": ("plan", token("repo:example-456/cabstand-789:pull_request")),
}


def assumable(account: Account, role: str, claims: dict[str, str]) -> bool:
    document = applied.trust(account.client("iam"), f"cabstand-{role}")
    return trusts(document, Request("sts:AssumeRoleWithWebIdentity", "*", claims))


@pytest.mark.parametrize(("role", "claims"), TRUSTED, ids=lambda value: str(value)[:4])
def test_github_may_assume(account: Account, role: str, claims: dict[str, str]) -> None:
    assert assumable(account, role, claims)


@pytest.mark.parametrize("name", UNTRUSTED)
def test_github_may_not_assume(account: Account, name: str) -> None:
    role, claims = UNTRUSTED[name]
    assert not assumable(account, role, claims)


def test_each_claim_is_required(account: Account) -> None:
    for role, claims in TRUSTED:
        for missing in claims:
            rest = {name: value for name, value in claims.items() if name != missing}
            assert not assumable(account, role, rest), missing


@pytest.mark.parametrize("role", ROLES)
def test_every_grant_has_an_effect(account: Account, role: str) -> None:
    """AWS knows the action, and judges it on a resource of the statement."""
    reference = iam_reference.load()
    found = policies(account, role)
    assert [one for document in found.own for one in iam_reference.without_effect(reference, document)] == []
