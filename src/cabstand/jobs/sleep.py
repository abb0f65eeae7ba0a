"""Stop what bills while idle: schedules, the MLflow server, its database."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from cabstand.account import resources
from cabstand.account.resources import Machine, Scope
from cabstand.errors import TaskError
from cabstand.io import aws
from cabstand.settings import Settings


@dataclass(frozen=True)
class Params:
    """Which environment, and whether only to say what would be done."""

    environment: str = "dev"
    project: str = "cabstand"
    dry_run: bool = False

    @property
    def scope(self) -> Scope:
        """The environment's resources."""
        return Scope(self.project, self.environment)


def run(settings: Settings, params: Params) -> dict[str, Any]:
    """Put the environment to sleep; what sleeps already is left alone.

    Raises
    ------
    TaskError
        If AWS refuses, or a machine is in a state from which it cannot be stopped now.
    """
    del settings  # the account is found by tags
    scope = params.scope
    known = resources.schedules(scope)
    disable = [name for name, enabled in known.items() if enabled and name != scope.keeper]
    servers, databases = resources.instances(scope), resources.databases(scope)
    stop = [server.name for server in servers if server.state in {"pending", "running"}]
    stop_databases = [database.name for database in databases if database.state == "available"]
    if not params.dry_run:
        _disable(scope, disable)
        _stop(stop, stop_databases)
        # Last: from now on a database that RDS started by itself is stopped within a day.
        if known.get(scope.keeper) is False:
            resources.set_schedule(scope, scope.keeper, enabled=True)
        _refuse_unfinished(databases)
    return {
        "environment": params.environment,
        "instances_stopped": stop,
        "databases_stopped": stop_databases,
        "schedules_disabled": disable,
        "stays_asleep": scope.keeper in known or not databases,
        "dry_run": params.dry_run,
    }


def _disable(scope: Scope, names: list[str]) -> None:
    if not names:
        return
    # First what is to be enabled again: a sleep that is cut short here loses nothing.
    resources.remember(scope, [*resources.remembered(scope), *names])
    for name in names:
        resources.set_schedule(scope, name, enabled=False)


def _stop(servers: list[str], databases: list[str]) -> None:
    if servers:
        with aws.refusals("EC2 instances"):
            aws.client("ec2").stop_instances(InstanceIds=servers)
    for name in databases:
        with aws.refusals(f"database {name}"):
            aws.client("rds").stop_db_instance(DBInstanceIdentifier=name)


def _refuse_unfinished(databases: list[Machine]) -> None:
    for database in databases:
        if database.state not in {"available", "stopping", "stopped"}:
            hint = "run this again when it is available"
            raise TaskError(f"is {database.state} and cannot be stopped now", where=database.name, hint=hint)
