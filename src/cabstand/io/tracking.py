"""MLflow runs with their parameters, metrics and files. Only this module and `registry` import mlflow.

The store is SQLite under `Settings.home` by default, or the server that `MLFLOW_TRACKING_URI` names.
"""

from __future__ import annotations

import fcntl
import logging
import math
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from cabstand.errors import RegistryError
from cabstand.io import provenance
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


@dataclass(frozen=True)
class Source:
    """A data source: its URI, and the SHA-256 of what was read."""

    uri: str
    sha256: str


@dataclass(frozen=True)
class Run:
    """An open run; with `id` None (not tracked) every call does nothing."""

    id: str | None = None
    settings: Settings | None = None
    _client: Any = field(default=None, repr=False)

    def metrics(self, values: Mapping[str, Any]) -> None:
        """Log each finite number among `values`."""
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        self._do("log_batch", metrics=[Metric(k, float(v), now, 0) for k, v in values.items() if _is_finite(v)])

    def tags(self, values: Mapping[str, Any]) -> None:
        """Set tags."""
        from mlflow.entities import RunTag

        self._do("log_batch", tags=[RunTag(k, str(v)) for k, v in values.items() if v is not None])

    def artifact(self, path: Path, folder: str | None = None) -> None:
        """Upload a file."""
        self._do("log_artifact", str(path), folder)

    def table(self, name: str, value: Any) -> None:
        """Upload a JSON-able value under `name` (ending in .json)."""
        self._do("log_dict", value, name)

    def source(self, source: Source) -> None:
        """Log a data source with its hash."""
        from mlflow.entities import Dataset, DatasetInput, InputTag

        name = source.uri.rstrip("/").rsplit("/", 1)[-1][:500] or "data"
        # MLflow keeps 36 characters of a digest; the tags hold the complete hash.
        dataset = Dataset(name, source.sha256[:32], "uri", source.uri)
        self._do("log_inputs", datasets=[DatasetInput(dataset, [InputTag("mlflow.data.context", "input")])])
        self.tags({"data.uri": source.uri, "data.sha256": source.sha256})

    def end(self, status: str) -> None:
        """End the run with an MLflow status."""
        self._do("set_terminated", status)

    def _do(self, what: str, *args: Any, **kwargs: Any) -> None:
        if self.id is not None and self.settings is not None:
            with errors(self.settings):
                getattr(self._client, what)(self.id, *args, **kwargs)


@contextmanager
def run(
    settings: Settings,
    name: str,
    params: Mapping[str, Any],
    *,
    source: Source | None = None,
    parent: Run | None = None,
    enabled: bool = True,
) -> Iterator[Run]:
    """Open a run for as long as the block lasts; it ends FINISHED, FAILED or (Ctrl-C) KILLED.

    It logs nothing if it is not `enabled`. If MLflow does not answer or refuses, the block does not begin.
    """
    if not enabled or (parent is not None and parent.id is None):
        yield Run()
        return
    opened = _start(settings, name, params, parent)
    if source:
        opened.source(source)
    try:
        yield opened
    except BaseException as error:
        with suppress(RegistryError):  # the user must see the first error
            opened.end("KILLED" if isinstance(error, KeyboardInterrupt) else "FAILED")
        raise
    opened.end("FINISHED")


def client(settings: Settings) -> Any:
    """Return the `mlflow.MlflowClient` of the configured store."""
    if not settings.tracking_uri.startswith("sqlite:"):
        with errors(settings):
            return _client(settings.tracking_uri)
    settings.home.mkdir(parents=True, exist_ok=True)
    # Two first runs at once would both create the tables.
    with (settings.home / ".mlflow.lock").open("w") as lock, errors(settings):
        fcntl.flock(lock, fcntl.LOCK_EX)
        return _client(settings.tracking_uri)


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


def _masked(uri: str) -> str:
    """Return `uri` with its password masked."""
    password = urlsplit(uri).password
    return uri.replace(f":{password}@", ":********@") if password else uri


def experiment_id(settings: Settings) -> str:
    """Return the id of the configured experiment, created if absent."""
    from mlflow.exceptions import MlflowException

    store, name = client(settings), settings.mlflow_experiment
    local = settings.tracking_uri.startswith("sqlite:")
    artifacts = (settings.home / "mlartifacts").resolve().as_uri() if local else None  # a server has its own
    with errors(settings):
        if found := store.get_experiment_by_name(name):
            return str(found.experiment_id)
        try:
            return str(store.create_experiment(name, artifacts))
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise
            return str(store.get_experiment_by_name(name).experiment_id)  # another process was first


def _start(settings: Settings, name: str, params: Mapping[str, Any], parent: Run | None) -> Run:
    experiment = experiment_id(settings)
    tags = {
        "code.version": provenance.code_version(),
        "mlflow.source.git.commit": provenance.git_commit(),
        "mlflow.source.name": "cabstand",
        "mlflow.parentRunId": parent.id if parent else None,
    }
    store = client(settings)
    with errors(settings):
        from mlflow.entities import Param

        created = store.create_run(experiment, run_name=name, tags={k: v for k, v in tags.items() if v is not None})
        store.log_batch(created.info.run_id, params=[Param(k, str(v)) for k, v in params.items()])
    return Run(str(created.info.run_id), settings, store)


def set_defaults() -> None:
    """Set the environment that MLflow reads when it is imported, except what the user has set."""
    for name, value in _DEFAULTS.items():
        os.environ.setdefault(name, value)
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


def _is_finite(value: object) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)
