"""Remove an environment from the AWS account: empty, destroy, and report what still exists."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cabstand.account import emptying, instances, inventory, schedules, state, terraform
from cabstand.account.deployment import Deployment
from cabstand.account.root import Root
from cabstand.errors import ConfigError, TaskError
from cabstand.settings import Settings

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Params:
    """What to remove; the fields are the options of `cabstand destroy`."""

    environment: str = "dev"
    project: str = "cabstand"
    confirmation: str = ""  # what the user typed; must equal `sentence`
    prod_too: bool = False
    with_images: bool = False
    infra: Path | None = Path("infra")  # None empties and reports without Terraform
    dry_run: bool = False

    @property
    def deployment(self) -> Deployment:
        """The environment's resources."""
        return Deployment(self.project, self.environment)

    @property
    def sentence(self) -> str:
        """What must be typed to confirm."""
        return f"destroy {self.deployment.name}"


def run(settings: Settings, params: Params) -> dict[str, Any]:
    """Remove the environment; `clean` in the result says whether nothing billable is left.

    If AWS or Terraform refuses, the next run continues from there.
    """
    del settings  # resources are found by their names and tags
    emptied: dict[str, int] = {}
    if not params.dry_run:
        _refuse_unconfirmed(params)
        emptied = _remove(params)
    left = inventory.find(params.deployment)
    n_billable = sum(one.billable for one in left)
    return {
        "environment": params.environment,
        "emptied": emptied,
        "left": [one._asdict() for one in left],
        "n_billable_left": n_billable,
        "clean": n_billable == 0,
        "dry_run": params.dry_run,
    }


def _refuse_unconfirmed(params: Params) -> None:
    if params.environment == "prod" and not params.prod_too:
        raise ConfigError("prod needs a second switch to be destroyed", hint="add --prod-too if you mean it")
    if params.confirmation != params.sentence:
        raise ConfigError("not confirmed; nothing was touched", hint=f"type: {params.sentence}")


def _remove(params: Params) -> dict[str, int]:
    """Empty and destroy; return how much was deleted from where."""
    root = None if params.infra is None else Root(params.infra, params.environment, params.project)
    if root is not None:
        terraform.check(root, "init")
        state.refuse_locked(root)  # before anything is emptied that another run may still use
    emptied = _empty(params)
    if root is not None:
        _destroy(root, params.deployment, emptied)
    schedules.delete_disabled(params.deployment)
    return emptied


def _empty(params: Params) -> dict[str, int]:
    """Stop whatever writes, then empty what must be empty to be deleted."""
    deployment = params.deployment
    for name, enabled in schedules.states(deployment).items():
        if enabled:
            schedules.switch(deployment, name, enabled=False)
    n_stopped = emptying.stop_tasks(deployment)
    emptying.unprotect_databases([one.name for one in instances.databases(deployment)])
    emptied = {name: emptying.empty_bucket(name) for name in emptying.buckets(deployment)}
    if params.with_images:
        emptied |= {name: emptying.empty_repository(name) for name in emptying.repositories(params.project)}
    return {"tasks stopped": n_stopped, **emptied}


def _destroy(root: Root, deployment: Deployment, emptied: dict[str, int]) -> None:
    try:
        terraform.check(root, "destroy", "-input=false", "-auto-approve")
    except TaskError:
        state.refuse_locked(root)
        # Logs and predictions that were on their way when the buckets were emptied have arrived by now.
        _log.warning("emptying the buckets again and destroying once more")
        for name in emptying.buckets(deployment):
            emptied[name] = emptied.get(name, 0) + emptying.empty_bucket(name)
        terraform.check(root, "destroy", "-input=false", "-auto-approve")
