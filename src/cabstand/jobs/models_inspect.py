"""Inspect a version: its request, metrics, importance, size and lineage."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from cabstand.io import bundles
from cabstand.modelling import catalog
from cabstand.settings import Settings


@dataclass(frozen=True)
class Params:
    """What to inspect; `version` is a version or the beginning of it, by default the champion."""

    problem: str
    version: str = ""


def run(settings: Settings, params: Params) -> dict[str, Any]:
    """Return everything that is known of a version, after a check of its files.

    Raises
    ------
    ConfigError, DataError
        If there is no such version, or its bundle is damaged.
    """
    artifacts = settings.artifacts_uri
    manifest = bundles.champion_or(artifacts, catalog.find(params.problem).name, params.version)
    bundles.read_files(artifacts, manifest, manifest.files)
    training = dict(manifest.training)
    return {
        "problem": manifest.problem,
        "version": manifest.version,
        "task": manifest.task,
        "candidate": manifest.candidate,
        "fields": [one.to_json() for one in manifest.fields],
        "features": list(manifest.feature_names),
        "outputs": list(manifest.outputs),
        "target": dict(manifest.target),
        "metrics": dict(manifest.metrics),
        "interval": dict(manifest.interval),
        "tolerance": manifest.tolerance,
        "importance": training.pop("importance", {}),
        "size_bytes": {name: one.size for name, one in manifest.files.items()},
        "lineage": {
            "run_id": manifest.run_id,
            "created": manifest.created,
            "data": dict(manifest.data),
            "libraries": dict(manifest.libraries),
            "feature_version": manifest.feature_version,
        },
        "training": training,
    }
