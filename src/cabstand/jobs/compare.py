"""Compare engines on the same points, each trial in a process of its own: time, memory, and whether they agree."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from cabstand import log
from cabstand.clustering import engines
from cabstand.clustering.columns import End
from cabstand.errors import ConfigError
from cabstand.io import points, storage, synthetic, tracking, zones
from cabstand.io.points import Points
from cabstand.io.tracking import Run, Source
from cabstand.io.usage import free_bytes
from cabstand.jobs.comparing import summary, trials
from cabstand.jobs.comparing.summary import GIB, Case
from cabstand.jobs.publishing import kinds, table
from cabstand.jobs.publishing.once import Output, Request, publish_once
from cabstand.settings import Settings
from cabstand.trips.columns import BY_ALIAS, Named

KIND = kinds.COMPARISON


@dataclass(frozen=True)
class Params:
    """What to compare, and how; the fields are the options of `cabstand compare`."""

    input: str
    engines: Sequence[str] = ("sequential", "multicore", "sklearn")  # `engine` or `engine:workers` each
    sizes: Sequence[int] = ()  # points, in input order; empty is a quarter, a half and all
    repeats: int = 5
    eps_m: float = 50.0
    min_samples: int = 20
    n_workers: int | None = None
    end: End = "pickup"
    named: Named = BY_ALIAS
    era: str | None = None
    weight_column: str | None = None
    memory_gib: float | None = None  # an engine that is predicted to need more is refused
    seed: int = 0
    track: bool = True
    dry_run: bool = False


def run(settings: Settings, params: Params) -> dict[str, Any]:
    """Run the trials and publish their report, unless it exists and the engines agreed."""
    chosen = _engines(params)
    engines.check(params.eps_m, params.min_samples)
    settings = synthetic.admit(settings, params.input)
    zones_uri = zones.table_uri(settings.lake_uri)
    with log.progress("reading"):
        read = points.read_as(params, zones_uri)
    sizes = _sizes(params.sizes, len(read))
    budget = int((params.memory_gib or settings.compare_memory_gib) * GIB) or int(free_bytes() * 0.8)
    parameters = _parameters(settings, params, chosen, sizes)

    def compute(output: Output) -> dict[str, Any]:
        samples = [_sample(read, n_points, params.seed) for n_points in sizes]
        cases, checks = trials.run(samples, chosen, params.eps_m, params.min_samples, params.repeats, budget)
        report = _report(read, cases, checks, parameters["score_weights"])
        table.write(output.folder, report["table"], KIND.schema_version, read.marks)
        _log(settings, output.run, report)
        return report

    source = Source(read.uri, read.sha256)
    request = Request(source, parameters, track=params.track, dry_run=params.dry_run)
    return publish_once(settings, KIND, request, compute, _result, reusable=lambda report: bool(report["agree"]))


def _engines(params: Params) -> list[tuple[str, int]]:
    if params.repeats < 1:
        raise ConfigError(f"repeats must be 1 or more, not {params.repeats}", where="repeats")
    chosen = []
    for text in params.engines:
        # As scikit-learn's own default: `n_jobs` is one.
        default = params.n_workers or (1 if text.strip() == summary.BASELINE else None)
        engine, n_workers = engines.parse(text, default)
        chosen.append((engine.name, n_workers))
    if not chosen or len(set(chosen)) < len(chosen):
        raise ConfigError("name each engine once", where="engines", hint="sequential,multicore,sklearn,sklearn:2")
    return chosen


def _sizes(asked: Sequence[int], n_points: int) -> list[int]:
    sizes = sorted(set(asked)) or sorted({max(1, n_points // 4), max(1, n_points // 2), n_points})
    if sizes[0] < 1 or sizes[-1] > n_points:
        raise ConfigError(f"sizes must lie between 1 and the input's {n_points} points", where="sizes")
    return sizes


def _parameters(settings: Settings, params: Params, chosen: list[tuple[str, int]], sizes: list[int]) -> dict[str, Any]:
    return {
        "engines": [f"{name}:{n_workers}" for name, n_workers in chosen],
        "sizes": sizes,
        "repeats": params.repeats,
        "eps_m": float(params.eps_m),
        "min_samples": params.min_samples,
        "end": params.end,
        "weight_column": params.weight_column,
        "seed": params.seed,
        **points.parameters(params.named, params.era),
        "memory_gib": params.memory_gib or settings.compare_memory_gib,
        "score_weights": {
            "wall_s": settings.score_weight_wall,
            "cpu_s": settings.score_weight_cpu,
            "peak_rss_mb": settings.score_weight_memory,
        },
    }


def _sample(read: Points, n_points: int, seed: int) -> trials.Sample:
    if n_points == len(read):
        return trials.Sample(read.latlon, read.weight)
    chosen = np.sort(np.random.default_rng(seed).choice(len(read), n_points, replace=False))
    return trials.Sample(read.latlon[chosen], None if read.weight is None else read.weight[chosen])


def _report(read: Points, cases: list[Case], checks: list[dict[str, Any]], weights: dict[str, float]) -> dict[str, Any]:
    n_cores = engines.available_cores()
    return {
        "source": {**read.source, "n_points": len(read)},
        "baseline": summary.BASELINE if any(one.engine == summary.BASELINE for one in cases) else cases[0].engine,
        "n_cores": n_cores,
        "agree": all(check["agree"] for check in checks),
        "table": summary.table(cases, weights, n_cores),
        "tests": summary.tests(cases),
        "checks": checks,
        "trials": [
            {"engine": case.engine, "n_workers": case.n_workers, "n_points": case.n_points, "repeat": repeat}
            | asdict(trial.usage)
            | {"process_cpu_s": trial.process_cpu_s}
            for case in cases
            for repeat, trial in enumerate(case.trials)
        ],
    }


def _log(settings: Settings, run: Run, report: dict[str, Any]) -> None:
    """Log whether the engines agree, and the table as a nested run per row."""
    run.tags({"agree": report["agree"]})
    run.metrics({"agree": float(report["agree"])})
    for row in report["table"]:
        name = f"{row['engine']}:{row['n_workers']} at {row['n_points']}"
        parameters = {key: row[key] for key in ("engine", "n_workers", "n_points", "status", "note")}
        with tracking.run(settings, name, parameters, parent=run) as nested:
            nested.metrics(row)


def _result(report: dict[str, Any], uri: str) -> dict[str, Any]:
    names = ("agree", "baseline", "eps_m", "min_samples", "repeats", "run_id", "run_key", "table")
    return {name: report[name] for name in names} | {
        "synthetic": report["source"]["synthetic"],
        **points.reading_of(report["source"]),
        "by_zone": report["source"].get("by_zone", False),
        "quality": report["checks"][-1]["quality"],
        "report_uri": storage.join(uri, KIND.manifest),
        "table_uri": storage.join(uri, table.PARQUET),
    }
