"""The configured MLflow store: its client, its experiment, and its errors as ours.

The store is SQLite under `Settings.home` by default, or the server that `MLFLOW_TRACKING_URI` names.
"""

from __future__ import annotations

import fcntl
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from cabstand.errors import RegistryError
from cabstand.settings import Settings

# MLflow reads these when it is imported or called; the user's own values take precedence.
_DEFAULTS = {
    "MLFLOW_DISABLE_TELEMETRY": "true",  # no request to an address that the user did not name
    "MLFLOW_CONFIGURE_LOGGING": "false",  # the entry point configures logging
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_ALLOW_HTTP_REDIRECTS": "false",
    # MLflow's own defaults retry a server that is down for over four minutes.
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "20",
}
FILES = "mlartifacts"  # the folder in `Settings.home` with the files of a local store


def client(settings: Settings) -> Any:
    """Return the `mlflow.MlflowClient` of the configured store."""
    if not is_local(settings):
        with errors(settings):
            return _client(settings.tracking_uri)
    settings.home.mkdir(parents=True, exist_ok=True)
    # Two first runs at once would both create the tables.
    with (settings.home / ".mlflow.lock").open("w") as lock, errors(settings):
        fcntl.flock(lock, fcntl.LOCK_EX)
        return _client(settings.tracking_uri)


def is_local(settings: Settings) -> bool:
    """Return whether the store is SQLite, and its files are on this machine."""
    return settings.tracking_uri.startswith("sqlite:")


@contextmanager
def errors(settings: Settings) -> Iterator[None]:
    """Turn errors of MLflow and its libraries into a RegistryError of one line, with passwords masked."""
    set_defaults()
    import requests
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    uri = _masked(settings.tracking_uri)
    try:
        yield
    except (MlflowException, SQLAlchemyError, requests.RequestException) as error:
        text = str(error).replace(settings.tracking_uri, uri).strip() or type(error).__name__
        if isinstance(error, requests.RequestException) or "Max retries exceeded" in text:
            raise RegistryError(
                "MLflow does not answer",
                where=uri,
                hint="is the server up? CABSTAND_MLFLOW_TRACKING_URI names it; --no-track runs without it",
            ) from error
        raise RegistryError(f"MLflow refused: {text.splitlines()[0]}", where=uri) from error


def experiment_id(settings: Settings) -> str:
    """Return the id of the configured experiment, created if absent; a RegistryError if it cannot take a run."""
    from mlflow.exceptions import MlflowException

    store, name = client(settings), settings.mlflow_experiment
    artifacts = _files(settings).as_uri() if is_local(settings) else None  # a server has its own
    with errors(settings):
        found = store.get_experiment_by_name(name)
        if found is None:
            try:
                return str(store.create_experiment(name, artifacts))
            except MlflowException as error:
                if error.error_code != "RESOURCE_ALREADY_EXISTS":
                    raise
                found = store.get_experiment_by_name(name)  # another process was first
    _check(settings, found)
    return str(found.experiment_id)


def _check(settings: Settings, experiment: Any) -> None:
    """Raise a RegistryError for an experiment that is deleted, or whose files are not where the home is now."""
    name, number = experiment.name, experiment.experiment_id
    if experiment.lifecycle_stage != "active":
        uri = _masked(settings.tracking_uri)
        raise RegistryError(
            f"MLflow's experiment {name!r} is deleted",
            where=uri,
            hint=f"restore it with `MLFLOW_TRACKING_URI={uri} mlflow experiments restore --experiment-id {number}`, "
            "or name another in CABSTAND_MLFLOW_EXPERIMENT",
        )
    place = urlsplit(experiment.artifact_location)
    if not is_local(settings) or place.scheme not in {"", "file"}:
        return
    folder, ours = Path(unquote(place.path)), _files(settings)
    if folder.name == FILES and folder.resolve() != ours:
        raise RegistryError(
            f"the home has moved: MLflow's experiment {name!r} keeps its files in {folder}",
            where=ours.parent,
            hint=f"move it back to {folder.parent}, or link it with `ln -s {ours.parent} {folder.parent}`, "
            "or begin another experiment with CABSTAND_MLFLOW_EXPERIMENT",
        )


def _files(settings: Settings) -> Path:
    return (settings.home / FILES).resolve()


def _masked(uri: str) -> str:
    """Return `uri` with its password masked."""
    password = urlsplit(uri).password
    return uri.replace(f":{password}@", ":********@") if password else uri


def set_defaults() -> None:
    """Set the environment that MLflow reads when it is imported, except what the user has set."""
    for name, value in _DEFAULTS.items():
        os.environ.setdefault(name, value)
    # Whatever the user has set: on stdout there is only our result.
    os.environ["MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT"] = "true"
    # A fresh store logs a hundred migrations.
    for noisy in ("alembic", "mlflow.store.db.utils"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    # Each retry is logged; `errors` reports the failure of the last one.
    logging.getLogger("urllib3.connectionpool").setLevel(logging.ERROR)


@lru_cache(maxsize=4)
def _client(uri: str) -> Any:
    from mlflow import MlflowClient

    store = MlflowClient(tracking_uri=uri, registry_uri=uri)
    if uri.startswith("sqlite:"):
        store.search_experiments(max_results=1)  # creates the tables now, under the lock
    return store
