"""Running Terraform; what it prints goes to stderr."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from cabstand.errors import ConfigError, TaskError


def run(root: Path, *words: str) -> None:
    """Run `terraform` in the folder `root`; `TF_CLI_ARGS_<command>` adds words of one's own.

    Raises
    ------
    ConfigError
        If there is no Terraform, or `root` is not a folder of it.
    TaskError
        If it fails.
    """
    if not any(root.glob("*.tf")):
        raise ConfigError("no Terraform here", where=root, hint="run this in the project's folder, or give --infra")
    try:
        done = subprocess.run(["terraform", f"-chdir={root}", *words], stdout=sys.stderr.fileno(), check=False)
    except FileNotFoundError as error:
        raise ConfigError("terraform is not installed", hint="Terraform 1.11 or newer") from error
    if done.returncode != 0:
        raise TaskError(f"terraform {words[0]} failed", where=root, hint="see above; run this again when mended")
