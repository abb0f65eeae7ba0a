"""Say beforehand what a clustering would take, on which engine, and in a task of what size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cabstand.clustering import engines, planner
from cabstand.clustering.columns import End
from cabstand.clustering.planner import Prediction, Question
from cabstand.costs import task_sizes
from cabstand.errors import ConfigError, DataError
from cabstand.io import points, tables, zones
from cabstand.io.dask import chunks
from cabstand.io.usage import free_bytes
from cabstand.settings import Settings

GIB, MIB = 1 << 30, 1 << 20
N_LOOKS = 12  # places in the input where rows are read
LOOK_ROWS = 25_000
HEADROOM = 1.25  # of memory, for what the prediction may be short by


@dataclass(frozen=True)
class Params:
    """What is to be planned.

    Attributes
    ----------
    input : str
        URI, glob or folder of trips.
    eps_m : float
        Radius of a neighbourhood in metres.
    min_samples : int
        Points that make a core point.
    memory_gib : float, optional
        Memory that may be used; by default 80 % of what is free.
    n_workers : int, optional
        Threads or processes; one a core by default.
    end : {"pickup", "dropoff"}
        Which end of the trips.
    """

    input: str
    eps_m: float = 50.0
    min_samples: int = 20
    memory_gib: float | None = None
    n_workers: int | None = None
    end: End = "pickup"


@dataclass(frozen=True)
class Plan:
    """What was asked, what each engine would take, and the fastest that fits, if one does."""

    question: Question
    budget_mb: float
    engines: list[Prediction]
    best: Prediction | None

    @property
    def reason(self) -> str:
        """Why this one, or why none."""
        if self.best is not None:
            return f"the fastest that fits in {self.budget_mb:,.0f} MiB"
        least = self.least
        return f"nothing fits in {self.budget_mb:,.0f} MiB: the smallest, {least.engine}, needs {least.peak_mb:,.0f}"

    @property
    def least(self) -> Prediction:
        """The engine that needs least memory."""
        return min(self.engines, key=lambda one: one.peak_mb)


def run(settings: Settings, params: Params) -> dict[str, Any]:
    """Predict each engine and pick the fastest that fits.

    Raises
    ------
    ConfigError, DataError
        If a parameter or the input is wrong.
    """
    plan = _make(settings, params)
    best, sized = plan.best, plan.best or plan.least
    size = task_sizes.smallest(sized.n_workers, sized.peak_mb * HEADROOM)
    return {
        "engine": best.engine if best else None,
        "n_workers": best.n_workers if best else None,
        "predicted_wall_s": best.wall_s if best else None,
        "predicted_peak_mb": best.peak_mb if best else None,
        "reason": plan.reason,
        "task": asdict(size) if size else None,
        "n_points": plan.question.n_points,
        "n_sampled": len(plan.question.sample),
        "neighbour_mass": planner.neighbour_mass(plan.question),
        "memory_mb": plan.budget_mb,
        "engines": [asdict(one) | {"fits": one.peak_mb <= plan.budget_mb} for one in plan.engines],
    }


def choose(settings: Settings, params: Params) -> Prediction:
    """Return the engine that the plan picks, with its number of workers and their memory.

    Raises
    ------
    ConfigError
        If none fits, with the reason.
    """
    plan = _make(settings, params)
    if plan.best is None:
        raise ConfigError(plan.reason, where=params.input, hint="give it more memory, or look at `cabstand plan`")
    return plan.best


def _make(settings: Settings, params: Params) -> Plan:
    engines.check(params.eps_m, params.min_samples)
    n_workers = engines.named("multicore").workers(params.n_workers)
    budget_mb = params.memory_gib * 1024 if params.memory_gib else free_bytes() * 0.8 / MIB
    question, by_files = _look(settings, params)
    table = planner.predict(question, n_workers, budget_mb, by_files=by_files)
    fitting = [one for one in table if one.peak_mb <= budget_mb]
    return Plan(question, budget_mb, table, min(fitting, key=lambda one: one.wall_s, default=None))


def _look(settings: Settings, params: Params) -> tuple[Question, bool]:
    """Read a sample: rows from all over Parquet files, or else the whole input."""
    try:
        sample, n_points = _sample(tables.expand(params.input), params.end)
        by_files = True
    except (
        DataError
    ):  # CSV, or trips that know their zone alone: read as `cluster` does, which also tells what is wrong
        read = points.read(params.input, params.end, zones_uri=zones.table_uri(settings.lake_uri))
        step = max(1, len(read) // planner.SAMPLE_POINTS)
        sample, n_points, by_files = read.latlon[::step], len(read), False
    return Question(sample, n_points, float(params.eps_m), params.min_samples), by_files


def _sample(uris: Sequence[str], end: End) -> tuple[NDArray[np.float64], int]:
    plan = chunks.plan(uris, end, LOOK_ROWS)
    n_rows = sum(chunk.n_rows for chunk in plan)
    picked = sorted({round(place) for place in np.linspace(0, len(plan) - 1, min(N_LOOKS, len(plan)))})
    read = [chunks.read(plan[place])[1] for place in picked]
    seen = sum(plan[place].n_rows for place in picked)
    sample = np.concatenate(read)
    if not len(sample):
        raise DataError("no coordinates in the sample", where=uris[0])
    return sample, round(n_rows * len(sample) / seen)
