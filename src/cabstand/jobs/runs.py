"""List runs, describe one, and write their pages: state, duration, retries, logs, inputs and outputs."""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from cabstand.errors import ConfigError, suggest
from cabstand.io import disk, runs, storage
from cabstand.io.runs import Run
from cabstand.report import run_pages
from cabstand.settings import Settings

INDEX = "index.html"


@dataclass(frozen=True)
class Params:
    """Which runs to list: of a workflow, in a state, since a day (YYYY-MM-DD), the newest `limit` of them."""

    name: str = ""
    state: str = ""
    since: str = ""
    limit: int = 50


def run(settings: Settings, params: Params) -> dict[str, Any]:
    """Return the runs, newest first."""
    return {"runs": [summary(one) for one in _chosen(settings, params)]}


def show(settings: Settings, key: str) -> dict[str, Any]:
    """Return all that is known of a run, by its key or a beginning of it, and how it differs from the one before."""
    found = runs.find(settings.lake_uri, key)
    beside = runs.beside(found, runs.listed(settings.lake_uri, found.name))
    return {
        **summary(found),
        "code_version": found.manifest.get("code_version"),
        "run_id": found.manifest.get("run_id"),
        "trace_id": found.manifest.get("trace_id"),
        "params": found.manifest["params"],
        "steps": found.manifest["steps"],
        "compared_with": beside["earlier"] or None,
        "compared": beside["compared"],
        "audit_uri": storage.join(found.folder, "audit.jsonl"),
    }


def write_pages(settings: Settings, params: Params, out: str = "") -> dict[str, Any]:
    """Write a page of each run, and one that lists them, last."""
    folder = out or str(settings.home / "reports" / "runs")
    chosen = _chosen(settings, params)
    every = runs.listed(settings.lake_uri) if chosen else []
    rows = []
    for one in chosen:
        page = run_pages.run(one.manifest, **runs.beside(one, every))
        storage.write(storage.join(folder, f"{one.key}.html"), page.encode())
        rows.append(summary(one) | {"page": f"{one.key}.html"})
    index = storage.join(folder, INDEX)
    storage.write(index, run_pages.index(rows).encode())
    return {"runs": len(rows), "page_uri": index if storage.is_s3(index) else str(Path(disk.to_path(index)).resolve())}


def summary(found: Run) -> dict[str, Any]:
    """Return what a list says of a run."""
    return {
        "key": found.key,
        "name": found.name,
        "state": found.state,
        "started": found.started,
        "ended": found.ended,
        "seconds": found.seconds,
        "retries": found.retries,
        "done": sum(step["status"] == "done" for step in found.manifest["steps"].values()),
        "steps": len({*found.manifest.get("planned", ()), *found.manifest["steps"]}),
        "run_page_uri": storage.join(found.folder, run_pages.NAME),
    }


def _chosen(settings: Settings, params: Params) -> list[Run]:
    if params.state and params.state not in runs.STATES:
        raise ConfigError(f"no state {params.state!r}", where="--state", hint=suggest(params.state, runs.STATES))
    if params.limit < 1:
        raise ConfigError("must be 1 or more", where="--limit")
    if params.since and not _is_day(params.since):
        raise ConfigError(f"{params.since[:40]!r} is not a day", where="--since", hint="for example 2026-01-31")
    found = runs.listed(settings.lake_uri, params.name)
    return [one for one in found if (not params.state or one.state == params.state) and one.started >= params.since][
        : params.limit
    ]


def _is_day(text: str) -> bool:
    with suppress(ValueError):
        return bool(re.fullmatch(r"\d{4}-\d\d-\d\d", text, re.ASCII) and date.fromisoformat(text))
    return False
