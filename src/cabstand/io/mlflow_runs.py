"""The newest runs of the configured MLflow experiment, for readers."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cabstand.io.mlflow_store import client, errors, is_local
from cabstand.settings import Settings


def newest(settings: Settings, most: int = 40) -> list[dict[str, Any]]:
    """Return id, name, status, start, end (UTC) and metrics of the newest runs that are not part of another.

    A store that is not there yet is not created. Raises a RegistryError if MLflow does not answer.
    """
    if is_local(settings) and not Path(settings.tracking_uri.removeprefix("sqlite:///")).exists():
        return []
    store = client(settings)
    with errors(settings):
        experiment = store.get_experiment_by_name(settings.mlflow_experiment)
        if experiment is None:
            return []
        runs = store.search_runs([experiment.experiment_id], max_results=4 * most, order_by=["start_time DESC"])
    return [_row(run) for run in runs if "mlflow.parentRunId" not in run.data.tags][:most]


def _row(run: Any) -> dict[str, Any]:
    return {
        "id": run.info.run_id,
        "name": run.info.run_name,
        "status": run.info.status.lower(),
        "started": _moment(run.info.start_time),
        "ended": _moment(run.info.end_time),
        "metrics": dict(run.data.metrics),
    }


def _moment(milliseconds: int | None) -> str | None:
    return datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat() if milliseconds else None
