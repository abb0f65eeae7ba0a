"""Write the evidence of a window: our page, Evidently's, and the record, into the lake, MLflow and the site."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from cabstand import __version__
from cabstand.errors import CabstandError
from cabstand.io import evidently_report, storage
from cabstand.io.evidently_report import EvidentlyReport
from cabstand.io.tracking import Source
from cabstand.jobs.monitoring import flags, record
from cabstand.jobs.publishing.once import Kind, Manifest, Output, Request, publish_once
from cabstand.monitoring.decisions import Decision
from cabstand.monitoring.findings import Window
from cabstand.monitoring.sample import Samples
from cabstand.report import monitor_page
from cabstand.report.monitor_page import EvidentlyPart
from cabstand.settings import Settings

REPORT, RECORD = "report.html", "window.json"
EVIDENTLY, FIGURES = "evidently.html", "evidently.json"
KIND = Kind("monitor", "monitored window", "monitoring", manifest=RECORD)


@dataclass(frozen=True)
class Evidence:
    """Where the evidence of a window lies.

    Attributes
    ----------
    evidently_uri : str or None
        Evidently's page; None if there is none, and `report_uri` says why.
    site_uri : str or None
        Our page on the results site; None without a site.
    run_id : str or None
        MLflow's run; None if it was not tracked.
    reused : bool
        Whether the evidence existed already.
    """

    report_uri: str
    record_uri: str
    evidently_uri: str | None
    site_uri: str | None
    run_id: str | None
    reused: bool


def publish_evidence(
    settings: Settings,
    window: Window,
    decision: Decision,
    samples: Samples | None,
    *,
    source: Source | None = None,
    track: bool = True,
) -> Evidence:
    """Publish the evidence of a window once, and return where it lies.

    The same window, decision, samples, code and Evidently give what exists. Anything else replaces it: a window has
    one folder, named by the decision's key.

    Parameters
    ----------
    samples : Samples or None
        For Evidently's report; without them, without Evidently or if it fails, the page says so.
    source : Source, optional
        The current rows, for MLflow.
    """
    uri = storage.join(settings.lake_uri, KIND.folder, window.problem, decision.key)
    request = _request(window, decision, samples, source, uri, track=track)
    result = publish_once(settings, KIND, request, _compute(window, decision, samples, request.source), _result)
    at = {name: storage.join(uri, name) for name in (REPORT, RECORD, EVIDENTLY)}
    shown = [EVIDENTLY, REPORT] if result["evidently"] else [REPORT]
    site = _show(settings, storage.join(KIND.folder, window.problem, decision.key), uri, shown)
    evidently_uri = at[EVIDENTLY] if result["evidently"] else None
    return Evidence(at[REPORT], at[RECORD], evidently_uri, site, result["run_id"], result["reused"])


def _request(
    window: Window, decision: Decision, samples: Samples | None, source: Source | None, uri: str, *, track: bool
) -> Request:
    found = record.sha256([record.window_json(window), record.decision_json(decision)])
    inputs = {"findings": found, "samples": record.sha256_samples(samples), "evidently": _evidently_version()}
    times = {"start": window.start.isoformat(), "end": window.end.isoformat()}
    parameters = {"problem": window.problem, "version": window.version, "key": decision.key, **times}
    return Request(source or Source(uri, found), parameters, inputs, out=uri, track=track)


def _evidently_version() -> str:
    try:
        return version("evidently")
    except PackageNotFoundError:
        return ""


def _compute(
    window: Window, decision: Decision, samples: Samples | None, source: Source
) -> Callable[[Output], Manifest]:
    """Return what writes the files of a window, and logs them."""

    def compute(output: Output) -> Manifest:
        made, part = _evidently(samples, window.drift.share_threshold)
        now = datetime.now(UTC).isoformat(timespec="seconds")
        page = monitor_page.render(window, decision, part, made_at=now, version=__version__)
        files = {REPORT: page.encode()}
        if made is not None:
            files |= {EVIDENTLY: made.page, FIGURES: made.figures}
        for name, content in files.items():
            (output.folder / name).write_bytes(content)
            output.run.artifact(output.folder / name)
        output.run.metrics(flags.metrics(window, decision))
        output.run.tags({"problem": window.problem, "decision": decision.action, "reason": decision.reason[:500]})
        return {
            "source": {"uri": source.uri, "sha256": source.sha256, "synthetic": window.facts.get("synthetic") is True},
            "window": record.window_json(window),
            "decision": record.decision_json(decision),
            "evidently": _said(part) if made is not None else None,
            "evidently_missing": part.missing or None,
        }

    return compute


def _evidently(samples: Samples | None, share: float) -> tuple[EvidentlyReport | None, EvidentlyPart]:
    """Return Evidently's report, or None, and what our page says of it."""
    if samples is None:
        return None, EvidentlyPart(missing="no sample was taken")
    try:
        made = evidently_report.make(samples, share)
    except CabstandError as error:
        return None, EvidentlyPart(missing=str(error))
    facts = {
        "version": made.version,
        "sample_of_the_reference": made.n_reference,
        "sample_of_the_window": made.n_current,
        "seed": made.seed,
        "cpu_s": round(made.cpu_s, 1),
    }
    return made, EvidentlyPart(EVIDENTLY, "", facts, made.left_out, made.notes)


def _said(part: EvidentlyPart) -> dict[str, Any]:
    return {**part.facts, "left_out": dict(part.left_out), "notes": dict(part.notes)}


def _result(manifest: Manifest, uri: str) -> dict[str, Any]:
    return {"evidently": manifest["evidently"] is not None, "run_id": manifest["run_id"]}


def _show(settings: Settings, folder: str, uri: str, names: list[str]) -> str | None:
    """Copy pages to the results site, our own last; return its address there."""
    if not settings.site:
        return None
    target = storage.join(settings.site, folder)
    for name in names:
        content, to = storage.read(storage.join(uri, name)), storage.join(target, name)
        if not storage.exists(to) or storage.read(to) != content:
            storage.write(to, content, cache_control="no-cache")
    return storage.join(target, REPORT)
