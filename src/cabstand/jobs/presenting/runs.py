"""The runs of the pipeline and of workflows in the lake, and the jobs in MLflow."""

from __future__ import annotations

import logging
from typing import Any

from cabstand.errors import RegistryError
from cabstand.io import mlflow_runs, runs
from cabstand.jobs.runs import summary
from cabstand.settings import Settings

MOST = 24
_log = logging.getLogger(__name__)


def newest(lake: str) -> list[dict[str, Any]]:
    """Return the newest runs: their summaries, what their pages show, and the names of these pages."""
    every = runs.listed(lake)
    return [
        summary(one) | runs.beside(one, every) | {"manifest": one.manifest, "page": f"run-{one.key}.html"}
        for one in every[:MOST]
    ]


def tracked(settings: Settings) -> list[dict[str, Any]]:
    """Return the newest runs in MLflow; none, and a warning, if it does not answer."""
    try:
        return mlflow_runs.newest(settings)
    except RegistryError as error:
        _log.warning("the page has no MLflow runs: %s", error)
        return []
