"""Compare engines: the same points, a process a trial, interleaved; who is faster, by how much, and do they agree."""

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
from cabstand.clustering import engines
from cabstand.clustering.columns import End
from cabstand.errors import ConfigError
from cabstand.io import provenance, publish, registry, storage
from cabstand.io.points import Points
from cabstand.io.usage import free_bytes
from cabstand.jobs import slot
from cabstand.jobs.comparing import summary, trials
from cabstand.jobs.comparing.summary import GIB, Cell
from cabstand.jobs.slot import Shelf
from cabstand.settings import Settings

SCHEMA_VERSION = 1
REPORT, TABLE, CSV = "comparison.json", "table.parquet", "table.csv"
SHELF = Shelf("compare", "comparisons", SCHEMA_VERSION, REPORT)


@dataclass(frozen=True)
class Params:
    """What to compare.

    Attributes
    ----------
    input, eps_m, min_samples, end, weight_column, track, dry_run
        As for `cluster`.
    engines : sequence of str
        `engine` or `engine:workers` each.
    sizes : sequence of int
        Points to take, drawn at random and kept in order; empty is a quarter, a half and all.
    repeats : int
        Trials of each engine and size.
    n_workers : int, optional
        Workers of the engines that name none; one a core by default, one for scikit-learn.
    memory_gib : float, optional
        What an engine may take; an engine predicted above it is refused.
    seed : int
        Of the draws.
    """

    input: str
    engines: Sequence[str] = ("sequential", "multicore", "sklearn")
    sizes: Sequence[int] = ()
    repeats: int = 5
    eps_m: float = 50.0
    min_samples: int = 20
    n_workers: int | None = None
    end: End = "pickup"
    weight_column: str | None = None
    memory_gib: float | None = None
    seed: int = 0
    track: bool = True
    dry_run: bool = False


def run(settings: Settings, params: Params) -> dict[str, Any]:
    """Run the trials and publish comparison.json and its table; `agree` in the result says whether the engines do.

    Raises
    ------
    ConfigError, DataError
        If a parameter or the input is wrong.
    TaskError
        If an engine fails.
    """
    chosen = _engines(params)
    engines.check(params.eps_m, params.min_samples)
    with log.progress("reading"):
        read = slot.read_points(settings, params.input, params.end, params.weight_column)
    sizes = _sizes(params.sizes, len(read))
    budget = int((params.memory_gib or settings.compare_memory_gib) * GIB) or int(free_bytes() * 0.8)
    settled = _settled(settings, params, chosen, sizes)
    place = SHELF.find(settings, {"input": read.sha256}, settled)
    if place.found and place.found["agree"]:
        return _result(place.found, place.target) | {"reused": True}
    if params.dry_run:
        return place.planned(settled)
    source = registry.Source(read.uri, read.sha256)
    with (
        registry.run(settings, "compare", settled, source=source, enabled=params.track) as tracked,
        publish.folder(place.target, REPORT) as folder,
    ):
        drawn = [_draw(read, n_points, params.seed) for n_points in sizes]
        cells, checks = trials.run(drawn, chosen, params.eps_m, params.min_samples, params.repeats, budget)
        report = _report(read, cells, checks, settled | {"run_key": place.key, "run_id": tracked.id})
        _write(folder, report)
        _track(settings, tracked, folder, report)
    return _result(report, place.target) | {"reused": False}


def _engines(params: Params) -> list[tuple[str, int]]:
    if params.repeats < 1:
        raise ConfigError(f"repeats must be 1 or more, not {params.repeats}", where="repeats")
    chosen = []
    for text in params.engines:
        # scikit-learn as its users know it: `n_jobs` is one unless they say otherwise.
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


def _settled(settings: Settings, params: Params, chosen: list[tuple[str, int]], sizes: list[int]) -> dict[str, Any]:
    return {
        "engines": [f"{name}:{n_workers}" for name, n_workers in chosen],
        "sizes": sizes,
        "repeats": params.repeats,
        "eps_m": float(params.eps_m),
        "min_samples": params.min_samples,
        "end": params.end,
        "weight_column": params.weight_column,
        "seed": params.seed,
        "memory_gib": params.memory_gib or settings.compare_memory_gib,
        "score_weights": {
            "wall_s": settings.score_weight_wall,
            "cpu_s": settings.score_weight_cpu,
            "peak_rss_mb": settings.score_weight_memory,
        },
    }


def _draw(read: Points, n_points: int, seed: int) -> trials.Drawn:
    if n_points == len(read):
        return trials.Drawn(read.latlon, read.weight)
    drawn = np.sort(np.random.default_rng(seed).choice(len(read), n_points, replace=False))
    return trials.Drawn(read.latlon[drawn], None if read.weight is None else read.weight[drawn])


def _report(
    read: Points, cells: list[Cell], checks: list[dict[str, Any]], settled: Mapping[str, Any]
) -> dict[str, Any]:
    n_cores = engines.available_cores()
    return {
        "schema_version": SCHEMA_VERSION,
        "kind": "comparison",
        **settled,
        "source": {"uri": read.uri, "sha256": read.sha256, "n_points": len(read), "synthetic": read.synthetic},
        "baseline": summary.BASELINE if any(c.engine == summary.BASELINE for c in cells) else cells[0].engine,
        "n_cores": n_cores,
        "agree": all(check["agree"] for check in checks),
        "table": summary.table(cells, settled["score_weights"], n_cores),
        "tests": summary.tests(cells),
        "checks": checks,
        "trials": [
            {"engine": cell.engine, "n_workers": cell.n_workers, "n_points": cell.n_points, "repeat": repeat}
            | asdict(one.usage)
            | {"process_cpu_s": one.process_cpu_s}
            for cell in cells
            for repeat, one in enumerate(cell.trials)
        ],
        "code_version": provenance.code_version(),
        "created_at": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def _write(folder: Path, report: Mapping[str, Any]) -> None:
    table = pa.Table.from_pylist(report["table"]).select(list(summary.COLUMNS))
    pq.write_table(table.replace_schema_metadata({"schema_version": str(SCHEMA_VERSION)}), folder / TABLE)
    pyarrow.csv.write_csv(table, folder / CSV)
    publish.write_json(folder / REPORT, report)


def _track(settings: Settings, tracked: registry.Run, folder: Path, report: Mapping[str, Any]) -> None:
    tracked.tags(
        {"run_key": report["run_key"], "agree": report["agree"], "data.synthetic": report["source"]["synthetic"]}
    )
    tracked.metrics({"agree": float(report["agree"])})
    for name in (REPORT, TABLE, CSV):
        tracked.artifact(folder / name)
    for row in report["table"]:
        name = f"{row['engine']}:{row['n_workers']} at {row['n_points']}"
        settled = {key: row[key] for key in ("engine", "n_workers", "n_points", "status", "note")}
        with registry.run(settings, name, settled, parent=tracked) as nested:
            nested.metrics(row)


def _result(report: Mapping[str, Any], target: str) -> dict[str, Any]:
    kept = ("agree", "baseline", "eps_m", "min_samples", "repeats", "run_id", "run_key", "table")
    return {name: report[name] for name in kept} | {
        "synthetic": report["source"]["synthetic"],
        "quality": report["checks"][-1]["quality"],
        "report_uri": storage.join(target, REPORT),
        "table_uri": storage.join(target, TABLE),
    }
