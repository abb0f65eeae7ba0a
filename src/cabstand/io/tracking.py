"""MLflow runs with their parameters, metrics, inputs and files, each of which ends with the process that began it."""

from __future__ import annotations

import hashlib
import math
import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cabstand import log, trace
from cabstand.errors import RegistryError
from cabstand.io import provenance, run_owner
from cabstand.io.mlflow_store import client, errors, experiment_id, is_local, set_defaults
from cabstand.io.signals import exit_on_termination
from cabstand.settings import Settings

__all__ = ["Run", "Source", "client", "end_dead_runs", "errors", "experiment_id", "retried", "run", "set_defaults"]

# What databases and MLflow say to one of several writers who insert the same row at once.
_RACES = ("unique constraint", "duplicate entry", "giving up after", "database is locked")
_ATTEMPTS = 8


@dataclass(frozen=True)
class Source:
    """A data source: its URI, the SHA-256 of what was read, and what it was used for.

    MLflow drops a second use of one data set in a run, so each use but `input` is part of the data set's name.
    """

    uri: str
    sha256: str
    use: str = "input"

    @property
    def name(self) -> str:
        """The name of the data set in MLflow."""
        name = self.uri.rstrip("/").rsplit("/", 1)[-1] or "data"
        return (name if self.use == "input" else f"{self.use} {name}")[:500]


def joined(sources: Sequence[Source]) -> Source:
    """Return one source for several: their URIs, and the SHA-256 of their hashes."""
    if len(sources) == 1:
        return sources[0]
    hashes = "".join(one.sha256 for one in sources)
    return Source(", ".join(one.uri for one in sources)[:5000], hashlib.sha256(hashes.encode()).hexdigest())


@dataclass(frozen=True)
class Run:
    """An open run; with `id` None (not tracked) every call does nothing."""

    id: str | None = None
    settings: Settings | None = None
    _client: Any = field(default=None, repr=False)

    def params(self, values: Mapping[str, Any]) -> None:
        """Log parameters."""
        if self.id is None:  # the import takes a second
            return
        from mlflow.entities import Param

        self._do("log_batch", params=[Param(name, str(value)) for name, value in values.items()])

    def metrics(self, values: Mapping[str, Any], model_id: str | None = None) -> None:
        """Log each finite number among `values`, of a logged model if its id is given."""
        if self.id is None:
            return
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        numbers = {name: float(value) for name, value in values.items() if _is_finite(value)}
        self._do("log_batch", metrics=[Metric(k, v, now, 0, model_id=model_id) for k, v in numbers.items()])

    def tags(self, values: Mapping[str, Any]) -> None:
        """Set tags."""
        if self.id is None:
            return
        from mlflow.entities import RunTag

        self._do("log_batch", tags=[RunTag(k, str(v)) for k, v in values.items() if v is not None])

    def artifact(self, path: Path, folder: str | None = None) -> None:
        """Upload a file."""
        self._do("log_artifact", str(path), folder)

    def table(self, name: str, value: Any) -> None:
        """Upload a JSON-able value under `name` (ending in .json)."""
        self._do("log_dict", value, name)

    def inputs(self, sources: Sequence[Source]) -> None:
        """Log data sources with their hashes."""
        if self.id is None:
            return
        from mlflow.entities import Dataset, DatasetInput, InputTag

        logged = [
            DatasetInput(
                Dataset(one.name, one.sha256[:32], "uri", one.uri),  # MLflow keeps 36 characters of a digest
                [InputTag("mlflow.data.context", one.use), InputTag("sha256", one.sha256)],
            )
            for one in sources
        ]
        retried(lambda: self._do("log_inputs", datasets=logged))

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
    inputs: Sequence[Source] = (),
    parent: Run | None = None,
    enabled: bool = True,
) -> Iterator[Run]:
    """Open a run for as long as the block lasts; it ends FINISHED, FAILED or (Ctrl-C or SIGTERM) KILLED.

    The run's tags name its `source`; `inputs` are all its data sets, if there are more. It logs nothing if it is not
    `enabled`. If MLflow does not answer or refuses, the block does not begin.
    """
    if not enabled or (parent is not None and parent.id is None):
        yield Run()
        return
    with ExitStack() as stack:
        if parent is None:
            stack.enter_context(exit_on_termination())
        span = stack.enter_context(trace.span(f"mlflow {name}"))
        opened = _start(settings, name, parent, span)
        span.attributes["mlflow.run_id"] = opened.id
        stack.enter_context(log.of_run(opened.id))
        try:
            if parent is None:
                stack.enter_context(run_owner.refreshed(opened.tags))
            opened.params(params)
            if source:
                opened.tags({"data.uri": source.uri, "data.sha256": source.sha256})
                opened.inputs(inputs or [source])
            yield opened
        except BaseException as error:
            with suppress(RegistryError):  # the user must see the first error
                opened.end("FAILED" if isinstance(error, Exception) else "KILLED")
            raise
        opened.end("FINISHED")


def retried(call: Callable[[], Any]) -> Any:
    """Return what `call` returns, called again if it failed because another process wrote the same at that moment."""
    for attempt in range(_ATTEMPTS):
        try:
            return call()
        except RegistryError as error:
            if attempt == _ATTEMPTS - 1 or not any(race in str(error).lower() for race in _RACES):
                raise
            time.sleep(random.uniform(0, 0.1 * 2**attempt))  # noqa: S311 (spreads the writers)
    raise AssertionError("unreachable")


def end_dead_runs(settings: Settings) -> None:
    """End the configured experiment's runs whose process is dead, as KILLED."""
    if is_local(settings) and not Path(settings.tracking_uri.partition(":///")[2]).exists():
        return  # not begun yet
    store, now = client(settings), time.time()
    with errors(settings):
        experiment = store.get_experiment_by_name(settings.mlflow_experiment)
        if experiment is None:
            return
        found = store.search_runs([experiment.experiment_id], "attributes.status = 'RUNNING'", max_results=1_000)
    for one in found:
        if run_owner.is_dead(one.data.tags, one.info.start_time / 1000, now):
            with suppress(RegistryError), errors(settings):  # another process may have ended or deleted it
                store.set_terminated(one.info.run_id, "KILLED")


def _start(settings: Settings, name: str, parent: Run | None, span: trace.Span) -> Run:
    experiment = experiment_id(settings)
    if parent is None:
        end_dead_runs(settings)
    tags = {
        "code.version": provenance.code_version(),
        "mlflow.source.git.commit": provenance.git_commit(),
        "mlflow.source.name": "cabstand",
        "mlflow.parentRunId": parent.id if parent else None,
        "trace_id": span.trace_id,
        "span_id": span.span_id,
        **run_owner.tags(),
    }
    store = client(settings)
    with errors(settings):
        created = store.create_run(experiment, run_name=name, tags={k: v for k, v in tags.items() if v is not None})
    return Run(str(created.info.run_id), settings, store)


def _is_finite(value: object) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)
