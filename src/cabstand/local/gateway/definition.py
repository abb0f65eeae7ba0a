"""The HTTP APIs as the emulator holds them: routes, integrations, stages, permissions to invoke."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from cabstand.local.gateway.permission import permits

Clients = Callable[[str], Any]
TIMEOUT_S = 30.0


@dataclass(frozen=True)
class Integration:
    """A route's Lambda function behind its qualifier."""

    arn: str
    timeout_s: float = TIMEOUT_S
    by_role: bool = False  # invoked with a role instead of the function's policy

    @property
    def function(self) -> str:
        """The function's name."""
        return self.arn.split(":")[6]

    @property
    def qualifier(self) -> str:
        """The alias or version."""
        return [*self.arn.split(":"), "$LATEST"][7]


@dataclass(frozen=True)
class Route:
    """One route; `method` is ANY, or empty for `$default`."""

    key: str
    integration: Integration | None
    authorizer: Mapping[str, Any] | None = None

    @property
    def method(self) -> str:
        """The HTTP method."""
        return self.key.partition(" ")[0] if " " in self.key else ""

    @property
    def segments(self) -> list[str]:
        """The parts of the path."""
        return self.key.partition(" ")[2].strip("/").split("/")

    @property
    def resource(self) -> str:
        """The route in an ARN of execute-api."""
        return self.method + self.key.partition(" ")[2] if self.method else self.key


@dataclass(frozen=True)
class Stage:
    """One stage with its throttles and its access log."""

    name: str
    throttle: Mapping[str, Any] = field(default_factory=dict)
    route_throttles: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    variables: Mapping[str, str] = field(default_factory=dict)
    log_group: str = ""
    log_format: str = ""


@dataclass(frozen=True)
class Api:
    """One HTTP API; `permitted` are the stages and keys of the routes that may invoke their function."""

    id: str
    region: str
    account: str
    routes: Sequence[Route]
    stages: Mapping[str, Stage]
    cors: Mapping[str, Any] | None
    permitted: frozenset[tuple[str, str]]


def read(client: Clients) -> dict[str, Api]:
    """Read every HTTP API of the account."""
    gateway = client("apigatewayv2")
    found = [one for one in gateway.get_apis()["Items"] if one["ProtocolType"] == "HTTP"]
    return {one["ApiId"]: _api(client, one) for one in found}


def _api(client: Clients, given: Mapping[str, Any]) -> Api:
    gateway, api_id = client("apigatewayv2"), given["ApiId"]
    integrations = {one["IntegrationId"]: _integration(one) for one in gateway.get_integrations(ApiId=api_id)["Items"]}
    given_routes = gateway.get_routes(ApiId=api_id)["Items"]
    # One by one: the emulator does not list them.
    authorizers = {
        one: gateway.get_authorizer(ApiId=api_id, AuthorizerId=one)
        for one in {route.get("AuthorizerId") for route in given_routes} - {None}
    }
    routes = [_route(one, integrations, authorizers) for one in given_routes]
    stages = {one["StageName"]: _stage(one) for one in gateway.get_stages(ApiId=api_id)["Items"]}
    account = next((one.arn.split(":")[4] for one in integrations.values() if one), "")
    region = gateway.meta.region_name
    api_arn = f"arn:aws:execute-api:{region}:{account}:{api_id}"
    return Api(
        api_id,
        region,
        account,
        routes,
        stages,
        given.get("CorsConfiguration"),
        _permitted(client, api_arn, routes, stages),
    )


def _integration(given: Mapping[str, Any]) -> Integration | None:
    """Return a Lambda integration; others are not served here."""
    if given.get("IntegrationType") != "AWS_PROXY" or given.get("PayloadFormatVersion") != "2.0":
        return None
    arn = given["IntegrationUri"].partition("/functions/")[2].removesuffix("/invocations") or given["IntegrationUri"]
    timeout_s = (given.get("TimeoutInMillis") or TIMEOUT_S * 1000) / 1000
    return Integration(arn, timeout_s, bool(given.get("CredentialsArn")))


def _route(
    given: Mapping[str, Any], integrations: Mapping[str, Integration | None], authorizers: Mapping[str, Any]
) -> Route:
    authorizer = None
    if given.get("AuthorizationType", "NONE") != "NONE":
        authorizer = authorizers.get(given.get("AuthorizerId", ""), {}) | {
            "Scopes": given.get("AuthorizationScopes") or [],
            "AuthorizationType": given["AuthorizationType"],
        }
    target = (given.get("Target") or "").removeprefix("integrations/")
    return Route(given["RouteKey"], integrations.get(target), authorizer)


def _stage(given: Mapping[str, Any]) -> Stage:
    logs = given.get("AccessLogSettings") or {}
    group = logs.get("DestinationArn", "").partition(":log-group:")[2].removesuffix(":*")
    return Stage(
        given["StageName"], given.get("DefaultRouteSettings") or {}, given.get("RouteSettings") or {},
        given.get("StageVariables") or {}, group, logs.get("Format", ""),
    )  # fmt: skip


def _permitted(
    client: Clients, api_arn: str, routes: Sequence[Route], stages: Mapping[str, Stage]
) -> frozenset[tuple[str, str]]:
    policies = {
        one.integration.function: _statements(client("lambda"), one.integration.function)
        for one in routes
        if one.integration
    }
    return frozenset(
        (stage, route.key)
        for stage in stages
        for route in routes
        if route.integration
        and (
            route.integration.by_role
            or permits(
                policies[route.integration.function], route.integration.arn, f"{api_arn}/{stage}/{route.resource}"
            )
        )
    )


def _statements(client: Any, function: str) -> list[Mapping[str, Any]]:
    """Return the statements of a function's policy, for all its qualifiers: the emulator keeps them together."""
    try:
        policy = client.get_policy(FunctionName=function)["Policy"]
    except client.exceptions.ResourceNotFoundException:
        return []
    statements: list[Mapping[str, Any]] = json.loads(policy)["Statement"]
    return statements
