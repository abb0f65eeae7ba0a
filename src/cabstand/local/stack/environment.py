"""What a stack's own programs have in their environment, and what must be installed for it."""

from __future__ import annotations

import logging
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

from cabstand.errors import ConfigError
from cabstand.local.emulator import access
from cabstand.local.postgres import server
from cabstand.local.stack.processes import MARK
from cabstand.local.stack.state import State

_log = logging.getLogger(__name__)


def of(state: State) -> dict[str, str]:
    """Return the environment of a program that acts for the account itself: the emulator's address and root key."""
    return access.environment(state.address("emulator")) | marks(state)


def marks(state: State) -> dict[str, str]:
    """Return what each process of a stack has: a mark to find it by, and a folder for temporary files."""
    temporary = state.folder / "tmp"
    temporary.mkdir(exist_ok=True)
    return {MARK: str(state.folder), "TMPDIR": str(temporary)}


def check() -> list[str]:
    """Return, and log, a line for each program that is missing, with what is used instead and how to install it.

    Raises
    ------
    ConfigError
        If any are missing for which nothing else is used; it names them all.
    """
    missing = []
    if server.programs() is None:
        missing.append("PostgreSQL is not installed: MLflow uses SQLite instead (apt-get install postgresql)")
    if not shutil.which("podman") and not shutil.which("docker"):
        instead = "tasks run as processes of this Python instead of in the batch image"
        missing.append(f"neither podman nor Docker is installed: {instead} (apt-get install podman)")
    for line in missing:
        _log.warning(line)
    needed: Mapping[str, str] = {
        "terraform": "install Terraform 1.11 or newer: https://developer.hashicorp.com/terraform/install",
        "bash": "apt-get install bash",
        "curl": "apt-get install curl",
    }
    hints = {name: hint for name, hint in needed.items() if not shutil.which(name)}
    if not Path(sys.executable).with_name("aws").exists():
        hints["the AWS CLI beside this Python"] = "pip install 'cabstand[local]' in its environment"
    if hints:
        where, hint = ", ".join(hints), "; ".join(hints.values())
        raise ConfigError("not installed, and nothing can be used instead", where=where, hint=hint)
    return missing
