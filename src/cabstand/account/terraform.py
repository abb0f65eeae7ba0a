"""Running Terraform on an environment of infra/: the state's backend, the variables, an emulator in place of AWS.

TF_PLUGIN_DIR names a folder with the provider, for a machine without a registry; AWS_ENDPOINT_URL an emulator.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cabstand.account import resources, stray_rules
from cabstand.errors import ConfigError, TaskError
from cabstand.io.aws import client, error_code, refusals

_TAKE_VARIABLES = frozenset({"plan", "apply", "destroy", "refresh", "import", "console"})
_TAKE_THE_LOCK = _TAKE_VARIABLES - {"console"} | {"taint", "untaint"}


@dataclass(frozen=True)
class Root:
    """One environment of the Terraform root.

    Parameters
    ----------
    folder : Path
        Where the root's `*.tf` and `environments/` are.
    environment : str
        Name of its variables, and of its state.
    project : str
        Beginning of the state bucket's name.
    """

    folder: Path
    environment: str
    project: str = "cabstand"

    def __post_init__(self) -> None:
        if not any(self.folder.glob("*.tf")):
            hint = "run this in the project's folder, or give --infra"
            raise ConfigError("no Terraform here", where=self.folder, hint=hint)

    @property
    def data(self) -> Path:
        """Where Terraform keeps what it knows of the environment: one folder each, so that none is mistaken."""
        return Path(os.environ.get("TF_DATA_DIR") or self.folder / ".terraform" / self.environment).absolute()

    @property
    def adopted(self) -> Path:
        """What the next apply imports: resources that a dead run made and could not note."""
        return self.data / "adopted.tf"

    @property
    def environments(self) -> Path:
        """Where backends and variables are; the bootstrap, a folder below the root, shares the root's."""
        own = self.folder / "environments"
        return (own if own.is_dir() else self.folder.parent / "environments").absolute()

    @property
    def state_bucket(self) -> str:
        """The bucket of the states: its name holds the number of the account that the credentials belong to."""
        with refusals("STS"):
            return f"{self.project}-state-{client('sts').get_caller_identity()['Account']}"

    @property
    def state_key(self) -> str:
        """The environment's state in that bucket."""
        return f"{self.environment}/terraform.tfstate"


def run(root: Root, command: str, *words: str, quiet: bool = False) -> int:
    """Run one command, after `init` where that has not been done, and return Terraform's exit code.

    Parameters
    ----------
    root : Root
        The environment.
    command, words : str
        As Terraform takes them; backend and variables are added.
    quiet : bool
        Send what Terraform prints to stderr, and leave stdout to the caller.

    Raises
    ------
    ConfigError
        If Terraform is not installed.
    TaskError
        If another run holds the state's lock, or an apply would wake half of a sleeping environment.
    """
    if command == "init" or not (root.data / "terraform.tfstate").is_file():
        code = execute(root, "init", "-reconfigure", *backend(root), quiet=quiet)
        if code or command == "init":
            return code
    if command in _TAKE_THE_LOCK and "-lock=false" not in words:
        refuse_locked(root)
    if command == "apply":
        refuse_asleep(root)
    # A saved plan holds its variables already.
    saved_plan = command == "apply" and any(Path(word).is_file() for word in words)
    given = variables(root) if command in _TAKE_VARIABLES and not saved_plan else []
    with _adopting(root, command):
        code = execute(root, command, *given, *words, quiet=quiet)
    if command == "apply" and code == 0:
        root.adopted.unlink(missing_ok=True)
        stray_rules.revoke(held_resources(root))
    return code


