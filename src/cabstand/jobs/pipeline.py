"""Pipeline: ingest, cluster, train, gate, publish, report; a killed run resumes after its last finished step."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

from cabstand.errors import ConfigError
from cabstand.io import lake, pointer, provenance, registry, storage, synthetic
from cabstand.io import zones as lake_zones
from cabstand.io.journal import Journal
from cabstand.jobs import cluster, ingest, report, train, zones
from cabstand.jobs.promotion import deciding, judging, records
from cabstand.jobs.publishing.hotspots import INDEX
from cabstand.modelling import catalog
from cabstand.modelling.pointer import Pointer, state
from cabstand.report import pages
from cabstand.settings import Settings

Results = dict[str, dict[str, Any]]
LATE = "another promotion came first; --again judges against its champion"


@dataclass(frozen=True)
class Params:
    """What to run from end to end; the fields are the options of `cabstand pipeline`."""

    dataset: str
    months: tuple[str, ...]
    sources: tuple[str, ...] = ()  # of `months`, then of `holdout_months`; empty downloads them
    holdout_months: tuple[str, ...] = ()
    zones: str = ""  # used if the lake has none
    problem: str = "trip-duration"
    eps_m: float = 50.0
    min_samples: int = 20
    seed: int = 0
    track: bool = True
    again: bool = False
    dry_run: bool = False


def run(settings: Settings, params: Params) -> dict[str, Any]:
    """Run the steps that are not done yet, and return what they published; the steps before a failed one stay done."""
    _check(params)
    if params.dataset.startswith(synthetic.DATASET):
        settings = synthetic.settings_for(settings, True, params.dataset)
    parameters = {name: value for name, value in asdict(params).items() if name not in {"again", "dry_run"}}
    key = provenance.run_key("pipeline", {}, parameters)
    folder = storage.join(settings.lake_uri, "runs", key)
    if params.dry_run:
        return {"dry_run": True, "run_key": key, "would_write": folder, "steps": list(STEPS)}
    journal = Journal.open(folder, key, parameters, fresh=params.again)
    page = storage.join(folder, "run.html")
    try:
        for name, step in STEPS.items():
            journal.run(name, partial(step, settings, params, journal.results))
    finally:  # the page of a failed run says why it failed
        storage.write(page, pages.run(journal.content).encode())
    done = journal.results
    return {
        "run_key": key,
        "synthetic": bool(done["train"].get("synthetic")),
        "decision": done["publish"]["decision"],
        "reason": done["publish"]["reason"],
        "model_version": done["train"]["model_version"],
        "hotspots_uri": done["cluster"]["hotspots_uri"],
        "manifest_uri": journal.uri,
        "report_uri": done["report"]["report_uri"],
        "run_page_uri": page,
        "steps": journal.times(),
    }


def _check(params: Params) -> None:
    every = (*params.months, *params.holdout_months)
    if not params.months:
        raise ConfigError("no month", where="--month", hint="at least one, as YYYY-MM")
    if params.sources and len(params.sources) != len(every):
        raise ConfigError(f"{len(params.sources)} sources for {len(every)} months", where="--source")
    for month in every:
        ingest.check_month(month)
    if "trip-duration" not in catalog.find(params.problem).name and not params.problem.endswith(".py"):
        raise ConfigError(f"{params.problem} does not learn from trips", hint="use `cabstand train` for it")


def _ingest(settings: Settings, params: Params, _: Results) -> dict[str, Any]:
    every = (*params.months, *params.holdout_months)
    if params.dataset.startswith(synthetic.DATASET):
        return {"months": [{"trips_uri": _synthetic(settings, params.dataset, month)} for month in every]}
    if not storage.exists(lake_zones.table_uri(settings.lake_uri)):
        zones.run(settings, zones.Params(params.zones))
    sources = params.sources or ("",) * len(every)
    ingested = [
        ingest.run(settings, ingest.Params(params.dataset, month, source=source))
        for month, source in zip(every, sources, strict=True)
    ]
    keys = ("month", "sha256", "rows_in", "rows_out", "rows_quarantined", "trips_uri")
    return {"months": [{key: one[key] for key in keys} for one in ingested]}


def _synthetic(settings: Settings, dataset: str, month: str) -> str:
    uri = lake.Month(settings.lake_uri, dataset, month).trips_uri
    if not storage.exists(uri):
        raise ConfigError("not in the lake", where=uri, hint=f"`cabstand synth --month {month}` makes it")
    return uri


def _cluster(settings: Settings, params: Params, done: Results) -> dict[str, Any]:
    uri = done["ingest"]["months"][len(params.months) - 1]["trips_uri"]
    wanted = cluster.Params(uri, eps_m=params.eps_m, min_samples=params.min_samples, track=params.track)
    found = cluster.run(settings, wanted)
    keys = ("engine", "n_points", "n_clusters", "n_noise", "n_core", "labels_uri", "hotspots_uri", "run_id")
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


def _report(settings: Settings, _: Params, done: Results) -> dict[str, Any]:
    """Write the report on the hotspots, and gather the main figures of the run."""
    written = report.run(settings, report.Params(hotspots=_hotspots(done)))
    return {
        "rows": sum(month.get("rows_out", 0) for month in done["ingest"]["months"]),
        "hotspots": done["cluster"]["n_clusters"],
        "metrics": done["train"]["metrics"],
        "champion": done["publish"]["champion"],
        "report_uri": written["report_uri"],
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
