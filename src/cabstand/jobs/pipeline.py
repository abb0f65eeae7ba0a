"""Pipeline: ingest, cluster, train, gate, publish, report, each step once; killed, it goes on where it was."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

from cabstand.errors import ConfigError, ConflictError
from cabstand.io import pointer, provenance, storage
from cabstand.io.journal import Journal
from cabstand.jobs import cluster, ingest, promote, report, train, zones
from cabstand.modelling import catalog
from cabstand.modelling.pointer import first
from cabstand.report import plain_pages
from cabstand.settings import Settings

_log = logging.getLogger(__name__)
Results = dict[str, dict[str, Any]]
LATE = "another promotion came first; --again judges against its champion"


@dataclass(frozen=True)
class Params:
    """What to run from end to end.

    Attributes
    ----------
    dataset : str
        `yellow`, `green`, or one that is in the lake already (`synth`).
    months : tuple of str
        YYYY-MM, to learn from.
    sources : tuple of str
        File of each month, in order; empty downloads them. Months of a synthetic data set are in the lake already.
    holdout_months : tuple of str
        Later months to judge on; empty holds out the latest rows. Their sources follow those of `months`.
    zones : str
        Folder or address of the TLC's zone files, used when the lake has no zones; empty is the TLC's.
    problem : str
        Name, or path to a Python file.
    eps_m, min_samples : float, int
        Of the clustering.
    seed : int
        Of the training.
    track : bool
        Whether to log to MLflow.
    again : bool
        Run every step anew, though it is done.
    dry_run : bool
        Say what would be done, and do nothing.
    """

    dataset: str
    months: tuple[str, ...]
    sources: tuple[str, ...] = ()
    holdout_months: tuple[str, ...] = ()
    zones: str = ""
    problem: str = "trip-duration"
    eps_m: float = 50.0
    min_samples: int = 20
    seed: int = 0
    track: bool = True
    again: bool = False
    dry_run: bool = False


def run(settings: Settings, params: Params) -> dict[str, Any]:
    """Run the steps that are not done yet and return each one's result.

    Raises
    ------
    ConfigError
        If the parameters do not fit together.
    CabstandError
        Whatever a step raises; the steps before it stay done.
    """
    _check(params)
    settled = {name: value for name, value in asdict(params).items() if name not in {"again", "dry_run"}}
    key = provenance.run_key("pipeline", {}, settled)
    place = storage.join(settings.lake_uri, "runs", key)
    if params.dry_run:
        return {
            "dry_run": True,
            "run_key": key,
            "would_write": place,
            "steps": [step.__name__.lstrip("_") for step in STEPS],
        }
    journal = Journal.open(place, key, settled, fresh=params.again)
    for step in STEPS:
        journal.run(step.__name__.lstrip("_"), partial(_do, step, settings, params, journal))
    uri = storage.join(place, "run.html")
    storage.write(uri, plain_pages.run(journal.content).encode())
    published = journal.results["publish"]
    return {
        "run_key": key,
        "decision": published["decision"],
        "reason": published["reason"],
        "model_version": journal.results["train"]["model_version"],
        "hotspots_uri": journal.results["cluster"]["hotspots_uri"],
        "manifest_uri": journal.uri,
        "report_uri": journal.results["report"]["report_uri"],
        "run_page_uri": uri,
        "steps": journal.times(),
    }


def _do(step: Step, settings: Settings, params: Params, journal: Journal) -> dict[str, Any]:
    return step(settings, params, journal.results)


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


def _ingest(settings: Settings, params: Params, done: Results) -> dict[str, Any]:
    del done
    every = (*params.months, *params.holdout_months)
    if params.dataset.startswith("synth"):
        months = [{"trips_uri": _trips(settings, params, month)} for month in every]
        return {"months": months}
    if not storage.exists(zones.table_uri(settings)):
        zones.run(settings, zones.Params(params.zones))
    sources = params.sources or ("",) * len(every)
    made = [
        ingest.run(settings, ingest.Params(params.dataset, month, source=source))
        for month, source in zip(every, sources, strict=True)
    ]
    keys = ("month", "sha256", "rows_in", "rows_out", "rows_quarantined", "trips_uri")
    return {"months": [{key: one[key] for key in keys} for one in made]}


def _cluster(settings: Settings, params: Params, done: Results) -> dict[str, Any]:
    uri = done["ingest"]["months"][len(params.months) - 1]["trips_uri"]
    made = cluster.run(
        settings, cluster.Params(uri, eps_m=params.eps_m, min_samples=params.min_samples, track=params.track)
    )
    keys = ("engine", "n_points", "n_clusters", "n_noise", "n_core", "labels_uri", "hotspots_uri", "run_id")
    return {key: made.get(key) for key in keys}


def _train(settings: Settings, params: Params, done: Results) -> dict[str, Any]:
    uris = tuple(month["trips_uri"] for month in done["ingest"]["months"])
    n = len(params.months)
    hotspots = storage.join(_folder(done), cluster.INDEX)
    made = train.run(
        settings, train.Params(params.problem, uris[:n], uris[n:], hotspots, seed=params.seed, track=params.track)
    )
    return {key: value for key, value in made.items() if key != "reused"}


def _gate(settings: Settings, params: Params, done: Results) -> dict[str, Any]:
    problem = catalog.find(params.problem)
    judged = promote.judge(settings, problem, done["train"]["model_version"])
    if params.track:
        promote.record_run(settings, problem, judged)
    result = promote.result_of(problem, judged, judged.pointer, judged.verdict.passed)
    return result | {"record_uri": promote.record_file(settings, problem, judged, result)}


def _publish(settings: Settings, params: Params, done: Results) -> dict[str, Any]:
    """Write the pointer as the gate decided; a write that was done before a kill is found, not repeated."""
    problem = catalog.find(params.problem)
    gated = done["gate"]
    current, tag = pointer.read(settings.artifacts_uri, problem.name)
    decision, reason = gated["decision"], gated["reason"]
    if decision == "promoted" and (current is None or current.champion != gated["version"]):
        if (current.sequence if current else 0) != gated["sequence"]:
            decision, reason = "refused", LATE
        else:
            version = gated["version"]
            new = first(problem.name, version) if current is None else current.promoted(version)
            try:
                why = f"pipeline: {reason}"
                current = pointer.write(settings.artifacts_uri, new, current, tag, who=promote.author(""), why=why)
            except ConflictError:
                decision, reason = "refused", LATE
    aliases = promote.settle(settings, current) if params.track else None
    return {"decision": decision, "reason": reason, **pointer.state(current), "aliases": aliases}


def _report(settings: Settings, params: Params, done: Results) -> dict[str, Any]:
    """Draw the hotspots' report, and gather the figures that a reader wants first."""
    del params
    made = report.run(settings, report.Params(hotspots=_folder(done)))
    return {
        "rows": sum(month.get("rows_out", 0) for month in done["ingest"]["months"]),
        "hotspots": done["cluster"]["n_clusters"],
        "metrics": done["train"]["metrics"],
        "champion": done["publish"]["champion"],
        "report_uri": made["report_uri"],
    }


def _folder(done: Results) -> str:
    """Return where the run's hotspots were published."""
    return str(done["cluster"]["hotspots_uri"]).rsplit("/", 1)[0]


def _trips(settings: Settings, params: Params, month: str) -> str:
    from cabstand.io import lake

    uri = lake.Month(settings.lake_uri, params.dataset, month).trips_uri
    if not storage.exists(uri):
        raise ConfigError("not in the lake", where=uri, hint=f"`cabstand synth --month {month}` makes it")
    return uri


Step = Callable[[Settings, Params, Results], dict[str, Any]]
STEPS: tuple[Step, ...] = (_ingest, _cluster, _train, _gate, _publish, _report)
