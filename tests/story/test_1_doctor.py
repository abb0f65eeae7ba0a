"""First of all: doctor finds nothing wrong with a fresh account, and names each planted fault."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import cache
from typing import Any

import pytest
from pytest_httpserver import HTTPServer

from cabstand import settings
from cabstand.jobs import doctor
from cabstand.local.stack import doctor as of_stack
from cabstand.local.stack import status
from cloud_account import session_keys
from doctor_faults import PLANTED, Site, plant
from laptop import ROOT, Laptop

pytestmark = pytest.mark.story


@pytest.fixture(scope="module")
def lines_with(
    laptop: Laptop, stack: dict[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], list[dict[str, Any]]]:
    """Return what doctor says while the faults of a group are there."""

    @cache
    def found(group: str) -> list[dict[str, Any]]:
        with (
            of_stack.params(laptop.home / "local", "cabstand") as params,
            pytest.MonkeyPatch.context() as environment,
            HTTPServer() as server,
            ExitStack() as undone,
        ):
            environment.setattr("boto3.DEFAULT_SESSION", None)  # which remembers keys
            site = Site(laptop, params, environment, server, tmp_path_factory.mktemp("site"))
            plant(group, site, undone)
            return examined(site.params)

    return found


def examined(params: doctor.Params) -> list[dict[str, Any]]:
    of_stack.forget_clients()
    lines: list[dict[str, Any]] = doctor.run(settings.load(), params)["checks"]
    return lines


def test_doctor_passes_on_a_fresh_account(laptop: Laptop, stack: dict[str, Any]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "cabstand", "doctor", "--environment", "local"],
        env=os.environ | {"CABSTAND_HOME": str(laptop.home)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout.splitlines()[-1])
    assert result["failed"] == 0
    # On the first day no model is there, and without an image in the repository schedules are off.
    warned = {one["name"] for one in result["checks"] if one["status"] == "warn"} - {"this machine", "cold latency"}
    assert warned <= {"models", "schedules", "warm latency", "aws", "podman or docker"}
    assert all(f"{one['status']:4}  {one['name']}: {one['found']}" in done.stderr for one in result["checks"])


@pytest.fixture
def on_call(laptop: Laptop) -> Iterator[dict[str, str]]:
    """Keys of a role with the policy of docs/operations.md."""
    page = (ROOT / "docs/operations.md").read_text()
    policy = page[page.index("## Doctor") :].partition("```json")[2].partition("```")[0]
    trust = {"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::123456789012:root"}, "Action": "sts:AssumeRole"}
    iam, name = laptop.client("iam"), {"RoleName": "on-call"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    arn = iam.create_role(**name, AssumeRolePolicyDocument=document)["Role"]["Arn"]
    iam.put_role_policy(**name, PolicyName="doctor", PolicyDocument=policy)
    answer = laptop.client("sts").assume_role(RoleArn=arn, RoleSessionName="jane")
    yield session_keys(answer["Credentials"])
    iam.delete_role_policy(**name, PolicyName="doctor")
    iam.delete_role(**name)


def test_the_policy_on_the_page_is_enough(laptop: Laptop, on_call: dict[str, str]) -> None:
    with (
        of_stack.params(laptop.home / "local", "cabstand") as params,
        pytest.MonkeyPatch.context() as environment,
    ):
        environment.setattr("boto3.DEFAULT_SESSION", None)
        for name, value in on_call.items():
            environment.setenv(name, value)
        lines = examined(params)
    assert [one for one in lines if one["status"] == "fail"] == []
    assert "assumed-role/on-call" in next(one["found"] for one in lines if one["name"] == "credentials")
    assert [one for one in status.denied(laptop.state) if one["role"] == "on-call"] == []


@pytest.mark.parametrize("name", PLANTED)
def test_doctor_names_each_fault(lines_with: Callable[[str], list[dict[str, Any]]], name: str) -> None:
    fault = PLANTED[name]
    lines = lines_with(fault.group)
    found = [one for one in lines if (one["name"], one["status"]) == (fault.line, fault.status)]
    assert [one for one in found if fault.hint in one["hint"]], lines


def test_every_fault_was_undone(lines_with: Callable[[str], list[dict[str, Any]]]) -> None:
    assert len(PLANTED) >= 20
    assert [one for one in lines_with("none") if one["status"] == "fail"] == []
