"""Stop what is billed while idle: the MLflow server, its database, the schedules, and the function's old versions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from cabstand.account import alarms, instances, schedules, versions
from cabstand.account.deployment import Deployment
from cabstand.errors import TaskError
from cabstand.settings import Settings


@dataclass(frozen=True)
class Params:
    """Which environment, and whether to only report what would be done."""

    environment: str = "dev"
    project: str = "cabstand"
    dry_run: bool = False

    @property
    def deployment(self) -> Deployment:
        """The environment's resources."""
        return Deployment(self.project, self.environment)


def run(settings: Settings, params: Params) -> dict[str, Any]:
    """Put the environment to sleep; what is asleep already is left alone."""
    del settings  # resources are found by their tags
    deployment = params.deployment
    keeper, enabled = deployment.stay_asleep_schedule, schedules.states(deployment)
    disable = [name for name, is_enabled in enabled.items() if is_enabled and name != keeper]
    databases = instances.databases(deployment)
    stop = [one.name for one in instances.servers(deployment) if one.state in {"pending", "running"}]
    stop_databases = [one.name for one in databases if one.state == "available"]
    if not params.dry_run:
        if disable:
            # Saved first, so that a sleep that is interrupted here forgets none of them.
            schedules.save_disabled(deployment, [*schedules.load_disabled(deployment), *disable])
        for name in disable:
            schedules.switch(deployment, name, enabled=False)
        alarms.switch_silence(deployment, enabled=False)
        versions.prune(deployment.function, keep=0)
        instances.stop(stop, stop_databases)
        # Last: from now on, a database that RDS starts by itself is stopped again within an hour.
        if enabled.get(keeper) is False:
            schedules.switch(deployment, keeper, enabled=True)
        for one in databases:
            if one.state not in {"available", "stopping", "stopped"}:
                what = f"is {one.state} and cannot be stopped now"
                raise TaskError(what, where=one.name, hint="run this again when it is available")
    return {
        "environment": params.environment,
        "instances_stopped": stop,
        "databases_stopped": stop_databases,
        "schedules_disabled": disable,
        "stays_asleep": keeper in enabled or not databases,
        "dry_run": params.dry_run,
    }
