"""The table of a comparison, from its trials: means, speed-ups, tests, scores. No input, no output."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from cabstand.clustering import statistics
from cabstand.jobs.comparing.trial import Trial

BASELINE = "sklearn"
GIB = 1 << 30
COLUMNS = (
    *("engine", "n_workers", "n_points", "status", "note", "repeats", "wall_s", "wall_s_std", "wall_s_median"),
    *("cpu_s", "cpu_s_std", "cpu_share", "peak_rss_mb", "working_mb", "speedup", "speedup_low", "speedup_high"),
    *("cpu_speedup", "cpu_speedup_low", "cpu_speedup_high", "efficiency", "score", "n_clusters", "n_noise"),
    "would_need_gib",
)


@dataclass
class Cell:
    """One engine at one size: its trials, or the bytes for which it was refused."""

    engine: str
    n_workers: int
    n_points: int
    trials: list[Trial] = field(default_factory=list)
    refused_bytes: int | None = None

    def values(self, measure: str) -> list[float]:
        """Return one measure of the repeats."""
        return [getattr(trial.usage, measure) for trial in self.trials]

    def mean(self, measure: str) -> float:
        """Return the mean of one measure."""
        return float(np.mean(self.values(measure)))


def table(cells: Sequence[Cell], weights: Mapping[str, float], n_cores: int) -> list[dict[str, Any]]:
    """Return one row an engine and size.

    Parameters
    ----------
    cells : sequence of Cell
    weights : mapping
        Of `wall_s`, `cpu_s` and `peak_rss_mb` in the combined score.
    n_cores : int
        Cores that the trials could use; the CPU share is of them.
    """
    rows = []
    for n_points in sorted({cell.n_points for cell in cells}):
        group = [cell for cell in cells if cell.n_points == n_points]
        base, alone = baseline(group), _sequential(group)
        measured = {
            f"{cell.engine}:{cell.n_workers}": {name: cell.mean(name) for name in weights}
            for cell in group
            if cell.trials
        }
        scores = statistics.combined_scores(measured, weights)
        rows += [_row(cell, base, alone, scores, n_cores) for cell in group]
    return rows


def tests(cells: Sequence[Cell]) -> list[dict[str, Any]]:
    """Test each engine's wall times against the baseline's and the sequential engine's; a row a pair and size."""
    rows = []
    for n_points in sorted({cell.n_points for cell in cells}):
        group = [cell for cell in cells if cell.n_points == n_points]
        bases = {id(base): base for base in (baseline(group), _sequential(group)) if base}
        rows += [_test(base, cell) for base in bases.values() for cell in group if cell.trials and cell is not base]
    return rows


def baseline(group: Sequence[Cell]) -> Cell | None:
    """Return what the others are measured against: scikit-learn with the fewest workers, else the first engine.

    None where scikit-learn was asked for and refused: a speed-up over something else would not be comparable.
    """
    chosen = sorted((cell for cell in group if cell.engine == BASELINE), key=lambda cell: cell.n_workers)
    base = (chosen or list(group))[0]
    return base if base.trials else None


def _sequential(group: Sequence[Cell]) -> Cell | None:
    return next((cell for cell in group if cell.engine == "sequential" and cell.trials), None)


def _row(
    cell: Cell, base: Cell | None, alone: Cell | None, scores: Mapping[str, float], n_cores: int
) -> dict[str, Any]:
    row: dict[str, Any] = {
        "engine": cell.engine,
        "n_workers": cell.n_workers,
        "n_points": cell.n_points,
        "status": "measured" if cell.trials else "refused",
        "note": None,
        "repeats": len(cell.trials),
    }
    row |= dict.fromkeys(COLUMNS[len(row) :])
    if not cell.trials:
        need = (cell.refused_bytes or 0) / GIB
        return row | {"note": f"would need {need:.3g} GiB", "would_need_gib": need}
    wall, cpu = statistics.summarise(cell.values("wall_s")), statistics.summarise(cell.values("cpu_s"))
    row |= {
        "wall_s": wall.mean,
        "wall_s_std": wall.std,
        "wall_s_median": wall.median,
        "cpu_s": cpu.mean,
        "cpu_s_std": cpu.std,
        "cpu_share": cpu.mean / (wall.mean * n_cores),
        "peak_rss_mb": cell.mean("peak_rss_mb"),
        "working_mb": cell.mean("working_mb"),
        "n_clusters": cell.trials[0].n_clusters,
        "n_noise": cell.trials[0].n_noise,
        "score": scores[f"{cell.engine}:{cell.n_workers}"],
    }
    if base:
        row |= _speed("speedup", statistics.speed_up(base.values("wall_s"), cell.values("wall_s")))
        row |= _speed("cpu_speedup", statistics.speed_up(base.values("cpu_s"), cell.values("cpu_s")))
    if alone and cell.engine != BASELINE:
        ratio = alone.mean("wall_s") / cell.mean("wall_s")
        row["efficiency"] = statistics.parallel_efficiency(ratio, cell.n_workers)
        row["note"] = _gain(alone, cell)
    return row


def _gain(alone: Cell, cell: Cell) -> str | None:
    """Say so where more workers than one bring nothing: at few points threads cost more than they save."""
    found = statistics.speed_up(alone.values("wall_s"), cell.values("wall_s"))
    low = found.ratio if found.low is None else found.low
    high = found.ratio if found.high is None else found.high
    if cell is alone or low > 1:
        return None
    return "slower than sequential" if high < 1 else "not surely faster than sequential"


def _speed(name: str, found: statistics.SpeedUp) -> dict[str, float | None]:
    return {name: found.ratio, f"{name}_low": found.low, f"{name}_high": found.high}


def _test(base: Cell, cell: Cell) -> dict[str, Any]:
    first, second = base.values("wall_s"), cell.values("wall_s")
    return {
        "n_points": cell.n_points,
        "base": f"{base.engine}:{base.n_workers}",
        "engine": f"{cell.engine}:{cell.n_workers}",
        **_speed("speedup", statistics.speed_up(first, second)),
        **asdict(statistics.compare(first, second)),
    }
