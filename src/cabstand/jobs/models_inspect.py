"""Inspect a version: its signature, size, coefficients or importance, metrics, lineage and reference figures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from cabstand.io import bundles
from cabstand.jobs import verify
from cabstand.modelling.bundle import Manifest
from cabstand.settings import Settings

COEFFICIENTS = ("intercept", "coefficients", "n_coefficients")  # of a linear model


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
        "signature": _signature(manifest),
        "importance": training.pop("importance", {}),
        "coefficients": {name: training.pop(name) for name in COEFFICIENTS if name in training},
        "size_bytes": {name: one.size for name, one in manifest.files.items()},
        "total_bytes": sum(one.size for one in manifest.files.values()),
        "reference_figures": verify.published(manifest.problem),
        "lineage": {name: getattr(manifest, name) for name in lineage},
        "training": training,
    }


def _signature(manifest: Manifest) -> dict[str, Any]:
    """Return what a request holds, what the model file takes and what it answers."""
    return {
        "request": {one.name: one.kind for one in manifest.fields},
        "model": {"features": ["float32", "n", manifest.n_features]},
        "answer": {name: manifest.target.get("unit", "") for name in manifest.outputs},
    }
