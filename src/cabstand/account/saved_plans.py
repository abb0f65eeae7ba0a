"""Plans that are approved before they are applied: a plan is saved in the state bucket, and that file alone is applied.

A plan contains the state, so it is kept where the state is: encrypted by S3, and readable by those who may read states.
Its name is its SHA-256, so that whoever approves the digest approves the bytes. The function's zip is saved beside it.
"""

from __future__ import annotations

import hashlib
import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cabstand.account import state, terraform
from cabstand.account.root import Root
from cabstand.errors import ConfigError, TaskError
from cabstand.io.aws import call, refusals

# The roles that plan may read states and nothing else: they cannot compare with the account, nor take the lock.
_READ_ONLY = ("-input=false", "-refresh=false", "-lock=false")
_AGAIN = "run the workflow again, so that the change is planned and approved anew"


@dataclass(frozen=True)
class Plan:
    """A plan that was just made."""

    file: Path
    shown: Mapping[str, Any]  # as Terraform's JSON
    moment: str  # which state it changes
    digest: str  # SHA-256 of the file


def make(root: Root, folder: Path, *, tag: str = "") -> Plan:
    """Plan an environment, in a file in `folder`; `tag` names the batch image.

    Raises
    ------
    TaskError
        If Terraform cannot plan.
    """
    file = folder.absolute() / "plan"
    moment = state.moment(root)
    words = [f"-var=batch_image_tag={tag}"] if tag else []
    if terraform.run(root, "plan", *_READ_ONLY, f"-out={file}", *words) != 0:
        raise TaskError("cannot be planned", where=root.environment, hint="see Terraform's message above")
    return Plan(file, terraform.show(root, str(file)), moment, hashlib.sha256(file.read_bytes()).hexdigest())


def save(root: Root, plan: Plan) -> None:
    """Save a plan and the zip that it deploys."""
    for part, file in {"plan": plan.file, "package": _package(root, plan.shown)}.items():
        key = _key(root, plan.digest, part)
        with file.open("rb") as body:
            call("s3", "put_object", Bucket=root.state_bucket, Key=key, Body=body, Metadata={"state": plan.moment})


def apply(root: Root, digest: str) -> int:
    """Apply the saved plan with this SHA-256, and return Terraform's exit code.

    Raises
    ------
    ConfigError
        If `digest` is not a SHA-256.
    TaskError
        If there is no such plan, it or its zip is not what was saved, or the state has changed since it was made.
    """
    if not re.fullmatch(r"[0-9a-f]{64}", digest):
        raise ConfigError(f"must be the SHA-256 of a saved plan, not {digest!r}", where="DIGEST", hint="make plan-save")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "plan"
        moment = _fetch(root, digest, "plan", digest, file)
        if (now := state.moment(root)) != moment:
            was = f"has changed since the plan was made: then {moment}, now {now}"
            raise TaskError(was, where=f"state of {root.environment}", hint=_AGAIN)
        terraform.initialise(root)
        shown = terraform.show(root, str(file))
        package = _package(root, shown)
        package.parent.mkdir(exist_ok=True)
        _fetch(root, digest, "package", _package_hash(shown), package)
        return terraform.run(root, "apply", "-input=false", str(file))


def _key(root: Root, digest: str, part: str) -> str:
    return f"plans/{root.environment}/{digest}/{part}"


def _fetch(root: Root, digest: str, part: str, expected: str, file: Path) -> str:
    """Write a part of a saved plan, whose SHA-256 must be `expected`, to a file; return which state it was made for."""
    key = _key(root, digest, part)
    where = f"s3://{root.state_bucket}/{key}"
    saved = call("s3", "get_object", missing_ok=True, Bucket=root.state_bucket, Key=key)
    if not saved:
        raise TaskError("is not there", where=where, hint=f"plans are kept for 35 days; {_AGAIN}")
    with refusals(where):
        content = saved["Body"].read()
    if hashlib.sha256(content).hexdigest() != expected:
        raise TaskError("is not the file that was planned; nothing was applied", where=where, hint=_AGAIN)
    file.write_bytes(content)
    return str(saved["Metadata"].get("state", ""))


def _package(root: Root, shown: Mapping[str, Any]) -> Path:
    """Return the path of the function's zip, from the plan's variables."""
    return root.folder / str(shown["variables"]["api_package_path"]["value"])


def _package_hash(shown: Mapping[str, Any]) -> str:
    """Return the SHA-256 of the zip that the plan deploys."""
    objects = [one["change"]["after"] or {} for one in shown["resource_changes"] if one["type"] == "aws_s3_object"]
    return next((str(one["source_hash"]) for one in objects if str(one.get("key", "")).endswith("/api.zip")), "")
