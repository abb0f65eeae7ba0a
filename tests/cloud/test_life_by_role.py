"""The whole life of an account with each role's own permissions: bootstrap, plan, apply, release, destroy, leave.

Every call is judged by the emulator; not one is denied. The record of calls is printed by role.
"""

from __future__ import annotations

import json
import tomllib
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

from cabstand.local.permissions import applied, requests
from cabstand.local.permissions.conditions import listed
from cabstand.local.permissions.decision import Policies
from cabstand.local.permissions.patterns import matches
from cloud_account import ROOT, Account, copy_of_infra, pack_function
from emulator import MODULE, started

pytestmark = pytest.mark.cloud

PULL_REQUEST = {"sub": "repo:example/cabstand:pull_request"}
DEV = {"sub": "repo:example/cabstand:environment:dev", "environment": "dev"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("life")


@pytest.fixture(scope="module")
def record(folder: Path) -> Path:
    return folder / "calls.jsonl"


@pytest.fixture(scope="module")
def owner(terraform_there: None, folder: Path, record: Path) -> Iterator[Account]:
    """The account as its owner uses it, on an emulator of its own."""
    with started(MODULE, "--record", str(record)) as url:
        yield Account(url, copy_of_infra(folder))


def test_no_call_is_denied(owner: Account, record: Path) -> None:
    owner.terraform("bootstrap", "-y")
    pull_request = owner.as_role("plan", **PULL_REQUEST)
    pull_request.terraform("dev", "plan", "-input=false", "-refresh=false", "-lock=false")
    deploy = owner.as_role("deploy", **DEV)
    deploy.terraform("dev", "apply", "-input=false", "-auto-approve")
    released(deploy)
    deploy.terraform("dev", "plan", "-input=false", "-detailed-exitcode")
    assert deploy.cabstand("deploy", "--rollback")[0]["version"] == "1"
    deploy.terraform("dev", "plan", "-input=false", "-detailed-exitcode", "-target=module.api")
    pull_request.terraform("dev", "plan", "-input=false", "-refresh=false", "-lock=false", "-detailed-exitcode")
    owner.script("roles_page.py")
    roles = {name: applied.of_role(owner.client("iam"), f"cabstand-{name}") for name in ("plan", "deploy")}
    deploy.terraform("dev", "destroy", "-input=false", "-auto-approve")
    owner.cabstand("destroy", "--environment", "dev", "--confirm", "destroy cabstand-dev")  # the receipt
    owner.terraform("leave", "-y")
    calls = recorded(record)
    print_by_role(calls)
    assert [call for call in calls if not call["allowed"]] == []
    assert {call["call"] for call in calls} <= requests.operations().keys()
    assert {name: unused(found, name, calls) for name, found in roles.items()} == justified()
    page = (owner.tree / "infra/README.md").read_text()
    assert page == (ROOT / "infra/README.md").read_text(), f"run make roles-page, or copy {owner.tree}/infra/README.md"


def released(deploy: Account) -> None:
    """Apply other code, which shifts no request, and deploy it; the first try is killed."""
    assert deploy.cabstand("deploy", "--abort")[0]["state"] == "unchanged"
    assert deploy.cabstand("deploy")[0]["reason"] == "version 1 is live"
    pack_function(deploy.tree, "def handler(event, context): return 2\n")
    deploy.terraform("dev", "apply", "-input=false", "-auto-approve", "-refresh=false")
    alias = deploy.client("lambda").get_alias(FunctionName="cabstand-dev-api", Name="live")
    assert alias["FunctionVersion"] == "1"
    plan_of_service = ("dev", "plan", "-input=false", "-detailed-exitcode", "-target=module.api")
    deploy.killed("-m", "cabstand", "deploy", "--watch", "600", when="version 2 gets 10 %")
    deploy.terraform(*plan_of_service)  # while requests are split
    assert deploy.cabstand("deploy", "--abort")[0]["state"] == "rolled back"
    deploy.terraform(*plan_of_service)
    found, _ = deploy.cabstand("deploy", "--watch", "0")
    assert (found["state"], found["version"], found["versions_kept"]) == ("completed", "2", ["1", "2"])


def unused(found: Policies, role: str, calls: list[dict[str, str]]) -> set[str]:
    """Return the actions that a role was granted and never used."""
    did = {call["action"] for call in calls if call["role"] == f"cabstand-{role}"}
    statements = [one for document in found.own for one in listed(document["Statement"]) if one["Effect"] == "Allow"]
    granted = {action for one in statements for action in listed(one["Action"])}
    return {one for one in granted if not any(matches(one, action, ignore_case=True) for action in did)}


def justified() -> dict[str, set[str]]:
    listed_ones = tomllib.loads((ROOT / "infra/unused_grants.toml").read_text())["unused"]
    assert all(one["why"] for one in listed_ones)
    return {
        role: {action for one in listed_ones if one["role"] == role for action in one["actions"].split()}
        for role in ("plan", "deploy")
    }


def recorded(record: Path) -> list[dict[str, str]]:
    return [json.loads(line) for line in record.read_text().splitlines()]


def print_by_role(calls: list[dict[str, str]]) -> None:
    resources: dict[tuple[str, str], set[str]] = defaultdict(set)
    for call in calls:
        resources[call["role"], call["action"]].add(call["resource"])
    for (role, action), found in sorted(resources.items()):
        print(f"{role} {action} {min(found)}{f' and {len(found) - 1} more' if len(found) > 1 else ''}")
