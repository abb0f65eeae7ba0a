"""Load settings and print results: what every command does first and last."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import typer

from cabstand import log, settings


def load_settings(**overrides: Any) -> settings.Settings:
    """Return the settings in force and configure logging; an override of `None` counts as not given."""
    effective = settings.load(**overrides)
    log.configure(effective.log_level, json_lines=effective.log_json)
    return effective


def emit(result: Mapping[str, Any]) -> None:
    """Print a job's result as one JSON object, the last line on stdout."""
    typer.echo(json.dumps(result, default=str, allow_nan=False))
