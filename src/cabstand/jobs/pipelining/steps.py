"""The steps of the pipeline: each takes the results of those before it, and may find its work done."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

from cabstand.io import lake, pointer, registry, storage
from cabstand.jobs import cluster, ingest, report, site, train
from cabstand.jobs.pipelining import months
from cabstand.jobs.pipelining.params import Params, sources
from cabstand.jobs.promotion import deciding, judging, records
from cabstand.jobs.publishing.hotspots import INDEX
from cabstand.modelling import catalog
from cabstand.modelling.pointer import Pointer, state
from cabstand.settings import Settings

Results = dict[str, dict[str, Any]]
LATE = "another promotion came first; --again judges against its champion"


def _ingest(settings: Settings, params: Params, _: Results) -> dict[str, Any]:
    keys = ("month", "sha256", "rows_in", "rows_out", "rows_quarantined", "source", "trips_uri")
    found = []
    for month, source in sources(settings, params).items():
        if source == months.IN_LAKE:
            made = months.manifest(settings, params.dataset, month)
            one = ingest.result(lake.Month(settings.lake_uri, params.dataset, month), made)
        else:
            one = ingest.run(settings, ingest.Params(params.dataset, month, source=source))
        found.append({key: one[key] for key in keys if key in one})
    return {"months": found}


def _cluster(settings: Settings, params: Params, done: Results) -> dict[str, Any]:
    uri = done["ingest"]["months"][len(params.months) - 1]["trips_uri"]
    wanted = cluster.Params(uri, eps_m=params.eps_m, min_samples=params.min_samples, track=params.track)
    found = cluster.run(settings, wanted)
    keys = ("engine", "n_points", "n_clusters", "n_noise", "n_core", "labels_uri", "hotspots_uri", "run_id", "inputs")
    return {key: found[key] for key in keys}


def _train(settings: Settings, params: Params, done: Results) -> dict[str, Any]:
    uris = tuple(month["trips_uri"] for month in done["ingest"]["months"])
    n = len(params.months)
    hotspots = storage.join(_hotspots(done), INDEX)
    wanted = train.Params(params.problem, uris[:n], uris[n:], hotspots, seed=params.seed, track=params.track)
    return {key: value for key, value in train.run(settings, wanted).items() if key != "reused"}


def _gate(settings: Settings, params: Params, done: Results) -> dict[str, Any]:
    judged = judging.judge(settings, catalog.find(params.problem), done["train"]["model_version"])
    records.complete(settings, judged.pointer)
    if params.track:
        deciding.log_verdict(settings, judged)
    return deciding.result(judged, judged.verdict.passed, judged.pointer) | {"decision_id": uuid.uuid4().hex}


def _publish(settings: Settings, params: Params, done: Results) -> dict[str, Any]:
    """Write the pointer as the gate decided, unless a killed run has written it already, and record the outcome."""
    gated = done["gate"]
    problem, version, judged_at = gated["problem"], gated["version"], gated["sequence"]
    decision, reason = gated["decision"], gated["reason"]
    current, _ = pointer.read(settings.artifacts_uri, problem)
    if state(current)["sequence"] == judged_at:
        records.complete(settings, current)
    if decision == records.PROMOTED and not _is_published(settings, current, version, judged_at + 1):
        why = f"pipeline: {reason}"
        written, current = deciding.write_pointer(settings, problem, version, judged_at, why=why)
        if not written:
            decision, reason = records.REFUSED, LATE
    outcome = {"decision": decision, "reason": reason, **state(current)}
    if decision == records.REFUSED or outcome["sequence"] == judged_at + 1:
        return outcome | deciding.settle(settings, gated | outcome, current, judged_at, track=params.track)
    # The pointer has changed since a killed run wrote it: the promotion was put on record before that change.
    aliases = registry.try_set_aliases(settings, current) if params.track else None
    return outcome | {"record_uri": None, "aliases": aliases}


def _is_published(settings: Settings, current: Pointer | None, version: str, sequence: int) -> bool:
    """Return whether a version is champion, or became so by the change that gave the pointer this `sequence`."""
    if current is None or current.champion == version:
        return current is not None
    return records.find_change(settings, current.problem, sequence).get("version") == version


def _report(settings: Settings, params: Params, done: Results) -> dict[str, Any]:
    """Write the report on the hotspots, publish the site, and gather the main figures of the run."""
    written = report.run(settings, report.Params(hotspots=_hotspots(done)))
    return {
        "rows": sum(month.get("rows_out", 0) for month in done["ingest"]["months"]),
        "hotspots": done["cluster"]["n_clusters"],
        "metrics": done["train"]["metrics"],
        "champion": done["publish"]["champion"],
        "report_uri": written["report_uri"],
        "site_uri": site.published(settings, _hotspots(done), track=params.track),
    }


def _hotspots(done: Results) -> str:
    """Return the folder in which the run's hotspots are published."""
    return str(done["cluster"]["hotspots_uri"]).rsplit("/", 1)[0]


Step = Callable[[Settings, Params, Results], dict[str, Any]]
STEPS: dict[str, Step] = {
    "ingest": _ingest,
    "cluster": _cluster,
    "train": _train,
    "gate": _gate,
    "publish": _publish,
    "report": _report,
}
