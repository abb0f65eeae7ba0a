"""Models: list versions, inspect one, answer a row from one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cabstand.errors import DataError
from cabstand.io import bundles, pointer
from cabstand.jobs.promote import heal
from cabstand.modelling import bundle, catalog
from cabstand.modelling.fields import columns_of
from cabstand.modelling.predictor import Predictor
from cabstand.settings import Settings


def list_all(settings: Settings, problem: str = "", *, track: bool = True) -> dict[str, Any]:
    """Return the versions of one problem, or of all that have any; a damaged bundle or pointer is listed as such."""
    names = [catalog.find(problem).name] if problem else catalog.names()
    found = {}
    for name in names:
        known = bundles.versions(settings.artifacts_uri, name)
        if not known:
            continue
        current, fault = None, {}
        try:
            current, _ = pointer.read(settings.artifacts_uri, name)
        except DataError as error:
            fault = {"fault": str(error)}
        aliases = heal(settings, name) if track and not fault else "not asked"
        rows = [_row(settings, name, version, current) for version in known]
        found[name] = {"versions": rows, **pointer.state(current), "aliases": aliases, **fault}
    return {"problems": found}


def _row(settings: Settings, problem: str, version: str, current: Any) -> dict[str, Any]:
    roles = [role for role in ("champion", "challenger", "previous") if getattr(current, role, None) == version]
    row: dict[str, Any] = {"version": version, "role": ", ".join(roles)}
    try:
        manifest = bundles.read_manifest(settings.artifacts_uri, problem, version)
    except DataError as error:
        return row | {"fault": str(error)}
    if manifest is None:
        return row | {"fault": "no manifest"}
    return row | {"candidate": manifest.candidate, "created": manifest.created, "metrics": dict(manifest.metrics)}


def inspect(settings: Settings, problem: str, version: str = "") -> dict[str, Any]:
    """Return all that is known of a version (by default the champion), its files checked.

    Raises
    ------
    ConfigError
        If there is no such version.
    DataError
        If its bundle is damaged.
    """
    manifest = _chosen(settings, catalog.find(problem).name, version)
    bundles.read_files(settings.artifacts_uri, manifest, manifest.files)
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


def predict(settings: Settings, problem: str, rows: list[Mapping[str, Any]], version: str = "") -> dict[str, Any]:
    """Return a version's answers to rows (by default the champion's), as the service would give them.

    Raises
    ------
    DataError
        If a row is not a valid request.
    """
    found = catalog.find(problem)
    manifest = _chosen(settings, found.name, version)
    names = [name for name in (bundle.MODEL, bundle.ASSETS) if name in manifest.files]
    predictor = Predictor(found, manifest, bundles.read_files(settings.artifacts_uri, manifest, names))
    answer = predictor.predict(columns_of(manifest.fields, rows))
    answers: list[dict[str, Any]]
    if "label" in answer:
        answers = [
            {"label": found.target.classes[int(label)], "probability": [float(one) for one in probability]}
            for label, probability in zip(answer["label"], answer["probability"], strict=True)
        ]
    else:
        answers = [{name: float(answer[name][row]) for name in answer} for row in range(len(rows))]
    return {"problem": found.name, "version": manifest.version, "unit": found.target.unit, "answers": answers}


def _chosen(settings: Settings, problem: str, version: str) -> bundle.Manifest:
    if version:
        chosen = bundles.resolve(settings.artifacts_uri, problem, version)
    else:
        current, _ = pointer.read(settings.artifacts_uri, problem)
        if current is None:
            raise DataError("no champion yet", where=problem, hint="name a --version, or `cabstand promote` one")
        chosen = current.champion
    manifest = bundles.read_manifest(settings.artifacts_uri, problem, chosen)
    if manifest is None:
        raise DataError(f"the pointer names {chosen}, which is not there", where=problem, hint="cabstand rollback")
    return manifest
