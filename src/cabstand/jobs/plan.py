"""Predict what a clustering would take on each engine, and choose the engine and the size of its task."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cabstand.clustering import engines, planner
from cabstand.clustering.columns import End
from cabstand.clustering.planner import Prediction
from cabstand.clustering.workload import Workload
from cabstand.costs import task_sizes
from cabstand.errors import ConfigError, DataError
from cabstand.io import points, synthetic, tables, zones
from cabstand.io.dask import chunks
from cabstand.io.usage import free_bytes
from cabstand.settings import Settings

GIB, MIB = 1 << 30, 1 << 20
N_SAMPLED_CHUNKS = 12  # spread over the input
CHUNK_ROWS = 25_000
HEADROOM = 1.25  # of memory, for what the prediction may fall short


@dataclass(frozen=True)
class Params:
    """What to plan; the fields are the options of `cabstand plan`.

    By default the memory to use is 80 % of what is free.
    """

    input: str
    eps_m: float = 50.0
    min_samples: int = 20
    memory_gib: float | None = None
    n_workers: int | None = None
    end: End = "pickup"


@dataclass(frozen=True)
class Plan:
    """A workload and the predictions for each engine."""

    workload: Workload
    budget_mb: float
    engines: list[Prediction]

    @property
    def best(self) -> Prediction | None:
        """The fastest engine that fits, if one does."""
        fitting = [one for one in self.engines if one.peak_mb <= self.budget_mb]
        return min(fitting, key=lambda one: one.wall_s, default=None)

    @property
    def reason(self) -> str:
        """Why this engine was chosen, or none."""
        if self.best is not None:
            return f"the fastest that fits in {self.budget_mb:,.0f} MiB"
        least = self.least
        return f"nothing fits in {self.budget_mb:,.0f} MiB: the smallest, {least.engine}, needs {least.peak_mb:,.0f}"

    @property
    def least(self) -> Prediction:
        """The engine that needs the least memory."""
        return min(self.engines, key=lambda one: one.peak_mb)


def run(settings: Settings, params: Params) -> dict[str, Any]:
    """Predict each engine and choose the fastest that fits."""
    plan = _predict(settings, params)
    best, sized = plan.best, plan.best or plan.least
    size = task_sizes.smallest(sized.n_workers, sized.peak_mb * HEADROOM)
    return {
        "engine": best.engine if best else None,
        "n_workers": best.n_workers if best else None,
        "predicted_wall_s": best.wall_s if best else None,
        "predicted_peak_mb": best.peak_mb if best else None,
        "reason": plan.reason,
        "task": asdict(size) if size else None,
        "n_points": plan.workload.n_points,
        "n_sampled": len(plan.workload.sample),
        "neighbour_mass": planner.neighbour_mass(plan.workload),
        "memory_mb": plan.budget_mb,
        "engines": [asdict(one) | {"fits": one.peak_mb <= plan.budget_mb} for one in plan.engines],
    }


def choose(settings: Settings, params: Params) -> Prediction:
    """Return the engine that the plan chooses, with its workers and their memory; ConfigError if none fits."""
    plan = _predict(settings, params)
    if plan.best is None:
        raise ConfigError(plan.reason, where=params.input, hint="give it more memory, or see `cabstand plan`")
    return plan.best


def _predict(settings: Settings, params: Params) -> Plan:
    engines.check(params.eps_m, params.min_samples)
    n_workers = engines.named("multicore").workers(params.n_workers)
    budget_mb = params.memory_gib * 1024 if params.memory_gib else free_bytes() * 0.8 / MIB
    workload, by_files = _workload(settings, params)
    return Plan(workload, budget_mb, planner.predict(workload, n_workers, budget_mb, by_files=by_files))


def _workload(settings: Settings, params: Params) -> tuple[Workload, bool]:
    """Sample rows from all over Parquet files with coordinates, or else read the whole input."""
    settings = synthetic.admit(settings, params.input)
    try:
        sample, n_points = _sample(tables.expand(params.input), params.end)
        by_files = True
    except DataError:  # CSV, trips without coordinates, or an error that the other reader reports
        read = points.read(params.input, params.end, zones_uri=zones.table_uri(settings.lake_uri))
        step = max(1, len(read) // planner.SAMPLE_POINTS)
        sample, n_points, by_files = read.latlon[::step], len(read), False
    return Workload(sample, n_points, float(params.eps_m), params.min_samples), by_files


def _sample(uris: Sequence[str], end: End) -> tuple[NDArray[np.float64], int]:
    """Return points of some chunks, and an estimate of the number of all points."""
    every = chunks.split(uris, end, CHUNK_ROWS)
    n_sampled = min(N_SAMPLED_CHUNKS, len(every))
    sampled = [every[index] for index in sorted({round(at) for at in np.linspace(0, len(every) - 1, n_sampled)})]
    sample = np.concatenate([chunks.read(chunk).latlon for chunk in sampled])
    if not len(sample):
        raise DataError("no coordinates in the sample", where=uris[0])
    n_rows, n_read = (sum(chunk.n_rows for chunk in some) for some in (every, sampled))
    return sample, round(n_rows * len(sample) / n_read)
