"""List the versions of each problem, and which of them serve."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any

from cabstand.errors import DataError, RegistryError
from cabstand.io import bundles, pointer, registry, tracking
from cabstand.modelling.pointer import Pointer, state
from cabstand.settings import Settings

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Params:
    """What to list; without a `problem`, every one in the store. `track` also corrects aliases and runs in MLflow."""

    problem: str = ""
    track: bool = True


def run(settings: Settings, params: Params) -> dict[str, Any]:
    """List the versions; a damaged or missing bundle or pointer is listed with its fault."""
    artifacts = settings.artifacts_uri
    if params.track:
        try:
            tracking.end_dead_runs(settings)
        except RegistryError as error:
            _log.warning("MLflow was not asked for runs of dead processes: %s", error)
    names = [bundles.name_of(artifacts, params.problem)] if params.problem else bundles.problems(artifacts)
    found = {name: _problem(settings, name, params.track) for name in names}
    return {
        "problems": {name: one for name, one in found.items() if one["versions"] or one["sequence"] or "fault" in one}
    }


def _problem(settings: Settings, name: str, track: bool) -> dict[str, Any]:
    artifacts = settings.artifacts_uri
    versions = bundles.versions(artifacts, name)
    current, aliases, fault = None, "not asked", {}
    try:
        current, _ = pointer.read(artifacts, name)
    except DataError as error:
        fault = {"fault": str(error)}
    else:
        if current and current.champion not in versions:
            fault = {"fault": f"{name} {current.champion}: the champion's bundle is missing"}
        if track:
            aliases = _aliases(settings, current, name, versions)
    rows = [_row(artifacts, name, version, current) for version in versions]
    return {"versions": rows, **state(current), "aliases": aliases, **fault}


def _aliases(settings: Settings, current: Pointer | None, name: str, versions: list[str]) -> str:
    """Correct the aliases, unless they are those of another store of models, and return how they stand."""
    try:
        foreign = set(registry.aliases(settings, name).values()) - set(versions)
    except RegistryError:
        foreign = set()
    if foreign:
        what = "MLflow's aliases of %s name versions that are not in %s: they stay as they are"
        _log.warning(what, name, settings.artifacts_uri)
        return "of another store"
    return registry.try_set_aliases(settings, current)


def _row(artifacts: str, problem: str, version: str, current: Pointer | None) -> dict[str, Any]:
    roles = [role for role in registry.ALIASES if getattr(current, role, None) == version]
    row = {"version": version, "role": ", ".join(roles)}
    try:
        manifest = bundles.read_manifest(artifacts, problem, version)
    except DataError as error:
        return row | {"fault": str(error)}
    shown = {"candidate": manifest.candidate, "created": manifest.created, "metrics": dict(manifest.metrics)}
    return row | shown | {"synthetic": manifest.synthetic}
