"""The whole life of an account with each role's own permissions: bootstrap, plan, apply, release, destroy, leave.

Every call is judged by the emulator; not one is denied. The record of calls is printed by role.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

from cabstand.local.permissions import requests
from cloud_account import Account, copy_of_infra

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
    line = [sys.executable, "-m", "cabstand.local.emulator", "--record", str(record)]
    with subprocess.Popen(line, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        yield Account(server.stdout.readline().strip(), copy_of_infra(folder))
        server.terminate()


def test_no_call_is_denied(owner: Account, record: Path) -> None:
    owner.terraform("bootstrap", "-y")
    pull_request = owner.as_role("plan", **PULL_REQUEST)
    pull_request.terraform("dev", "plan", "-input=false", "-refresh=false", "-lock=false")
    deploy = owner.as_role("deploy", **DEV)
    assert "does not exist yet" in deploy.script("release.py", "begin", "dev")
    deploy.terraform("dev", "apply", "-input=false", "-auto-approve")
    released(deploy)
    deploy.terraform("dev", "plan", "-input=false", "-detailed-exitcode")
    pull_request.terraform("dev", "plan", "-input=false", "-refresh=false", "-lock=false", "-detailed-exitcode")
    deploy.terraform("dev", "destroy", "-input=false", "-auto-approve")
    owner.cabstand("destroy", "--environment", "dev", "--confirm", "destroy cabstand-dev")  # the receipt
    owner.terraform("leave", "-y")
    calls = recorded(record)
    print_by_role(calls)
    assert [call for call in calls if not call["allowed"]] == []
    assert {call["call"] for call in calls} <= requests.operations().keys()
    assert {call["role"] for call in calls} >= {"root", "cabstand-plan", "cabstand-deploy"}


def released(deploy: Account) -> None:
    """Release the same function again, go back, and delete old versions."""
    assert "runs version 1" in deploy.script("release.py", "begin", "dev")
    assert deploy.outputs["endpoint"]  # `check` would ask it for a minute; the emulator answers nothing there
    assert "runs version 1 again" in deploy.script("release.py", "undo", "dev")
    assert "deleted 0 old versions" in deploy.script("release.py", "prune", "dev")


def recorded(record: Path) -> list[dict[str, str]]:
    return [json.loads(line) for line in record.read_text().splitlines()]


def print_by_role(calls: list[dict[str, str]]) -> None:
    resources: dict[tuple[str, str], set[str]] = defaultdict(set)
    for call in calls:
        resources[call["role"], call["action"]].add(call["resource"])
    for (role, action), found in sorted(resources.items()):
        print(f"{role} {action} {min(found)}{f' and {len(found) - 1} more' if len(found) > 1 else ''}")
