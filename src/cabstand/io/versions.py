"""Versions and aliases in the MLflow registry; the pointer is the truth, and aliases follow it."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cabstand.io import registry
from cabstand.modelling.pointer import Pointer
from cabstand.settings import Settings

BUNDLE = "bundle"  # the tag that names a registry version's bundle
KEY = "run.key"
ALIASES = ("champion", "challenger", "previous")
_log = logging.getLogger(__name__)


def register(settings: Settings, problem: str, version: str, run_id: str) -> str:
    """Return the registry's number of a bundle's version, made when it has none.

    Raises
    ------
    RegistryError
        If MLflow does not answer or refuses.
    """
    if (number := numbers(settings, problem).get(version)) is not None:
        return number
    store = registry.client(settings)
    with registry.errors(settings):
        ensure_model(settings, problem)
        source = f"{store.get_run(run_id).info.artifact_uri}/model"
        made = store.create_model_version(problem, source, run_id=run_id, tags={BUNDLE: version})
    return str(made.version)


def numbers(settings: Settings, problem: str) -> dict[str, str]:
    """Return the registry's number by bundle version."""
    store = registry.client(settings)
    with registry.errors(settings):
        found = store.search_model_versions(f"name='{problem}'", max_results=1_000)
    return {one.tags[BUNDLE]: str(one.version) for one in sorted(found, key=_age) if BUNDLE in one.tags}


def aliases(settings: Settings, problem: str) -> dict[str, str]:
    """Return the bundle version by alias, as the registry has it."""
    by_number = {number: version for version, number in numbers(settings, problem).items()}
    if not by_number:
        return {}
    store = registry.client(settings)
    with registry.errors(settings):
        told = store.get_registered_model(problem).aliases
    return {alias: by_number.get(str(number), "?") for alias, number in told.items() if alias in ALIASES}


def follow(settings: Settings, pointer: Pointer) -> bool:
    """Make the aliases say what the pointer says, and return whether any had to change.

    A version that the registry does not know gets no alias: it was made without tracking.
    """
    known = numbers(settings, pointer.problem)
    wanted = {alias: getattr(pointer, alias) for alias in ALIASES}
    wanted = {alias: version for alias, version in wanted.items() if version in known}
    found = aliases(settings, pointer.problem)
    if wanted == found:
        return False
    store = registry.client(settings)
    with registry.errors(settings):
        for alias in set(found) - set(wanted):
            store.delete_registered_model_alias(pointer.problem, alias)
        for alias, version in wanted.items():
            if found.get(alias) != version:
                store.set_registered_model_alias(pointer.problem, alias, known[version])
    _log.info("aliases of %s follow the pointer: %s", pointer.problem, wanted)
    return True


def close_stale(settings: Settings, key: str) -> None:
    """End the runs that a killed process left open under `key`."""
    experiment = registry.experiment_id(settings)
    store = registry.client(settings)
    with registry.errors(settings):
        for run in store.search_runs([experiment], f"tags.`{KEY}` = '{key}' and attributes.status = 'RUNNING'"):
            store.set_terminated(run.info.run_id, "KILLED")


def _age(version: Any) -> int:
    return int(version.version)


def ensure_model(settings: Settings, name: str) -> None:
    """Make the registered model `name` if there is none."""
    from mlflow.exceptions import MlflowException

    try:
        registry.client(settings).create_registered_model(name)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise


def save_onnx(folder: Path, model: bytes, example: Any, outputs: Mapping[str, Any]) -> None:
    """Write an ONNX file as an MLflow model: with signature, input example and requirements.

    Parameters
    ----------
    folder : Path
        Where; it must not exist.
    model : bytes
        The file.
    example : float32 array (n, k)
        Rows of features.
    outputs : mapping of str to array
        What the model answers to them.
    """
    registry.set_defaults()
    import mlflow.onnx
    import onnx
    from mlflow.models import infer_signature

    signature = infer_signature({"features": example}, dict(outputs))
    mlflow.onnx.save_model(
        onnx.load_from_string(model),
        str(folder),
        signature=signature,
        pip_requirements=["onnx", "onnxruntime", "numpy"],
        input_example={"features": example[:1]},
    )
