"""Sweep eps and min_samples over a grid: the clusters of each pair, the k-distance curve, and a suggested eps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from cabstand import log
from cabstand.clustering import engines, kdistance, quality
from cabstand.clustering.columns import End
from cabstand.errors import ConfigError
from cabstand.io import points, storage, tracking, zones
from cabstand.io.points import Points
from cabstand.io.tracking import Run, Source
from cabstand.io.usage import measure
from cabstand.jobs.publishing import table
from cabstand.jobs.publishing.once import Kind, Output, Request, publish_once
from cabstand.settings import Settings

REPORT = "sweep.json"
KIND = Kind("sweep", "sweep", "sweeps", manifest=REPORT, artifacts=(table.PARQUET, table.CSV))
EPS_M = (25.0, 50.0, 75.0, 100.0, 150.0, 200.0)
MIN_SAMPLES = (10, 20, 50, 100, 200)


@dataclass(frozen=True)
class Params:
    """What to sweep, and how; the fields are the options of `cabstand sweep`."""

    input: str
    eps_m: Sequence[float] = EPS_M
    min_samples: Sequence[int] = MIN_SAMPLES
    engine: str = "multicore"
    n_workers: int | None = None
    k: int = 20
    sample: int = 2000
    end: End = "pickup"
    weight_column: str | None = None
    seed: int = 0
    track: bool = True
    dry_run: bool = False


def run(settings: Settings, params: Params) -> dict[str, Any]:
    """Cluster at each pair and publish the report, unless it exists already."""
    engine, n_workers = engines.parse(params.engine, params.n_workers)
    grid = _grid(params)
    zones_uri = zones.table_uri(settings.lake_uri)
    with log.progress("reading"):
        read = points.read(params.input, params.end, weight_column=params.weight_column, zones_uri=zones_uri)

    def compute(output: Output) -> dict[str, Any]:
        with log.progress("preparing the kernels"):
            engine.warm_up(n_workers)
        with log.progress("sweeping", len(grid) + 1) as advance:
            rows = []
            for eps_m, min_samples in grid:
                rows.append(_row(read, params, engine, n_workers, eps_m, min_samples))
                advance(1)
            curve = kdistance.k_distances(read.latlon, params.k, sample=params.sample, seed=params.seed)
        table.write(output.folder, rows, KIND.schema_version)
        report = _report(read, rows, curve, params.k)
        _log(settings, output.run, report)
        return report

    parameters = asdict(params) | {"engine": engine.name, "n_workers": n_workers}
    parameters = {name: value for name, value in parameters.items() if name not in {"input", "track", "dry_run"}}
    request = Request(Source(read.uri, read.sha256), parameters, track=params.track, dry_run=params.dry_run)
    return publish_once(settings, KIND, request, compute, _result)


def _grid(params: Params) -> list[tuple[float, int]]:
    grid = [(eps_m, count) for eps_m in sorted(set(params.eps_m)) for count in sorted(set(params.min_samples))]
    if not grid:
        raise ConfigError("no parameters to try", where="--eps-m, --min-samples")
    for eps_m, count in grid:
        engines.check(eps_m, count)
    if params.k < 2 or params.sample < 2:
        raise ConfigError("must be 2 or more", where="--k, --sample")
    return grid


def _row(
    read: Points, params: Params, engine: engines.Engine, n_workers: int, eps_m: float, min_samples: int
) -> dict[str, Any]:
    found, usage = measure(lambda: engine.run(read.latlon, eps_m, min_samples, read.weight, n_workers))
    sizes = np.bincount(found.labels[found.labels >= 0], minlength=1)
    n_noise = int(np.count_nonzero(found.labels < 0))
    shape = quality.measure(read.latlon, found.labels, sample=params.sample, seed=params.seed)
    return {
        "eps_m": eps_m,
        "min_samples": min_samples,
        "n_clusters": found.n_clusters,
        "n_noise": n_noise,
        "n_core": int(np.count_nonzero(found.core)),
        "noise_share": n_noise / len(read),
        "largest_share": int(sizes.max()) / len(read),
        "silhouette": shape.silhouette,
        "davies_bouldin": shape.davies_bouldin,
        "calinski_harabasz": shape.calinski_harabasz,
        "silhouette_sample": shape.sample,
        "score": _score(shape.silhouette, sizes, len(read)),
        "wall_s": usage.wall_s,
        "cpu_s": usage.cpu_s,
    }


def _score(silhouette: float | None, sizes: np.ndarray[Any, Any], n_points: int) -> float | None:
    """Return the silhouette times the share of points in clusters other than the largest."""
    if silhouette is None:
        return None
    return silhouette * float(sizes.sum() - sizes.max()) / n_points


def _report(read: Points, rows: list[dict[str, Any]], curve: np.ndarray[Any, Any], k: int) -> dict[str, Any]:
    scored = [row for row in rows if row["score"] is not None]
    best = max(scored, key=lambda row: row["score"]) if scored else None
    return {
        "source": {"uri": read.uri, "sha256": read.sha256, "n_points": len(read), "synthetic": read.synthetic},
        "table": rows,
        "k_distance": {
            "k": k,
            "sample": len(curve),
            "curve_m": kdistance.thinned(curve),
            "suggested_eps_m": round(kdistance.knee(curve), 1),
        },
        "best": {name: best[name] for name in ("eps_m", "min_samples", "score", "n_clusters")} if best else None,
    }


def _log(settings: Settings, run: Run, report: dict[str, Any]) -> None:
    """Log the suggestion, and the table as a nested run per row."""
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
        "suggested_eps_m": report["k_distance"]["suggested_eps_m"],
        "report_uri": storage.join(uri, REPORT),
        "table_uri": storage.join(uri, table.PARQUET),
    }
