"""Pipeline: ingest, cluster, train, gate, publish, report; a killed run resumes after its last finished step."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from functools import partial
from typing import Any

from cabstand.errors import ConfigError
from cabstand.io import lake, pointer, registry, storage, synthetic
from cabstand.io import zones as lake_zones
from cabstand.io.journal import Journal
from cabstand.io.sources import is_web
from cabstand.jobs import cluster, ingest, report, train, zones
from cabstand.jobs.pipelining import identity, months
from cabstand.jobs.promotion import deciding, judging, records
from cabstand.jobs.publishing import site
from cabstand.jobs.publishing.hotspots import INDEX
from cabstand.modelling import catalog
from cabstand.modelling.pointer import Pointer, state
from cabstand.report import pages
from cabstand.settings import Settings

Results = dict[str, dict[str, Any]]
RUN_PAGE = "run.html"
LATE = "another promotion came first; --again judges against its champion"


@dataclass(frozen=True)
class Params:
    """What to run from end to end; the fields are the options of `cabstand pipeline`."""

    dataset: str
    months: tuple[str, ...] = ()  # empty: the newest complete ones of the lake
    sources: tuple[str, ...] = ()  # of `months` and `holdout_months`; empty downloads, "lake" has them already
    holdout_months: tuple[str, ...] = ()
    zones: str = ""  # used if the lake has none
    problem: str = "trip-duration"
    eps_m: float = 50.0
    min_samples: int = 20
    seed: int = 0
    track: bool = True
    again: bool = False
    dry_run: bool = False
    newest: int = 3  # without `months`: how many, of which the last one is held out
    fetch: bool = True  # without `months`: ingest newer ones that are published


def run(settings: Settings, params: Params) -> dict[str, Any]:
    """Run the steps that are not done yet, and return what they published; the steps before a failed one stay done."""
    _check(params)
    if months.is_synthetic(params.dataset):
        settings = synthetic.settings_for(settings, True, params.dataset)
    params = _with_months(settings, params)
    if params.dry_run:
        return _plan(settings, params)
    _ensure_zones(settings, params)
    key, shown = _key(settings, params), asdict(params)
    folder = storage.join(settings.lake_uri, "runs", key)
    for name in ("again", "dry_run", "newest", "fetch"):
        del shown[name]
    journal = Journal.open(folder, key, shown, fresh=params.again)
    repeated, page = journal.is_done(STEPS), storage.join(folder, RUN_PAGE)
    try:
        for name, step in STEPS.items():
            journal.run(name, partial(step, settings, params, journal.results))
    finally:  # the page of a failed run says why it failed
        written = pages.run(journal.content).encode()
        storage.write(page, written)
    done = journal.results
    site.add_beside(settings, done["report"].get("site_uri"), RUN_PAGE, written)
    return {
        "run_key": key,
        "synthetic": bool(done["train"].get("synthetic")),
        "repeated": repeated,
        "months": list(params.months),
        "holdout_months": list(params.holdout_months),
        "decision": done["publish"]["decision"],
        "reason": done["publish"]["reason"],
        "model_version": done["train"]["model_version"],
        "hotspots_uri": done["cluster"]["hotspots_uri"],
        "manifest_uri": journal.uri,
        "report_uri": done["report"]["report_uri"],
        "site_uri": done["report"].get("site_uri"),
        "run_page_uri": page,
        "steps": journal.times(),
    }


def _check(params: Params) -> None:
    every = (*params.months, *params.holdout_months)
    if not params.months and every + params.sources:
        raise ConfigError("no month", where="--month", hint="name the months to train on, too, as YYYY-MM")
    if params.newest < 1:
        raise ConfigError(f"{params.newest} months are too few", where="--newest", hint="at least 1")
    if params.sources and len(params.sources) != len(every):
        raise ConfigError(f"{len(params.sources)} sources for {len(every)} months", where="--source")
    for month in every:
        ingest.check_month(month)
    if len(set(every)) < len(every):
        raise ConfigError(f"{max(every, key=every.count)} is named twice", where="--month")
    if params.holdout_months and min(params.holdout_months) <= max(params.months):
        what = f"{min(params.holdout_months)} is not later than {max(params.months)}, which is trained on"
        raise ConfigError(what, where="--holdout-month", hint="hold out later months")
    if "trip-duration" not in catalog.find(params.problem).name and not params.problem.endswith(".py"):
        raise ConfigError(f"{params.problem} does not learn from trips", hint="use `cabstand train` for it")


def _with_months(settings: Settings, params: Params) -> Params:
    """Return the parameters with the months that are read, the newest of the lake if none are named."""
    if params.months:
        return params
    today, fetch = datetime.now(UTC).date(), params.fetch and not params.dry_run
    if not params.fetch:
        months.require_trips(settings, params.dataset)
    found = months.newest(settings, params.dataset, params.newest, today, fetch=fetch)
    n = max(1, len(found) - 1)
    return replace(params, months=found[:n], holdout_months=found[n:], sources=(months.IN_LAKE,) * len(found))


def _sources(settings: Settings, params: Params) -> dict[str, str]:
    """Return where each month comes from."""
    every = (*params.months, *params.holdout_months)
    given = params.sources or ("",) * len(every)
    return {
        month: identity.source_of(settings, params.dataset, month, source)
        for month, source in zip(every, given, strict=True)
    }


def _key(settings: Settings, params: Params) -> str:
    names = ("months", "holdout_months", "eps_m", "min_samples", "seed", "track")
    shown = {name: getattr(params, name) for name in names}
    return identity.run_key(settings, params.problem, _sources(settings, params), params.dataset, shown)


def _plan(settings: Settings, params: Params) -> dict[str, Any]:
    """Return what a run would do; its key is unknown while its zones or a month are still to be downloaded."""
    runs, found = storage.join(settings.lake_uri, "runs"), _sources(settings, params)
    known = not any(map(is_web, found.values())) and (_has_zones(settings) or months.is_synthetic(params.dataset))
    key = _key(settings, params) if known else None
    shown = {"months": list(params.months), "holdout_months": list(params.holdout_months)}
    where = storage.join(runs, key) if key else runs
    return {"dry_run": True, "run_key": key, "would_write": where, "steps": list(STEPS)} | shown


def _has_zones(settings: Settings) -> bool:
    return storage.exists(lake_zones.table_uri(settings.lake_uri))


def _ensure_zones(settings: Settings, params: Params) -> None:
    if not _has_zones(settings) and not months.is_synthetic(params.dataset):
        zones.run(settings, zones.Params(params.zones))


def _ingest(settings: Settings, params: Params, _: Results) -> dict[str, Any]:
    keys = ("month", "sha256", "rows_in", "rows_out", "rows_quarantined", "trips_uri")
    found = []
    for month, source in _sources(settings, params).items():
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
    written = report.run(settings, report.Params(hotspots=_hotspots(done), publish=bool(settings.site)))
    return {
        "rows": sum(month.get("rows_out", 0) for month in done["ingest"]["months"]),
        "hotspots": done["cluster"]["n_clusters"],
        "metrics": done["train"]["metrics"],
        "champion": done["publish"]["champion"],
        "report_uri": written["report_uri"],
        "site_uri": written["site_uri"],
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
