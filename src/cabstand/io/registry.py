"""The MLflow model registry: versions and aliases. The pointer decides what serves, and the aliases follow it."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cabstand.errors import RegistryError
from cabstand.io import tracking
from cabstand.modelling.pointer import Pointer
from cabstand.settings import Settings

BUNDLE = "bundle"  # the tag that names a registered version's bundle
KEY = "run.key"
ALIASES = ("champion", "challenger", "previous")
_log = logging.getLogger(__name__)


def register(settings: Settings, problem: str, version: str, run_id: str, tags: Mapping[str, Any] | None = None) -> str:
    """Return the registry's number of a bundle's version, registered with `tags` if it is not yet."""
    if (number := _numbers(settings, problem).get(version)) is not None:
        return number
    marked = {BUNDLE: version} | {name: str(value) for name, value in (tags or {}).items()}
    store = tracking.client(settings)
    with tracking.errors(settings):
        _ensure_model(store, problem)
        source = f"{store.get_run(run_id).info.artifact_uri}/model"
        created = store.create_model_version(problem, source, run_id=run_id, tags=marked)
    return str(created.version)


def aliases(settings: Settings, problem: str) -> dict[str, str]:
    """Return the bundle version of each alias in the registry."""
    by_number = {number: version for version, number in _numbers(settings, problem).items()}
    if not by_number:
        return {}
    store = tracking.client(settings)
    with tracking.errors(settings):
        found = store.get_registered_model(problem).aliases
    return {alias: by_number.get(str(number), "?") for alias, number in found.items() if alias in ALIASES}


def set_aliases(settings: Settings, pointer: Pointer) -> None:
    """Make the aliases match the pointer.

    A version that the registry does not know gets no alias: it was trained without tracking.
    """
    known = _numbers(settings, pointer.problem)
    wanted = {alias: getattr(pointer, alias) for alias in ALIASES}
    wanted = {alias: version for alias, version in wanted.items() if version in known}
    found = aliases(settings, pointer.problem)
    if wanted == found:
        return
    store = tracking.client(settings)
    with tracking.errors(settings):
        for alias in set(found) - set(wanted):
            store.delete_registered_model_alias(pointer.problem, alias)
        for alias, version in wanted.items():
            if found.get(alias) != version:
                store.set_registered_model_alias(pointer.problem, alias, known[version])
    _log.info("aliases of %s set to those of the pointer: %s", pointer.problem, wanted)


def try_set_aliases(settings: Settings, pointer: Pointer | None) -> str:
    """Make the aliases match a pointer that is written already, and return `in step`, or `behind` if MLflow fails."""
    try:
        if pointer is not None:
            set_aliases(settings, pointer)
    except RegistryError as error:
        _log.warning("the aliases differ from the pointer; the next command corrects them: %s", error)
        return "behind"
    return "in step"


def close_stale(settings: Settings, key: str) -> None:
    """End the runs under `key` that a killed process left open."""
    experiment = tracking.experiment_id(settings)
    store = tracking.client(settings)
    with tracking.errors(settings):
        for run in store.search_runs([experiment], f"tags.`{KEY}` = '{key}' and attributes.status = 'RUNNING'"):
            store.set_terminated(run.info.run_id, "KILLED")


def save_onnx(folder: Path, model: bytes, example: Any, outputs: Mapping[str, Any]) -> None:
    """Write an ONNX file as an MLflow model, with signature, input example and requirements, to a new folder.

    `example` are rows of features, float32 (n, k), and `outputs` the model's answers to them.
    """
    tracking.set_defaults()
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


def _numbers(settings: Settings, problem: str) -> dict[str, str]:
    """Return the registry's number of each bundle version; of one registered twice, the later number."""
    store = tracking.client(settings)
    with tracking.errors(settings):
        found = store.search_model_versions(f"name='{problem}'", max_results=1_000)
    tagged = sorted((int(one.version), one.tags[BUNDLE]) for one in found if BUNDLE in one.tags)
    return {version: str(number) for number, version in tagged}


def _ensure_model(store: Any, name: str) -> None:
    from mlflow.exceptions import MlflowException

    try:
        store.create_registered_model(name)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
