"""The MLflow model registry: versions and aliases. The pointer decides what serves, and the aliases follow it."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
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


@dataclass(frozen=True)
class LoggedModel:
    """A model in the tracking store: its id, and the URI of its files."""

    id: str
    uri: str


def register(
    settings: Settings,
    problem: str,
    version: str,
    run_id: str,
    model: LoggedModel | None = None,
    tags: Mapping[str, Any] | None = None,
) -> str:
    """Register a bundle's version with `tags` and a logged model's files, and return its number in the registry.

    Without a `model` it gets the files that the run has in its folder `model`, unless it is registered already.
    """
    if model is None and (number := _numbers(settings, problem).get(version)) is not None:
        return number
    marked = {BUNDLE: version} | {name: str(value) for name, value in (tags or {}).items()}
    store = tracking.client(settings)
    with tracking.errors(settings):
        _ensure_model(store, problem)
        source = model.uri if model else f"{store.get_run(run_id).info.artifact_uri}/model"

    def create() -> Any:
        with tracking.errors(settings):
            return store.create_model_version(
                problem, source, run_id=run_id, tags=marked, model_id=model.id if model else None
            )

    return str(tracking.retried(create).version)


def usable_number(settings: Settings, problem: str, version: str) -> str | None:
    """Return the registry's number of a bundle's version; None if it has none, or one whose files are gone.

    `mlflow gc` removes the files of deleted runs and models, and leaves READY what is registered of them.
    """
    number = _numbers(settings, problem).get(version)
    if number is None:
        return None
    store = tracking.client(settings)
    with tracking.errors(settings):
        import mlflow.artifacts

        source = store.get_model_version(problem, number).source
        return number if mlflow.artifacts.list_artifacts(source, tracking_uri=settings.tracking_uri) else None


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


def log_onnx(
    settings: Settings,
    run_id: str,
    name: str,
    model: bytes,
    example: Any,
    outputs: Mapping[str, Any],
    metrics: Mapping[str, float],
    params: Mapping[str, str],
) -> LoggedModel:
    """Log an ONNX file as an MLflow model that outlives its run, with signature, input example and requirements.

    `example` are rows of features, float32 (n, k), and `outputs` the model's answers to them.
    """
    from mlflow.entities import LoggedModelOutput

    experiment, store = tracking.experiment_id(settings), tracking.client(settings)
    with tracking.errors(settings):
        made = store.create_logged_model(experiment, name, run_id, params=dict(params), model_type="onnx")
        status = "FAILED"
        try:
            with tempfile.TemporaryDirectory(prefix="cabstand-") as scratch:
                folder = Path(scratch) / "model"
                _save_onnx(folder, made, model, example, outputs)
                store.log_model_artifacts(made.model_id, str(folder))
            status = "READY"
        finally:
            store.finalize_logged_model(made.model_id, status)
    with suppress(RegistryError), tracking.errors(settings):  # the run may have been deleted since
        store.log_outputs(run_id, [LoggedModelOutput(made.model_id, step=0)])
        tracking.Run(run_id, settings, store).metrics(metrics, made.model_id)
    return LoggedModel(made.model_id, made.artifact_location)


def _save_onnx(folder: Path, made: Any, model: bytes, example: Any, outputs: Mapping[str, Any]) -> None:
    import mlflow.onnx
    import onnx
    from mlflow.models import Model, infer_signature

    mlflow.onnx.save_model(
        onnx.load_from_string(model),
        str(folder),
        signature=infer_signature({"features": example}, dict(outputs)),
        pip_requirements=["onnx", "onnxruntime", "numpy"],
        input_example={"features": example[:1]},
        mlflow_model=Model(
            artifact_path=made.artifact_location,
            model_uuid=made.model_id,
            model_id=made.model_id,
            run_id=made.source_run_id,
        ),
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
