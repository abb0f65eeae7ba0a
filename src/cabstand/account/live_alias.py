"""The alias `live` of the service's function, through which all requests come: the versions that share them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cabstand.errors import ConfigError
from cabstand.io.aws import call, client, refusals

NAME = "live"


@dataclass(frozen=True)
class Live:
    """What the alias says; `revision` changes with each update, and an update of an older one is refused."""

    version: str
    shares: Mapping[str, float] = field(default_factory=dict)  # of other versions; the rest is `version`'s
    revision: str = ""


def read(function: str) -> Live:
    """Return what the alias says; ConfigError without one."""
    found = call("lambda", "get_alias", missing_ok=True, FunctionName=function, Name=NAME)
    if not found:
        raise ConfigError("there is no such function", where=f"{function}:{NAME}", hint="make deploy, then run this")
    return _live(found)


def shift(function: str, before: Live, version: str, shares: Mapping[str, float] | None = None) -> Live:
    """Send the requests to `version` and, by their shares, to others, unless somebody else changed the alias."""
    routing = {"AdditionalVersionWeights": dict(shares or {})}
    return _live(
        call(
            "lambda", "update_alias", FunctionName=function, Name=NAME, FunctionVersion=version,
            RoutingConfig=routing, RevisionId=before.revision,
        )
    )  # fmt: skip


def publish(function: str) -> str:
    """Publish the code that was uploaded last as a version, and wait until it can serve; return its number.

    Where that code is published already, as `make deploy` does, Lambda returns its version and makes none.
    """
    sdk = client("lambda")
    with refusals(f"lambda publish_version {function}"):
        sdk.get_waiter("function_updated_v2").wait(FunctionName=function)
        code = sdk.get_function_configuration(FunctionName=function)["CodeSha256"]
        version = str(sdk.publish_version(FunctionName=function, CodeSha256=code)["Version"])
        # SnapStart takes its snapshot now, which takes minutes.
        sdk.get_waiter("published_version_active").wait(FunctionName=function, Qualifier=version)
    return version


def has_version(function: str, version: str) -> bool:
    """Return whether a published version still exists."""
    request = {"FunctionName": function, "Qualifier": version}
    return bool(call("lambda", "get_function_configuration", missing_ok=True, **request))


def _live(found: Mapping[str, Any]) -> Live:
    shares = (found.get("RoutingConfig") or {}).get("AdditionalVersionWeights") or {}
    return Live(str(found["FunctionVersion"]), shares, str(found["RevisionId"]))
