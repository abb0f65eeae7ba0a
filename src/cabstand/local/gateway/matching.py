"""Which API, stage and route serve a request."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from cabstand.local.gateway.definition import Api, Route, Stage


def choose_api(apis: Mapping[str, Api], host: str) -> Api | None:
    """Return the API whose id starts the host name (`ID.localhost`), or the only one."""
    named = apis.get(host.partition(".")[0])
    return named or (next(iter(apis.values())) if len(apis) == 1 else None)


def choose_stage(api: Api, path: str) -> tuple[Stage, str] | None:
    """Return the stage that the path's first part names, or `$default`, and the rest of the path."""
    first, _, rest = path.lstrip("/").partition("/")
    if first in api.stages:
        return api.stages[first], f"/{rest}"
    return (api.stages["$default"], path) if "$default" in api.stages else None


def choose_route(routes: Sequence[Route], method: str, path: str) -> tuple[Route, dict[str, str]] | None:
    """Return the most specific route and its path parameters.

    A literal part is more specific than a parameter, that more than a greedy one; a method more than ANY; `$default`
    takes what nothing else does.
    """
    parts = path.strip("/").split("/")
    found = [
        (_rank(route), route, parameters)
        for route in routes
        if route.method in {method, "ANY"} and (parameters := _parameters(route.segments, parts)) is not None
    ]
    if found:
        return min(found, key=lambda one: one[0])[1:]
    return next(((route, {}) for route in routes if route.key == "$default"), None)


def _rank(route: Route) -> tuple[list[int], bool]:
    kinds = [2 if one.endswith("+}") else 1 if one.startswith("{") else 0 for one in route.segments]
    return kinds, route.method == "ANY"


def _parameters(segments: list[str], parts: list[str]) -> dict[str, str] | None:
    found: dict[str, str] = {}
    for i, segment in enumerate(segments):
        if segment.endswith("+}") and i < len(parts) and parts[i]:
            return found | {segment[1:-2]: "/".join(parts[i:])}
        if i >= len(parts):
            return None
        if segment.startswith("{") and parts[i]:
            found[segment.strip("{}")] = parts[i]
        elif segment != parts[i]:
            return None
    return found if len(segments) == len(parts) else None
