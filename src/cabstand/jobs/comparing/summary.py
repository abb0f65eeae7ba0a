"""The table of a comparison, computed from its trials: means, speed-ups, tests, scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from cabstand.clustering import statistics
from cabstand.jobs.comparing.worker import Trial

BASELINE = "sklearn"
GIB = 1 << 30
COLUMNS = (
    *("engine", "n_workers", "n_points", "status", "note", "repeats", "wall_s", "wall_s_std", "wall_s_median"),
    *("cpu_s", "cpu_s_std", "cpu_share", "peak_rss_mb", "working_mb", "speedup", "speedup_low", "speedup_high"),
    *("cpu_speedup", "cpu_speedup_low", "cpu_speedup_high", "efficiency", "score", "n_clusters", "n_noise"),
    "would_need_gib",
)


@dataclass
class Case:
    """One engine at one size: its trials, or the bytes that it would need and was refused for."""

    engine: str
    n_workers: int
    n_points: int
    trials: list[Trial] = field(default_factory=list)
    refused_bytes: int | None = None

    @property
    def name(self) -> str:
        """Engine and workers, as the user writes them."""
        return f"{self.engine}:{self.n_workers}"

    def values(self, measure: str) -> list[float]:
        """Return one measure of each trial."""
        return [getattr(trial.usage, measure) for trial in self.trials]

    def mean(self, measure: str) -> float:
        """Return the mean of one measure over the trials."""
        return float(np.mean(self.values(measure)))


def table(cases: Sequence[Case], weights: Mapping[str, float], n_cores: int) -> list[dict[str, Any]]:
    """Return one row for each engine and size.

    `weights` are those of `wall_s`, `cpu_s` and `peak_rss_mb` in the combined score; `n_cores` is how many cores the
    trials could use, of which `cpu_share` is a share.
    """
    rows = []
    for n_points in sorted({case.n_points for case in cases}):
        group = [case for case in cases if case.n_points == n_points]
        base, alone = baseline(group), _sequential(group)
        measured = {case.name: {measure: case.mean(measure) for measure in weights} for case in group if case.trials}
        scores = statistics.combined_scores(measured, weights)
        rows += [_row(case, base, alone, scores, n_cores) for case in group]
    return rows


def tests(cases: Sequence[Case]) -> list[dict[str, Any]]:
    """Test each engine's wall times against the baseline's and the sequential engine's; one row per pair and size."""
    rows = []
    for n_points in sorted({case.n_points for case in cases}):
        group = [case for case in cases if case.n_points == n_points]
        bases = {id(base): base for base in (baseline(group), _sequential(group)) if base}
        rows += [_test(base, case) for base in bases.values() for case in group if case.trials and case is not base]
    return rows


def baseline(group: Sequence[Case]) -> Case | None:
    """Return what speed-ups are over: scikit-learn with the fewest workers, or else the first engine.

    None where scikit-learn was asked for and refused: a speed-up over another engine would not be comparable.
    """
    chosen = sorted((case for case in group if case.engine == BASELINE), key=lambda case: case.n_workers)
    base = (chosen or list(group))[0]
    return base if base.trials else None


def _sequential(group: Sequence[Case]) -> Case | None:
    return next((case for case in group if case.engine == "sequential" and case.trials), None)


def _row(
    case: Case, base: Case | None, alone: Case | None, scores: Mapping[str, float], n_cores: int
) -> dict[str, Any]:
    row: dict[str, Any] = {
        "engine": case.engine,
        "n_workers": case.n_workers,
        "n_points": case.n_points,
        "status": "measured" if case.trials else "refused",
        "note": None,
        "repeats": len(case.trials),
    }
    row |= dict.fromkeys(COLUMNS[len(row) :])
    if not case.trials:
        need = (case.refused_bytes or 0) / GIB
        return row | {"note": f"would need {need:.3g} GiB", "would_need_gib": need}
    wall, cpu = statistics.summarise(case.values("wall_s")), statistics.summarise(case.values("cpu_s"))
    row |= {
        "wall_s": wall.mean,
        "wall_s_std": wall.std,
        "wall_s_median": wall.median,
        "cpu_s": cpu.mean,
        "cpu_s_std": cpu.std,
        "cpu_share": cpu.mean / (wall.mean * n_cores),
        "peak_rss_mb": case.mean("peak_rss_mb"),
        "working_mb": case.mean("working_mb"),
        "n_clusters": case.trials[0].n_clusters,
        "n_noise": case.trials[0].n_noise,
        "score": scores[case.name],
    }
    if base:
        row |= _speed_up("speedup", base, case, "wall_s") | _speed_up("cpu_speedup", base, case, "cpu_s")
    if alone and case.engine != BASELINE:
        ratio = alone.mean("wall_s") / case.mean("wall_s")
        row["efficiency"] = statistics.parallel_efficiency(ratio, case.n_workers)
        row["note"] = _gain(alone, case)
    return row


def _gain(alone: Case, case: Case) -> str | None:
    """Return a note where more workers than one gain nothing: with few points threads cost more than they save."""
    found = statistics.speed_up(alone.values("wall_s"), case.values("wall_s"))
    low = found.ratio if found.low is None else found.low
    high = found.ratio if found.high is None else found.high
    if case is alone or low > 1:
        return None
    return "slower than sequential" if high < 1 else "not surely faster than sequential"


def _speed_up(name: str, base: Case, case: Case, measure: str) -> dict[str, float | None]:
    found = statistics.speed_up(base.values(measure), case.values(measure))
    return {name: found.ratio, f"{name}_low": found.low, f"{name}_high": found.high}


def _test(base: Case, case: Case) -> dict[str, Any]:
    return {
        "n_points": case.n_points,
        "base": base.name,
        "engine": case.name,
        **_speed_up("speedup", base, case, "wall_s"),
        **asdict(statistics.compare(base.values("wall_s"), case.values("wall_s"))),
    }
