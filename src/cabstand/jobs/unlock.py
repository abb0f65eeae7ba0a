"""Release the state lock of a dead run, and find what it created."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cabstand.account import existing, state, terraform
from cabstand.account.root import Root
from cabstand.errors import ConfigError
from cabstand.settings import Settings

# A resource that refers to others is found in the search after theirs; the longest chain is VPC, route table, route.
_MAX_SEARCHES = 5


@dataclass(frozen=True)
class Params:
    """Which lock on which state: a lock that has changed hands since its id was printed is not released."""

    lock: str
    environment: str = "dev"
    project: str = "cabstand"
    infra: Path = Path("infra")


def run(settings: Settings, params: Params) -> dict[str, Any]:
    """Release the lock, and save what the next `apply` imports."""
    del settings  # the credentials determine the account
    root = Root(params.infra, params.environment, params.project)
    lock = state.lock(root)
    if lock is None:
        raise ConfigError("is not locked", where=f"state of {params.environment}")
    if lock["ID"] != params.lock:
        raise ConfigError(f"is held by another lock, {lock['ID']}", where=f"state of {params.environment}")
    terraform.check(root, "force-unlock", "-force", params.lock)
    adopted = _import_existing(root)
    return {"environment": params.environment, "unlocked": params.lock, "adopted": adopted, "dry_run": False}


def _import_existing(root: Root) -> dict[str, str]:
    """Search repeatedly, each time with the imports found before, until nothing more is found."""
    ids: dict[str, str] = {}
    for _ in range(_MAX_SEARCHES):
        found = existing.find(_plan(root))
        if not found:
            break
        ids |= found
        terraform.save_imports(root, ids)
    return dict(sorted(ids.items()))


def _plan(root: Root) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="cabstand-plan-") as folder:
        file = str(Path(folder) / "plan")
        terraform.check(root, "plan", "-input=false", "-refresh=false", f"-out={file}")
        return terraform.show(root, file)
