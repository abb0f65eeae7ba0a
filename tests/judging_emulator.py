"""An emulator in a process of its own that judges calls, and roles made for a test."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import cloud_account
from emulator import MODULE, started

TRUST = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": "arn:aws:iam::123456789012:root"}}


def policy(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": statements})


class Emulator:
    """A running emulator and its record of calls."""

    def __init__(self, url: str, record: Path) -> None:
        self.url, self._record = url, record

    def client(self, service: str, keys: dict[str, str] | None = None) -> Any:
        return cloud_account.client(self.url, service, keys or cloud_account.ROOT_KEYS)

    def role(self, *statements: dict[str, Any], trust: dict[str, Any] = TRUST, **more: str) -> str:
        """Create a role with one policy, and return its ARN."""
        name = f"role-{uuid4().hex[:8]}"
        iam = self.client("iam")
        arn: str = iam.create_role(RoleName=name, AssumeRolePolicyDocument=policy(trust), **more)["Role"]["Arn"]
        if statements:
            iam.put_role_policy(RoleName=name, PolicyName="own", PolicyDocument=policy(*statements))
        return arn

    def session(self, role: str, **more: Any) -> dict[str, str]:
        """Return the keys of a session of a role."""
        answer = self.client("sts").assume_role(RoleArn=role, RoleSessionName="test", **more)
        return cloud_account.session_keys(answer["Credentials"])

    def record(self, role: str) -> list[dict[str, Any]]:
        """Return the record of a role's calls."""
        lines = [json.loads(line) for line in self._record.read_text().splitlines()]
        return [line for line in lines if line["role"] == role.rpartition("/")[2]]


@contextmanager
def emulator(folder: Path) -> Iterator[Emulator]:
    """Run an emulator, with its record of calls in a folder."""
    record = folder / "calls.jsonl"
    with started(MODULE, "--record", str(record)) as url:
        yield Emulator(url, record)
