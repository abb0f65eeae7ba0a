"""Sweep eps and min_samples over a grid: what each pair finds, the k-distance curve, and which pair to take."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from cabstand import log
from cabstand.clustering import engines, kdistance, quality
from cabstand.clustering.columns import End
from cabstand.errors import ConfigError
from cabstand.io import provenance, publish, registry, storage
from cabstand.io.points import Points
from cabstand.io.usage import measure
from cabstand.jobs import slot
from cabstand.jobs.slot import Shelf
from cabstand.settings import Settings

SCHEMA_VERSION = 1
REPORT, TABLE, CSV = "sweep.json", "table.parquet", "table.csv"
SHELF = Shelf("sweep", "sweeps", SCHEMA_VERSION, REPORT)
EPS_M = (25.0, 50.0, 75.0, 100.0, 150.0, 200.0)
MIN_SAMPLES = (10, 20, 50, 100, 200)


@dataclass(frozen=True)
class Params:
    """What to sweep.

    Attributes
    ----------
    input, engine, n_workers, end, weight_column, track, dry_run
        As for `cluster`.
    eps_m : sequence of float
        Radii in metres.
    min_samples : sequence of int
        Thresholds.
    k : int
        Neighbour of the k-distance curve.
    sample : int
        Points that the silhouette and the curve are computed on.
    seed : int
        Of the draws.
    """

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
    """Cluster at each pair and publish sweep.json and its table; a sweep that is there already is not made again.

    Raises
    ------
    ConfigError, DataError
        If a parameter or the input is wrong.
    """
    engine, n_workers = engines.parse(params.engine, params.n_workers)
    grid = _grid(params)
    with log.progress("reading"):
        read = slot.read_points(settings, params.input, params.end, params.weight_column)
    settled = asdict(params) | {"engine": engine.name, "n_workers": n_workers}
    settled = {name: value for name, value in settled.items() if name not in {"input", "track", "dry_run"}}
    place = SHELF.find(settings, {"input": read.sha256}, settled)
    if place.found:
        return _result(place.found, place.target) | {"reused": True}
    if params.dry_run:
        return place.planned(settled)
    source = registry.Source(read.uri, read.sha256)
    with (
        registry.run(settings, "sweep", settled, source=source, enabled=params.track) as tracked,
        publish.folder(place.target, REPORT) as folder,
    ):
        engine.warm_up(n_workers)
        with log.progress("sweeping", len(grid) + 1) as advance:
            rows = []
            for eps_m, min_samples in grid:
                rows.append(_cell(read, params, engine, n_workers, eps_m, min_samples))
                advance(1)
            curve = kdistance.k_distances(read.latlon, params.k, sample=params.sample, seed=params.seed)
        report = _report(read, rows, curve, settled | {"run_key": place.key, "run_id": tracked.id})
        _write(folder, report)
        _track(settings, tracked, folder, report)
    return _result(report, place.target) | {"reused": False}


def _grid(params: Params) -> list[tuple[float, int]]:
    grid = [(eps_m, count) for eps_m in sorted(set(params.eps_m)) for count in sorted(set(params.min_samples))]
    if not grid:
        raise ConfigError("no pair to try", where="--eps-m, --min-samples")
    for eps_m, count in grid:
        engines.check(eps_m, count)
    if params.k < 2 or params.sample < 2:
        raise ConfigError("must be 2 or more", where="--k, --sample")
    return grid


def _cell(
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
    """Return how much of the data lies in clusters that stand apart and are not one giant: silhouette x share."""
    if silhouette is None:
        return None
    return silhouette * float(sizes.sum() - sizes.max()) / n_points


def _report(
    read: Points, rows: list[dict[str, Any]], curve: np.ndarray[Any, Any], settled: Mapping[str, Any]
) -> dict[str, Any]:
    scored = [row for row in rows if row["score"] is not None]
    best = max(scored, key=lambda row: row["score"]) if scored else None
    return {
        "schema_version": SCHEMA_VERSION,
        "kind": "sweep",
        **settled,
        "source": {"uri": read.uri, "sha256": read.sha256, "n_points": len(read), "synthetic": read.synthetic},
        "table": rows,
        "k_distance": {
            "k": settled["k"],
            "sample": len(curve),
            "curve_m": kdistance.thinned(curve),
            "suggested_eps_m": round(kdistance.knee(curve), 1),
        },
        "best": {name: best[name] for name in ("eps_m", "min_samples", "score", "n_clusters")} if best else None,
        "code_version": provenance.code_version(),
        "created_at": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def _write(folder: Path, report: Mapping[str, Any]) -> None:
    table = pa.Table.from_pylist(report["table"])
    pq.write_table(table.replace_schema_metadata({"schema_version": str(SCHEMA_VERSION)}), folder / TABLE)
    pyarrow.csv.write_csv(table, folder / CSV)
    publish.write_json(folder / REPORT, report)


def _track(settings: Settings, tracked: registry.Run, folder: Path, report: Mapping[str, Any]) -> None:
    tracked.tags({"run_key": report["run_key"], "data.synthetic": report["source"]["synthetic"]})
    tracked.metrics({"suggested_eps_m": report["k_distance"]["suggested_eps_m"]})
    for name in (REPORT, TABLE, CSV):
        tracked.artifact(folder / name)
    for row in report["table"]:
        settled = {name: row[name] for name in ("eps_m", "min_samples")}
        name = f"eps {row['eps_m']:g} m, min_samples {row['min_samples']}"
        with registry.run(settings, name, settled, parent=tracked) as nested:
            nested.metrics({name: value for name, value in row.items() if name not in settled})


def _result(report: Mapping[str, Any], target: str) -> dict[str, Any]:
    return {
        "n_points": report["source"]["n_points"],
        "synthetic": report["source"]["synthetic"],
        "suggested_eps_m": report["k_distance"]["suggested_eps_m"],
        "best": report["best"],
        "table": report["table"],
        "run_id": report["run_id"],
        "run_key": report["run_key"],
        "report_uri": storage.join(target, REPORT),
        "table_uri": storage.join(target, TABLE),
    }
