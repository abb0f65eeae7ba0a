"""Inspect a version: its request, metrics, importance, size and lineage."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from cabstand.io import bundles
from cabstand.settings import Settings


@dataclass(frozen=True)
class Params:
    """What to inspect; `version` is a version or the beginning of it, by default the champion."""

    problem: str
    version: str = ""


def run(settings: Settings, params: Params) -> dict[str, Any]:
    """Return everything that is known of a version, after a check of its files."""
    artifacts = settings.artifacts_uri
    manifest = bundles.select(artifacts, bundles.name_of(artifacts, params.problem), params.version)
    bundles.read_files(artifacts, manifest, manifest.files)
    training = dict(manifest.training)
    shown = (
        "problem",
        "version",
        "task",
        "candidate",
        "outputs",
        "target",
        "metrics",
        "interval",
        "tolerance",
        "synthetic",
    )
    lineage = ("run_id", "created", "data", "libraries", "feature_version")
    return {name: getattr(manifest, name) for name in shown} | {
        "fields": [one.to_json() for one in manifest.fields],
        "features": manifest.feature_names,
        "importance": training.pop("importance", {}),
        "size_bytes": {name: one.size for name, one in manifest.files.items()},
        "lineage": {name: getattr(manifest, name) for name in lineage},
        "training": training,
    }