def answer(root: Root, command: str, *words: str) -> str:
    """Return what a command prints.

    Raises
    ------
    TaskError
        If it fails.
    """
    line = ["terraform", f"-chdir={root.folder}", command, *words]
    environment = os.environ | {"TF_DATA_DIR": str(root.data)}
    done = subprocess.run(line, env=environment, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode != 0:
        raise TaskError(f"terraform {command} failed", where=root.folder, hint="see above")
    return done.stdout


def note_adopted(root: Root, adopted: Mapping[str, str]) -> None:
    """Have the next plans, and the next apply, import what is there: id by address."""
    blocks = [f"import {{\n  to = {address}\n  id = {json.dumps(one)}\n}}\n" for address, one in adopted.items()]
    root.adopted.write_text("\n".join(blocks), encoding="utf-8")


@contextmanager
def _adopting(root: Root, command: str) -> Iterator[None]:
    """Show Terraform what is noted of this environment while a command runs: the folder is all environments'."""
    shown = root.folder / "adopted.tf"  # not committed
    shown.unlink(missing_ok=True)
    if command not in {"plan", "apply"} or not root.adopted.is_file():
        yield
        return
    shown.write_text(root.adopted.read_text(encoding="utf-8"), encoding="utf-8")
    try:
        yield
    finally:
        shown.unlink(missing_ok=True)


def execute(root: Root, command: str, *words: str, quiet: bool = False) -> int:
    """Run Terraform as it is told, in the root's folder.

    Raises
    ------
    ConfigError
        If it is not installed.
    """
    plugins = os.environ.get("TF_PLUGIN_DIR")
    given = [f"-plugin-dir={plugins}"] if plugins and command == "init" else []
    line = ["terraform", f"-chdir={root.folder}", command, *given, *words]
    environment = os.environ | {"TF_DATA_DIR": str(root.data)}
    try:
        done = subprocess.run(line, env=environment, stdout=sys.stderr.fileno() if quiet else None, check=False)
    except FileNotFoundError as error:
        raise ConfigError("terraform is not installed", hint="Terraform 1.11 or newer") from error
    return done.returncode


def backend(root: Root) -> list[str]:
    """Return the arguments of `init` that say where the state is kept."""
    settings = {"bucket": root.state_bucket, "key": root.state_key}
    file = f"{root.environment}.s3.tfbackend"
    if endpoint := os.environ.get("AWS_ENDPOINT_URL"):
        file = "emulator.s3.tfbackend"
        settings["endpoints"] = f'{{s3="{endpoint}"}}'
    given = [f"-backend-config={name}={value}" for name, value in settings.items()]
    return [f"-backend-config={root.environments / file}", *given]


def variables(root: Root) -> list[str]:
    """Return the environment's variables, and the emulator's where one stands in for AWS."""
    emulated = emulator_variable()
    files = [root.environment, *(["emulator"] if emulated else [])]
    return [f"-var-file={root.environments / name}.tfvars" for name in files] + emulated


def emulator_variable() -> list[str]:
    """Return the variable that sends the provider to an emulator, in a list; empty for AWS."""
    endpoint = os.environ.get("AWS_ENDPOINT_URL")
    return [f"-var=emulator_endpoint={endpoint}"] if endpoint else []


def refuse_locked(root: Root) -> None:
    """Refuse what another run would be disturbed by.

    Raises
    ------
    TaskError
        If the state is locked: by whom, since when, and what to do.
    """
    if lock := held_lock(root):
        raise TaskError(
            f"is locked by {lock.get('Who', '?')} since {str(lock.get('Created', '?'))[:19]}"
            f" ({str(lock.get('Operation', '?')).removeprefix('OperationType').lower()})",
            where=f"state of {root.environment}",
            hint=f"wait for that run; if it is dead: make unlock ENV={root.environment} LOCK={lock.get('ID', '?')}",
        )


def refuse_asleep(root: Root) -> None:
    """Refuse an apply that would enable the schedules of a sleeping environment, and change machines that stand still.

    Raises
    ------
    TaskError
        If the environment sleeps.
    """
    scope = resources.Scope(root.project, root.environment)
    if resources.schedules(scope).get(scope.keeper):
        raise TaskError("is asleep", where=scope.name, hint=f"make wake ENV={root.environment} first")


def held_resources(root: Root) -> list[dict[str, Any]]:
    """Return the managed resources that an environment's state holds, as Terraform wrote them."""
    s3 = client("s3")
    with refusals(f"state of {root.environment}"):
        try:
            body = s3.get_object(Bucket=root.state_bucket, Key=root.state_key)["Body"].read()
        except s3.exceptions.NoSuchKey:
            return []
    return [one for one in json.loads(body)["resources"] if one["mode"] == "managed"]


def held_lock(root: Root) -> dict[str, Any] | None:
    """Return who holds the state's lock, as Terraform wrote it beside the state, or None."""
    s3 = client("s3")
    with refusals(f"lock of {root.state_key}"):
        try:
            body = s3.get_object(Bucket=root.state_bucket, Key=f"{root.state_key}.tflock")["Body"].read()
        except s3.exceptions.ClientError as error:
            if error_code(error) in {"NoSuchKey", "NoSuchBucket", "404"}:
                return None
            raise
    found: dict[str, Any] = json.loads(body)
    return found
