"""Sweep eps and min_samples over a grid: the clusters of each pair, the best pair, and the k-distance curve.

All its advice is one pair. The knee of the k-distance curve is a starting point for eps on data whose clusters are far
apart; in a city it is often where whole districts chain together, so it is clustered and judged like the other pairs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import chain
from typing import Any

from cabstand import log
from cabstand.clustering import engines
from cabstand.clustering.columns import End
from cabstand.clustering.extents import total_weight
from cabstand.errors import ConfigError
from cabstand.io import points, storage, synthetic, tracking, zones
from cabstand.io.points import Points
from cabstand.io.tracking import Run, Source
from cabstand.jobs.publishing import kinds, table
from cabstand.jobs.publishing.once import Output, Request, publish_once
from cabstand.jobs.sweeping.trials import Trials, k_distance
from cabstand.settings import Settings
from cabstand.trips.columns import BY_ALIAS, Named

KIND = kinds.SWEEP
EPS_M = (25.0, 50.0, 75.0, 100.0, 150.0, 200.0)
MIN_SAMPLES = (10, 20, 50, 100, 200)  # for `MIN_SAMPLES_POINTS` points or fewer, in proportion for more
MIN_SAMPLES_POINTS = 50_000
_BEST = ("eps_m", "min_samples", "score", "n_clusters", "noise_share")


@dataclass(frozen=True)
class Params:
    """What to sweep, and how; the fields are the options of `cabstand sweep`."""

    input: str
    eps_m: Sequence[float] = EPS_M
    min_samples: Sequence[int] | None = None  # by default as many as suit the number of points
    engine: str = "multicore"
    n_workers: int | None = None
    k: int | None = 20  # None: the `min_samples` of the best pair
    sample: int = 2000
    end: End = "pickup"
    named: Named = BY_ALIAS
    era: str | None = None
    weight_column: str | None = None
    seed: int = 0
    track: bool = True
    dry_run: bool = False


def run(settings: Settings, params: Params) -> dict[str, Any]:
    """Cluster at each pair and publish the report, unless it exists already."""
    engine, n_workers = engines.parse(params.engine, params.n_workers)
    _check(params)
    settings = synthetic.admit(settings, params.input)
    zones_uri = zones.table_uri(settings.lake_uri)
    with log.progress("reading"):
        read = points.read_as(params, zones_uri)
    counts = params.min_samples if params.min_samples is not None else _counts(read)
    radii, levels = sorted(set(params.eps_m)), sorted(set(counts))

    def compute(output: Output) -> dict[str, Any]:
        trials = Trials(read, engine, n_workers, params.sample, params.seed)
        with log.progress("preparing the kernels"):
            trials.warm_up(radii[0], levels)
        with log.progress("sweeping", len(radii) * len(levels) + 1) as advance:
            rows = []
            for row in chain.from_iterable(trials.rows(eps_m, levels) for eps_m in radii):
                rows.append(row)
                advance(1)
            report = _report(trials, rows, params.k)
        table.write(output.folder, rows, KIND.schema_version, read.marks)
        _log(settings, output.run, report)
        return report

    parameters = asdict(params) | {"engine": engine.name, "n_workers": n_workers, "min_samples": counts}
    left_out = {"input", "named", "era", "track", "dry_run"}
    parameters = {name: value for name, value in parameters.items() if name not in left_out}
    parameters |= points.parameters(params.named, params.era)
    request = Request(Source(read.uri, read.sha256), parameters, track=params.track, dry_run=params.dry_run)
    return publish_once(settings, KIND, request, compute, _result)


def _check(params: Params) -> None:
    counts = MIN_SAMPLES if params.min_samples is None else params.min_samples
    if not params.eps_m or not counts:
        raise ConfigError("no parameters to try", where="--eps-m, --min-samples")
    for eps_m in params.eps_m:
        for count in counts:
            engines.check(eps_m, count)
    if (params.k is not None and params.k < 2) or params.sample < 2:
        raise ConfigError("must be 2 or more", where="--k, --sample")


def _counts(read: Points) -> list[int]:
    """Return thresholds for this many points, rounded to two digits."""
    scale = max(1.0, total_weight(len(read), read.weight) / MIN_SAMPLES_POINTS)
    return [int(float(f"{count * scale:.1e}")) for count in MIN_SAMPLES]


def _report(trials: Trials, rows: list[dict[str, Any]], k: int | None) -> dict[str, Any]:
    read = trials.read
    scored = [row for row in rows if row["score"] is not None and not row["chains"]]
    best = max(scored, key=lambda row: row["score"]) if scored else None
    return {
        "source": {**read.source, "n_points": len(read)},
        "table": rows,
        "k_distance": k_distance(trials, k or (best["min_samples"] if best else MIN_SAMPLES[1]), best),
        "best": {name: best[name] for name in _BEST} if best else None,
    }


def _log(settings: Settings, run: Run, report: dict[str, Any]) -> None:
    """Log the suggestion, and the table as a nested run per row."""
    if report["k_distance"]["suggested_eps_m"] is not None:
        run.metrics({"suggested_eps_m": report["k_distance"]["suggested_eps_m"]})
    for row in report["table"]:
        parameters = {name: row[name] for name in ("eps_m", "min_samples")}
        name = f"eps {row['eps_m']:g} m, min_samples {row['min_samples']}"
        with tracking.run(settings, name, parameters, parent=run) as nested:
            nested.metrics({name: value for name, value in row.items() if name not in parameters})


def _result(report: dict[str, Any], uri: str) -> dict[str, Any]:
    return {name: report[name] for name in ("best", "table", "run_id", "run_key")} | {
        "n_points": report["source"]["n_points"],
        "synthetic": report["source"]["synthetic"],
        **points.reading_of(report["source"]),
        "by_zone": report["source"].get("by_zone", False),
        "suggested_eps_m": report["k_distance"]["suggested_eps_m"],
        "report_uri": storage.join(uri, KIND.manifest),
        "table_uri": storage.join(uri, table.PARQUET),
    }
