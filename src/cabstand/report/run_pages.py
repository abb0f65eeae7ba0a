"""Render the pages of runs: one run with its steps, logs, inputs and outputs, and the list of runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from cabstand.report import timeline
from cabstand.report.templating import page

NAME = "run.html"


def run(
    manifest: Mapping[str, Any],
    *,
    state: str = "",
    compared: Sequence[Mapping[str, Any]] = (),
    earlier: str = "",
    site: Mapping[str, Any] | None = None,
) -> str:
    """Return a run's manifest as one self-contained HTML page: its steps, their times, logs, inputs and results.

    Parameters
    ----------
    manifest : mapping
        The manifest of the run's journal.
    state : str, optional
        State of the run; by default what its steps say.
    compared : sequence of mappings, optional
        By `step`, `seconds` and `seconds_before`, and the `uri` and `difference` of `inputs` and `outputs`.
    earlier : str, optional
        Key of the run that it is compared with.
    site : mapping, optional
        What a page of a site says besides: `nav` and `synthetic`.
    """
    steps = {name: {**step, "seconds": _seconds(step)} for name, step in manifest["steps"].items()}
    known = [step["seconds"] for step in steps.values() if step["seconds"] is not None]
    failed = any(step["status"] == "failed" for step in steps.values())
    return page(
        "run.html.j2",
        run_key=manifest["run_key"],
        params=manifest["params"],
        steps=steps,
        n_steps=len({*manifest.get("planned", ()), *steps}),
        n_done=sum(step["status"] == "done" for step in steps.values()),
        failed=failed,
        state=state or ("failed" if failed else ""),
        retries=sum(step["attempts"] - 1 for step in steps.values()),
        seconds=sum(known) if known else None,
        highlights=_highlights(manifest["steps"]),
        timeline=timeline.rows(manifest["steps"]),
        compared=compared,
        earlier=earlier,
        about={name: manifest[name] for name in ("code_version", "run_id", "trace_id") if manifest.get(name)},
        **(site or {}),
    )


def index(runs: Sequence[Mapping[str, Any]]) -> str:
    """Return the list of runs: `key`, `name`, `state`, `started`, `seconds`, `retries` and `page` (or None) of each."""
    return page("runs.html.j2", runs=runs)


def _highlights(steps: Mapping[str, Any]) -> dict[str, Any]:
    """Return the figures of a run that a reader looks for first, as far as the run has got."""
    wanted = (("report", "rows", "rows"), ("cluster", "n_clusters", "hotspots"), ("publish", "decision", "by the gate"))
    results = {name: step.get("result", {}) for name, step in steps.items()}
    return {label: results[step][key] for step, key, label in wanted if key in results.get(step, {})}


def _seconds(step: Mapping[str, Any]) -> float | None:
    if not step.get("ended"):
        return None
    return (datetime.fromisoformat(step["ended"]) - datetime.fromisoformat(step["started"])).total_seconds()
