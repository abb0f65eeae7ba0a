"""List the versions of each problem, and which of them serve."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from cabstand.errors import DataError
from cabstand.io import bundles, pointer, registry
from cabstand.modelling import catalog
from cabstand.modelling.pointer import Pointer, state
from cabstand.settings import Settings


@dataclass(frozen=True)
class Params:
    """What to list; without a `problem`, every one that has a version. `track` also corrects the aliases in MLflow."""

    problem: str = ""
    track: bool = True


def run(settings: Settings, params: Params) -> dict[str, Any]:
    """List the versions; a damaged bundle or pointer is listed with its fault."""
    artifacts, found = settings.artifacts_uri, {}
    for name in [catalog.find(params.problem).name] if params.problem else catalog.names():
        if not (versions := bundles.versions(artifacts, name)):
            continue
        current, aliases, fault = None, "not asked", {}
        try:
            current, _ = pointer.read(artifacts, name)
        except DataError as error:
            fault = {"fault": str(error)}
        if params.track and not fault:
            aliases = registry.try_set_aliases(settings, current)
        rows = [_row(artifacts, name, version, current) for version in versions]
        found[name] = {"versions": rows, **state(current), "aliases": aliases, **fault}
    return {"problems": found}


def _row(artifacts: str, problem: str, version: str, current: Pointer | None) -> dict[str, Any]:
    roles = [role for role in registry.ALIASES if getattr(current, role, None) == version]
    row = {"version": version, "role": ", ".join(roles)}
    try:
        manifest = bundles.read_manifest(artifacts, problem, version)
    except DataError as error:
        return row | {"fault": str(error)}
    shown = {"candidate": manifest.candidate, "created": manifest.created, "metrics": dict(manifest.metrics)}
    return row | shown | {"synthetic": manifest.synthetic}
