"""Replay past months: what the monitor would have asked for, what retraining would have saved, which limits to choose.

Models are trained on the months as they came; nothing is published or promoted. The report goes into the lake.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from cabstand import log
from cabstand.errors import ConfigError
from cabstand.io import config_file, lake, provenance, storage, synthetic, tracking, zones
from cabstand.io.tracking import Source
from cabstand.jobs.publishing.once import Kind, Output, Request, publish_once
from cabstand.jobs.replaying import parts, summary
from cabstand.jobs.replaying.record import Record
from cabstand.jobs.retraining import rules as in_force
from cabstand.modelling import catalog
from cabstand.monitoring import replay
from cabstand.monitoring.decisions import Rules
from cabstand.monitoring.drift import Thresholds
from cabstand.report import replay_pictures
from cabstand.settings import Settings
from cabstand.settings.names import config_file as settings_file

REPORT, COURSE, CHOICE = "replay.json", "course.png", "limits.png"
KIND = Kind("replay", "replay", "replays", manifest=REPORT, artifacts=(COURSE, CHOICE))


@dataclass(frozen=True)
class Params:
    """What to replay; the fields are the options of `cabstand replay`."""

    months: tuple[str, ...]
    dataset: str = "green"
    problem: str = "trip-duration"
    train_months: int = 2  # that a model learns from
    holdout_months: int = 1  # later ones, that it is judged on; 0: the newest fifth of what it would learn from
    windows: int = 4  # of a month
    seed: int = 0
    write: bool = False  # the recommended limits, into the file of settings
    track: bool = True
    dry_run: bool = False


def run(settings: Settings, params: Params) -> dict[str, Any]:
    """Replay the months and publish the report, unless it exists already."""
    months = tuple(sorted(set(params.months)))
    params = replace(params, months=months)
    if params.train_months < 1 or params.holdout_months < 0:
        raise ConfigError("must be at least 1 and 0", where="--train-months, --holdout-months")
    if params.train_months + params.holdout_months >= len(months):
        what = f"{len(months)} months leave none to replay after {params.train_months} to learn from"
        raise ConfigError(f"{what} and {params.holdout_months} to hold out", where="--months")
    if params.windows not in parts.COUNTS:
        raise ConfigError(f"{params.windows} windows a month", where="--windows", hint="1, 2 or 4")
    problem, rules, thresholds = catalog.find(params.problem), in_force.of(settings), in_force.thresholds(settings)
    with ExitStack() as stack:
        uris = [lake.Month(settings.lake_uri, params.dataset, month).trips_uri for month in months]
        files = {month: stack.enter_context(storage.fetched(uri)) for month, uri in zip(months, uris, strict=True)}
        made, extras = synthetic.of_tables(uris), zones.extras(stack, settings.lake_uri, problem.extras)
        hashes = {month: provenance.sha256_file(path) for month, path in files.items()}
        source = tracking.joined([Source(uri, sha) for uri, sha in zip(uris, hashes.values(), strict=True)])

        def compute(output: Output) -> dict[str, Any]:
            sizes = {"train_months": params.train_months, "holdout_months": params.holdout_months}
            record = Record(problem, files, extras, **sizes, count=params.windows, seed=params.seed)
            with log.progress(f"replaying {len(months)} months"):
                report = _report(record, rules, thresholds)
            _draw(output.folder, report, problem.target.unit)
            return report | {"source": asdict(source) | {"synthetic": made}}

        result = publish_once(settings, KIND, _request(params, source, extras, rules, thresholds), compute, _result)
    if params.write and not params.dry_run:
        result |= _write(settings, result["recommended"])
    return result


def _request(params: Params, source: Source, extras: dict[str, Path], rules: Rules, thresholds: Thresholds) -> Request:
    left_out = ("write", "track", "dry_run")
    parameters = {name: value for name, value in asdict(params).items() if name not in left_out}
    parameters |= {"rules": {**asdict(rules), "cooldown": rules.cooldown.days}, "thresholds": asdict(thresholds)}
    inputs = {name: provenance.sha256_file(path) for name, path in extras.items()}
    return Request(source, parameters, inputs, track=params.track, dry_run=params.dry_run)


def _report(record: Record, rules: Rules, thresholds: Thresholds) -> dict[str, Any]:
    """Replay from the end of each month that can be a start; the tables of windows are those of the first start."""
    past = replay.Past(record, len(record.parts), record.count)
    starts = range(record.n_train + record.n_held - 1, past.n_windows - record.count, record.count)
    first = starts[0]
    seen = [
        replace(record.window(first, at), drift=record.compare(first, at, thresholds))
        for at in range(first + 1, past.n_windows)
    ]
    tried = replay.trials(past, starts, rules)
    chosen = replay.best(tried)
    courses = {
        "default": replay.course(past, first, rules),
        "recommended": replay.course(past, first, chosen.rules),
    }
    rows = {name: summary.windows(record, course, seen) for name, course in courses.items()}
    return {
        "candidate": record.model(first).trained.model.candidate,
        "windows": rows["default"],
        "windows_recommended": rows["recommended"],
        "retrainings": summary.retrainings(record, courses["default"]),
        "retrainings_recommended": summary.retrainings(record, courses["recommended"]),
        "late_truth": summary.late_truth(rows["default"]),
        "firings": summary.firings(record, courses["default"], seen),
        "starts": [record.parts[start].name for start in starts],
        "trials": summary.trials(tried),
        "default": summary.trials([tried[0]])[0],
        "recommended": summary.trials([chosen])[0],
    }


def _draw(folder: Path, report: dict[str, Any], unit: str) -> None:
    (folder / COURSE).write_bytes(replay_pictures.course(report["windows_recommended"], unit))
    (folder / CHOICE).write_bytes(
        replay_pictures.choice(report["trials"], report["default"], report["recommended"], unit)
    )


def _write(settings: Settings, recommended: dict[str, Any]) -> dict[str, Any]:
    """Write the recommended limits that are not in force."""
    limits = {name: value for name, value in recommended.items() if name.startswith("monitor_")}
    changed = {name: value for name, value in limits.items() if value != getattr(settings, name)}
    if changed:
        config_file.update(settings_file(), changed)
    return {"written": changed, "settings_file": str(settings_file())}


def _result(report: dict[str, Any], uri: str) -> dict[str, Any]:
    kept = ("run_key", "run_id", "months", "late_truth", "retrainings", "default", "recommended")
    asked = [row["window"] for row in report["windows"] if row["action"] == "retrain"]
    pictures = {"pictures": [storage.join(uri, name) for name in (COURSE, CHOICE)]}
    return {
        **{name: report[name] for name in kept},
        "retraining_asked_for": asked,
        "better_than_default": report["recommended"]["saved_per_retraining"]
        > report["default"]["saved_per_retraining"],
        "report_uri": storage.join(uri, REPORT),
        **pictures,
    }
