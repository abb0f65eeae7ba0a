"""Load settings and print results: what every command does first and last."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import typer

from cabstand import activity, log, settings
from cabstand.io import tracing

_log = logging.getLogger(__name__)


def load_settings(**overrides: Any) -> settings.Settings:
    """Return the settings in force, configure logs and traces, warn of unknown variables; `None` overrides nothing."""
    effective = settings.load(**overrides)
    log.configure(effective.log_level, json_lines=effective.log_json)
    tracing.start(effective)
    for line in settings.unknown_variables():
        _log.warning(line)
    return effective


def input_of(settings: settings.Settings, uri: str) -> str:
    """Return what `Input` names: for `newest`, the newest month of trips in the lake."""
    from cabstand.jobs.pipelining.newest_input import resolve

    return resolve(settings, uri, datetime.now(UTC).date())


def emit(result: Mapping[str, Any]) -> None:
    """Print a job's result as one JSON object, the last line on stdout."""
    activity.stop()
    typer.echo(json.dumps(result, default=str, allow_nan=False))


def say(text: str) -> None:
    """Print a line for people on stderr."""
    with activity.paused():
        typer.echo(text, err=True)
