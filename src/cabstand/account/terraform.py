"""Run Terraform on one environment, with the backend, the variables and the emulator's address it needs.

TF_PLUGIN_DIR names a folder with the provider, for a machine without access to a registry; AWS_ENDPOINT_URL names an
emulator.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cabstand import activity
from cabstand.account import default_egress, schedules, state
from cabstand.account.deployment import Deployment
from cabstand.account.root import Root
from cabstand.errors import ConfigError, TaskError

_TAKE_VARIABLES = frozenset({"plan", "apply", "destroy", "refresh", "import", "console"})
_TAKE_THE_LOCK = _TAKE_VARIABLES - {"console"} | {"taint", "untaint"}


def run(root: Root, command: str, *words: str, quiet: bool = False) -> int:
    """Run one command, after `init` if that has not been done yet, and return Terraform's exit code.

    Backend and variables are added to `words`; `quiet` sends Terraform's output to stderr. Refused are a command that
    needs a lock which another run holds, and an apply that would change a sleeping environment.
    """
    if command == "init" or not _is_initialised(root):
        code = execute(root, "init", "-reconfigure", *backend(root), quiet=quiet)
        if code or command == "init":
            return code
    if command in _TAKE_THE_LOCK and "-lock=false" not in words:
        state.refuse_locked(root)
    if command == "apply":
        _refuse_asleep(root)
    is_saved_plan = command == "apply" and any(Path(word).is_file() for word in words)  # contains its variables
    variables = _variables(root) if command in _TAKE_VARIABLES and not is_saved_plan else []
    with _imports(root, command):
        code = execute(root, command, *variables, *words, quiet=quiet)
    if command == "apply" and code == 0:
        root.imports.unlink(missing_ok=True)
        default_egress.revoke_unmanaged(state.resources(root))
    return code


def initialise(root: Root) -> None:
    """Run `init` if that has not been done yet; raise a TaskError if it fails."""
    if not _is_initialised(root):
        check(root, "init")


def _is_initialised(root: Root) -> bool:
    return (root.data / "terraform.tfstate").is_file()


def check(root: Root, command: str, *words: str) -> None:
    """Run one command as `run` does, with its output on stderr; raise a TaskError if it fails."""
    if run(root, command, *words, quiet=True) != 0:
        raise TaskError(
            f"terraform {command} failed", where=root.folder, hint="fix the error above, then run this again"
        )


def show(root: Root, plan: str) -> dict[str, Any]:
    """Return a saved plan as Terraform's JSON."""
    done = subprocess.run(
        _line(root, "show", "-json", plan), env=_environment(root), stdout=subprocess.PIPE, text=True, check=False
    )
    if done.returncode != 0:
        raise TaskError("terraform show failed", where=root.folder, hint="see above")
    content: dict[str, Any] = json.loads(done.stdout)
    return content


def save_imports(root: Root, ids: Mapping[str, str]) -> None:
    """Let the next plans and the next apply import existing resources: import id by address."""
    blocks = [f"import {{\n  to = {address}\n  id = {json.dumps(one)}\n}}\n" for address, one in ids.items()]
    root.imports.write_text("\n".join(blocks), encoding="utf-8")


@contextmanager
def _imports(root: Root, command: str) -> Iterator[None]:
    """Copy the environment's import blocks into the root while a command runs: all environments share that folder."""
    copy = root.folder / "adopted.tf"  # not committed
    copy.unlink(missing_ok=True)
    if command in {"plan", "apply"} and root.imports.is_file():
        copy.write_text(root.imports.read_text(encoding="utf-8"), encoding="utf-8")
    try:
        yield
    finally:
        copy.unlink(missing_ok=True)


def execute(root: Root, command: str, *words: str, quiet: bool = False) -> int:
    """Run Terraform in the root's folder with nothing but these arguments, and return its exit code."""
    plugins = os.environ.get("TF_PLUGIN_DIR")
    plugin_words = [f"-plugin-dir={plugins}"] if plugins and command == "init" else []
    output = sys.stderr.fileno() if quiet else None
    line = _line(root, command, *plugin_words, *words)
    try:
        with activity.paused():  # Terraform writes to the terminal itself
            return subprocess.run(line, env=_environment(root), stdout=output, check=False).returncode
    except FileNotFoundError as error:
        raise ConfigError("terraform is not installed", hint="install Terraform 1.11 or newer") from error


def _line(root: Root, *words: str) -> list[str]:
    return ["terraform", f"-chdir={root.folder}", *words]


def _environment(root: Root) -> dict[str, str]:
    return os.environ | {"TF_DATA_DIR": str(root.data)}


def backend(root: Root) -> list[str]:
    """Return the arguments of `init` that configure the state's backend."""
    settings = {"bucket": root.state_bucket, "key": root.state_key}
    file = f"{root.environment}.s3.tfbackend"
    if endpoint := os.environ.get("AWS_ENDPOINT_URL"):
        file = "emulator.s3.tfbackend"
        settings["endpoints"] = f'{{s3="{endpoint}"}}'
    return [
        f"-backend-config={root.environments / file}",
        *(f"-backend-config={name}={value}" for name, value in settings.items()),
    ]


def _variables(root: Root) -> list[str]:
    """Return the arguments that set the environment's variables."""
    emulator = emulator_variable()
    names = [root.environment, "emulator"] if emulator else [root.environment]
    # Without another tag, tasks keep the image that they run: the one in the file is for the first apply.
    tag = state.image_tag(root)
    keep_image = [f"-var=batch_image_tag={tag}"] if tag else []
    return [f"-var-file={root.environments / name}.tfvars" for name in names] + emulator + keep_image


def emulator_variable() -> list[str]:
    """Return the argument that points the provider at an emulator, in a list; empty for AWS."""
    endpoint = os.environ.get("AWS_ENDPOINT_URL")
    return [f"-var=emulator_endpoint={endpoint}"] if endpoint else []


def _refuse_asleep(root: Root) -> None:
    """Refuse an apply that would enable the schedules of a sleeping environment and change its stopped instances."""
    deployment = Deployment(root.project, root.environment)
    if schedules.states(deployment).get(deployment.stay_asleep_schedule):
        raise TaskError("is asleep", where=deployment.name, hint=f"make wake ENV={root.environment} first")
