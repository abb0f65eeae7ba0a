"""Start what `sleep` stopped."""

from __future__ import annotations

from typing import Any

from cabstand.account import alarms, instances, schedules
from cabstand.errors import TaskError
from cabstand.jobs.sleep import Params
from cabstand.settings import Settings


def run(settings: Settings, params: Params) -> dict[str, Any]:
    """Wake the environment; what is awake already is left alone, and so are schedules that `sleep` did not disable."""
    del settings  # resources are found by their tags
    deployment = params.deployment
    keeper, enabled = deployment.stay_asleep_schedule, schedules.states(deployment)
    enable = [name for name in schedules.load_disabled(deployment) if enabled.get(name) is False]
    servers, databases = instances.servers(deployment), instances.databases(deployment)
    start = [one.name for one in servers if one.state == "stopped"]
    start_databases = [one.name for one in databases if one.state == "stopped"]
    if not params.dry_run:
        if enabled.get(keeper):
            schedules.switch(deployment, keeper, enabled=False)
        instances.start(start, start_databases)
        for one in [*servers, *databases]:
            if one.state == "stopping":
                raise TaskError("is still stopping", where=one.name, hint="run this again in a few minutes")
        alarms.switch_silence(deployment, enabled=True)
        for name in enable:
            schedules.switch(deployment, name, enabled=True)
        schedules.delete_disabled(deployment)
    return {
        "environment": params.environment,
        "instances_started": start,
        "databases_started": start_databases,
        "schedules_enabled": enable,
        "dry_run": params.dry_run,
    }
