"""Pipeline: ingest, cluster, train, gate, publish, report; a killed run resumes after its last finished step."""

from __future__ import annotations

from dataclasses import asdict, replace
from datetime import UTC, datetime
from functools import partial
from typing import Any

from cabstand.errors import ConfigError, suggest
from cabstand.io import runs, storage, synthetic
from cabstand.io import zones as lake_zones
from cabstand.io.journal import Journal, claimed
from cabstand.io.sources import is_web
from cabstand.jobs import ingest, zones
from cabstand.jobs.pipelining import identity, months
from cabstand.jobs.pipelining.params import Params, sources
from cabstand.jobs.pipelining.steps import STEPS, Results
from cabstand.jobs.publishing import site
from cabstand.modelling import catalog
from cabstand.report import run_pages
from cabstand.settings import Settings

__all__ = ["STEPS", "Params", "run"]


def run(settings: Settings, params: Params) -> dict[str, Any]:
    """Run the steps that are not done yet, and return what they published; the steps before a failed one stay done."""
    _check(params)
    if months.is_synthetic(params.dataset):
        settings = synthetic.settings_for(settings, True, params.dataset)
    params = with_months(settings, params)
    if params.dry_run:
        return _plan(settings, params)
    _ensure_zones(settings, params)
    key = _key(settings, params)
    folder = storage.join(settings.lake_uri, runs.FOLDER, key)
    with claimed(folder, key):
        return _run(settings, params, folder, key)


def _run(settings: Settings, params: Params, folder: str, key: str) -> dict[str, Any]:
    shown = asdict(params)
    for name in ("again", "dry_run", "newest", "fetch", "until"):
        del shown[name]
    journal = Journal.open(folder, key, shown, planned=STEPS, fresh=params.again)
    repeated, page = journal.is_done(STEPS), storage.join(folder, run_pages.NAME)
    try:
        for name, step in STEPS.items():
            journal.run(name, partial(step, settings, params, journal.results))
            if name == params.until:
                return {"run_key": key, "step": name, **journal.results[name], "manifest_uri": journal.uri}
    finally:  # the page of a failed run says why it failed
        written = run_pages.run(journal.content).encode()
        storage.write(page, written)
    site.add_beside(settings, journal.results["report"].get("site_uri"), run_pages.NAME, written)
    steps = {"run_page_uri": page, "manifest_uri": journal.uri, "steps": journal.times()}
    return {"run_key": key, "repeated": repeated, **_published(params, journal.results), **steps}


def _published(params: Params, done: Results) -> dict[str, Any]:
    """Return what a whole run has published."""
    return {
        "synthetic": bool(done["train"].get("synthetic")),
        "months": list(params.months),
        "holdout_months": list(params.holdout_months),
        "decision": done["publish"]["decision"],
        "reason": done["publish"]["reason"],
        "model_version": done["train"]["model_version"],
        "hotspots_uri": done["cluster"]["hotspots_uri"],
        "report_uri": done["report"]["report_uri"],
        "site_uri": done["report"].get("site_uri"),
    }


def _check(params: Params) -> None:
    every = (*params.months, *params.holdout_months)
    if not params.months and every + params.sources:
        raise ConfigError("no month", where="--month", hint="name the months to train on, too, as YYYY-MM")
    if params.until and params.until not in STEPS:
        raise ConfigError(f"no step {params.until[:40]!r}", where="--until", hint=suggest(params.until, list(STEPS)))
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


def with_months(settings: Settings, params: Params) -> Params:
    """Return the parameters with the months that are read, the newest of the lake if none are named."""
    if params.months:
        return params
    today, fetch = datetime.now(UTC).date(), params.fetch and not params.dry_run
    if not params.fetch:
        months.require_trips(settings, params.dataset)
    found = months.newest(settings, params.dataset, params.newest, today, fetch=fetch)
    n = max(1, len(found) - 1)
    return replace(params, months=found[:n], holdout_months=found[n:], sources=(months.IN_LAKE,) * len(found))


def _key(settings: Settings, params: Params) -> str:
    names = ("months", "holdout_months", "eps_m", "min_samples", "seed", "track")
    shown = {name: getattr(params, name) for name in names}
    return identity.run_key(settings, params.problem, sources(settings, params), params.dataset, shown)


def _plan(settings: Settings, params: Params) -> dict[str, Any]:
    """Return what a run would do; its key is unknown while its zones or a month are still to be downloaded."""
    folder, found = storage.join(settings.lake_uri, runs.FOLDER), sources(settings, params)
    known = not any(map(is_web, found.values())) and (_has_zones(settings) or months.is_synthetic(params.dataset))
    key = _key(settings, params) if known else None
    shown = {"months": list(params.months), "holdout_months": list(params.holdout_months)}
    where = storage.join(folder, key) if key else folder
    return {"dry_run": True, "run_key": key, "would_write": where, "steps": list(STEPS)} | shown


def _has_zones(settings: Settings) -> bool:
    return storage.exists(lake_zones.table_uri(settings.lake_uri))


def _ensure_zones(settings: Settings, params: Params) -> None:
    if not _has_zones(settings) and not months.is_synthetic(params.dataset):
        zones.run(settings, zones.Params(params.zones))
