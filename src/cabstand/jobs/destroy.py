"""Leave the account: empty, destroy, look for what is left, and hand over a receipt."""

from __future__ import annotations

import logging
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from cabstand.account import emptying, leftovers, resources, terraform
from cabstand.account.resources import Scope
from cabstand.account.terraform import Root
from cabstand.errors import ConfigError, TaskError
from cabstand.settings import Settings

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Params:
    """What to remove.

    Parameters
    ----------
    environment, project : str
        Whose resources.
    confirmation : str
        What the user typed; must be `sentence`.
    prod_too : bool
        The second switch, without which prod stays.
    with_images : bool
        Also empty the project's image repositories, which all environments share.
    infra : Path, optional
        Folder of the Terraform root; None sweeps and reports alone.
    dry_run : bool
        Only look, and report.
    """

    environment: str = "dev"
    project: str = "cabstand"
    confirmation: str = ""
    prod_too: bool = False
    with_images: bool = False
    infra: Path | None = Path("infra")
    dry_run: bool = False

    @property
    def scope(self) -> Scope:
        """The environment's resources."""
        return Scope(self.project, self.environment)

    @property
    def sentence(self) -> str:
        """What must be typed."""
        return f"destroy {self.scope.name}"


def run(settings: Settings, params: Params) -> dict[str, Any]:
    """Remove the environment; `clean` in the result says whether nothing billable is left.

    Raises
    ------
    ConfigError
        If it is not confirmed, or is prod and the second switch is missing.
    TaskError
        If AWS or Terraform refuses; the next run goes on from there.
    """
    del settings  # the account is found by names and tags
    _refuse_unless_meant(params)
    emptied: dict[str, int] = {}
    if not params.dry_run:
        root = None if params.infra is None else Root(params.infra, params.environment, params.project)
        if root is not None:
            _terraform(root, "init")
            terraform.refuse_locked(root)  # before anything is emptied under another run's feet
        emptied = _empty(params)
        if root is not None:
            _destroy(root, params.scope, emptied)
        resources.forget(params.scope)
    left = leftovers.find(params.scope)
    return {
        "environment": params.environment,
        "emptied": emptied,
        "left": [asdict(one) for one in left],
        "n_billable_left": sum(one.billable for one in left),
        "clean": not any(one.billable for one in left),
        "dry_run": params.dry_run,
    }


def _refuse_unless_meant(params: Params) -> None:
    if params.dry_run:
        return
    if params.environment == "prod" and not params.prod_too:
        raise ConfigError("prod is not destroyed by this switch alone", hint="add --prod-too if it is meant")
    if params.confirmation != params.sentence:
        raise ConfigError("not confirmed; nothing was touched", hint=f"type: {params.sentence}")


def _empty(params: Params) -> dict[str, int]:
    """Stop what writes, then empty what must be empty; return what was deleted from where."""
    scope = params.scope
    for name, enabled in resources.schedules(scope).items():
        if enabled:
            resources.set_schedule(scope, name, enabled=False)
    stopped = emptying.stop_tasks(scope)
    emptying.unprotect_databases([database.name for database in resources.databases(scope)])
    emptied = {bucket: emptying.empty_bucket(bucket) for bucket in emptying.buckets(scope)}
    if params.with_images:
        emptied |= {name: emptying.empty_repository(name) for name in emptying.repositories(params.project)}
    return {"tasks stopped": stopped, **emptied}


def _destroy(root: Root, scope: Scope, emptied: dict[str, int]) -> None:
    try:
        _terraform(root, "destroy", "-input=false", "-auto-approve")
    except TaskError:
        terraform.refuse_locked(root)
        # Logs and deliveries that were on their way when the buckets were emptied have arrived by now.
        _log.warning("emptying what filled again, and destroying once more")
        for name in emptying.buckets(scope):
            emptied[name] = emptied.get(name, 0) + emptying.empty_bucket(name)
        _terraform(root, "destroy", "-input=false", "-auto-approve")


def _terraform(root: Root, command: str, *words: str) -> None:
    if terraform.run(root, command, *words, quiet=True) != 0:
        raise TaskError(f"terraform {command} failed", where=root.folder, hint="see above; run this again when mended")
