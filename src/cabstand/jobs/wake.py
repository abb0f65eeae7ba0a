"""Start what `sleep` stopped."""

from __future__ import annotations

from typing import Any

from cabstand.account import resources
from cabstand.errors import TaskError
from cabstand.io import aws
from cabstand.jobs.sleep import Params
from cabstand.settings import Settings


def run(settings: Settings, params: Params) -> dict[str, Any]:
    """Wake the environment; what is awake already is left alone, and so are schedules that sleep did not disable.

    Raises
    ------
    TaskError
        If AWS refuses, or a machine is still on its way to sleep.
    """
    del settings  # the account is found by tags
    scope = params.scope
    known = resources.schedules(scope)
    enable = [name for name in resources.remembered(scope) if known.get(name) is False]
    servers, databases = resources.instances(scope), resources.databases(scope)
    start = [server.name for server in servers if server.state == "stopped"]
    start_databases = [database.name for database in databases if database.state == "stopped"]
    if not params.dry_run:
        if known.get(scope.keeper):
            resources.set_schedule(scope, scope.keeper, enabled=False)
        for name in start_databases:
            with aws.refusals(f"database {name}"):
                aws.client("rds").start_db_instance(DBInstanceIdentifier=name)
        if start:
            with aws.refusals("EC2 instances"):
                aws.client("ec2").start_instances(InstanceIds=start)
        for machine in [*servers, *databases]:
            if machine.state == "stopping":
                raise TaskError("is still stopping", where=machine.name, hint="run this again in a few minutes")
        for name in enable:
            resources.set_schedule(scope, name, enabled=True)
        resources.forget(scope)
    return {
        "environment": params.environment,
        "instances_started": start,
        "databases_started": start_databases,
        "schedules_enabled": enable,
        "dry_run": params.dry_run,
    }
