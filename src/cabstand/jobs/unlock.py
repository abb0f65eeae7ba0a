"""Give back the state that a dead run left locked, and find what that run made and could not note."""

from __future__ import annotations

import json
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cabstand.account import adoption, terraform
from cabstand.account.terraform import Root
from cabstand.errors import ConfigError, TaskError
from cabstand.settings import Settings

_MOST_LOOKS = 5  # what hangs on an adopted resource is found a look later; network, table, route are the deepest


@dataclass(frozen=True)
class Params:
    """Whose state.

    Parameters
    ----------
    lock : str
        The lock's id, as the refusal named it: a lock that has changed hands since is left alone.
    environment, project : str
        Which environment.
    infra : Path
        Folder of the Terraform root.
    """

    lock: str
    environment: str = "dev"
    project: str = "cabstand"
    infra: Path = Path("infra")


def run(settings: Settings, params: Params) -> dict[str, Any]:
    """Unlock the state, and note what the next `apply` takes over.

    Raises
    ------
    ConfigError
        If the state is not locked, or another lock than the given one holds it.
    TaskError
        If Terraform fails, or AWS refuses.
    """
    del settings  # the account is found by its credentials
    root = Root(params.infra, params.environment, params.project)
    lock = terraform.held_lock(root)
    if lock is None:
        raise ConfigError("is not locked", where=f"state of {params.environment}")
    if lock["ID"] != params.lock:
        raise ConfigError(f"is held by another lock, {lock['ID']}", where=f"state of {params.environment}")
    _run(root, "force-unlock", "-force", params.lock)
    adopted = _adopt(root)
    return {"environment": params.environment, "unlocked": params.lock, "adopted": adopted, "dry_run": False}


def _adopt(root: Root) -> dict[str, str]:
    """Look again and again, each time with what was found before, until nothing more is found."""
    adopted: dict[str, str] = {}
    for _ in range(_MOST_LOOKS):
        more = adoption.find(_plan(root))
        if not more:
            break
        adopted |= more
        terraform.note_adopted(root, adopted)
    return dict(sorted(adopted.items()))


def _plan(root: Root) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="cabstand-plan-") as folder:
        file = str(Path(folder) / "plan")
        _run(root, "plan", "-input=false", "-refresh=false", f"-out={file}")
        plan: dict[str, Any] = json.loads(terraform.answer(root, "show", "-json", file))
    return plan


def _run(root: Root, command: str, *words: str) -> None:
    if terraform.run(root, command, *words, quiet=True) != 0:
        raise TaskError(f"terraform {command} failed", where=root.folder, hint="see above; run this again when mended")
