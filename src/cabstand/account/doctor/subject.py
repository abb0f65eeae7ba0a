"""The environment that is checked, and what several checks ask of it, once."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from cabstand.account import schedules
from cabstand.account.deployment import Deployment
from cabstand.account.service_check import domain_address
from cabstand.errors import TaskError
from cabstand.io.aws import call, items


@dataclass(frozen=True)
class Subject:
    """An environment in AWS or on this machine."""

    deployment: Deployment
    endpoint: str = ""  # of the service; empty: ask API Gateway
    mlflow: str = ""  # address at which this machine reaches MLflow; empty: it does not
    on_laptop: bool = False  # an emulator: it has no quotas, and needs no image
    answers: bool = True  # False for an emulator that does not run

    @cached_property
    def account(self) -> str:
        """The account's number."""
        return str(call("sts", "get_caller_identity")["Account"])

    @cached_property
    def function(self) -> dict[str, Any]:
        """The live function's configuration; a TaskError if there is none."""
        name = self.deployment.function
        found = call("lambda", "get_function_configuration", missing_ok=True, FunctionName=name, Qualifier="live")
        if not found:
            raise TaskError("does not exist", where=f"{name}, alias live", hint="make deploy creates it")
        return dict(found)

    def variable(self, name: str) -> str:
        """Return a variable of the function's environment; a TaskError if it is not set."""
        value = self.function.get("Environment", {}).get("Variables", {}).get(name, "")
        if not value:
            raise TaskError(f"{name} is not set", where=self.deployment.function, hint="make deploy sets it")
        return str(value)

    @cached_property
    def api(self) -> dict[str, Any]:
        """The HTTP API; a TaskError if there is none."""
        for one in items("apigatewayv2", "get_apis", "Items[]"):
            if one["Name"] == self.deployment.function:
                return dict(one)
        raise TaskError("no such HTTP API", where=self.deployment.function, hint="make deploy creates it")

    @cached_property
    def address(self) -> str:
        """The service's address, without a slash at its end."""
        if self.endpoint:
            return self.endpoint.rstrip("/")
        domain = domain_address(self.api["ApiId"]) if self.api.get("DisableExecuteApiEndpoint") else ""
        return (domain or str(self.api["ApiEndpoint"])).rstrip("/")

    @cached_property
    def definitions(self) -> list[dict[str, Any]]:
        """The newest task definition of each family."""
        prefix = f"{self.deployment.name}-"
        families = items("ecs", "list_task_definition_families", "families[]", familyPrefix=prefix, status="ACTIVE")
        return [call("ecs", "describe_task_definition", taskDefinition=name)["taskDefinition"] for name in families]

    @cached_property
    def schedules(self) -> dict[str, bool]:
        """Whether each schedule is enabled."""
        return schedules.states(self.deployment)

    @property
    def is_asleep(self) -> bool:
        """Whether `cabstand sleep` put the environment to sleep."""
        return self.schedules.get(self.deployment.stay_asleep_schedule, False)
