"""All trials of a comparison: sizes x repeats x engines, interleaved, and whether the answers agree."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cabstand import log
from cabstand.clustering import quality
from cabstand.clustering.neighbours import lists_bytes, mean_count
from cabstand.jobs.comparing import summary, trial
from cabstand.jobs.comparing.summary import Cell


class Drawn(NamedTuple):
    """Points of one size, shape (n, 2) in degrees, with their weights."""

    latlon: NDArray[np.float64]
    weight: NDArray[np.float64] | None


def run(
    drawn: Sequence[Drawn],
    engines: Sequence[tuple[str, int]],
    eps_m: float,
    min_samples: int,
    repeats: int,
    budget: int,
) -> tuple[list[Cell], list[dict[str, Any]]]:
    """Run every trial.

    Parameters
    ----------
    drawn : sequence of Drawn
        One a size.
    engines : sequence of (str, int)
        Name and workers of each.
    eps_m, min_samples : float, int
        Of the clustering.
    repeats : int
        Trials of each engine and size.
    budget : int
        Bytes an engine may take; one predicted above is refused.

    Returns
    -------
    cells : list of Cell
        One an engine and size.
    checks : list of dict
        One a size: whether the engines agree, and how good the clustering is.
    """
    cells, checks = [], []
    with (
        tempfile.TemporaryDirectory(prefix="cabstand-") as scratch,
        log.progress("trials", len(drawn) * repeats * len(engines)) as advance,
    ):
        for points in drawn:
            group = [Cell(name, n_workers, len(points.latlon)) for name, n_workers in engines]
            _refuse(group, points.latlon, eps_m, budget)
            specs = _specs(Path(scratch), group, points, eps_m, min_samples)
            for repeat in range(repeats):
                # Interleaved, and each round begins with another engine: what else the machine does hits all alike.
                for index in np.roll(np.arange(len(group)), -repeat):
                    if group[index].refused_bytes is None:
                        group[index].trials.append(trial.run(specs[index]))
                    advance(1)
            cells += group
            checks.append(_check(group, specs, points.latlon))
    return cells, checks


def _refuse(group: list[Cell], latlon: NDArray[np.float64], eps_m: float, budget: int) -> None:
    """Mark what would not fit memory: scikit-learn keeps every neighbour list."""
    keepers = [cell for cell in group if cell.engine == summary.BASELINE]
    if keepers:
        need = lists_bytes(len(latlon), len(latlon) * mean_count(latlon, eps_m))
        for cell in keepers:
            cell.refused_bytes = need if need > budget else None


def _specs(scratch: Path, group: list[Cell], points: Drawn, eps_m: float, min_samples: int) -> list[trial.Spec]:
    places, weights = scratch / "points.npy", scratch / "weight.npy"
    np.save(places, points.latlon)
    if points.weight is not None:
        np.save(weights, points.weight)
    return [
        trial.Spec(
            engine=cell.engine,
            n_workers=cell.n_workers,
            eps_m=eps_m,
            min_samples=min_samples,
            points=str(places),
            weight=None if points.weight is None else str(weights),
            out=str(scratch / f"{index}.npz"),
        )
        for index, cell in enumerate(group)
    ]


def _check(group: list[Cell], specs: list[trial.Spec], latlon: NDArray[np.float64]) -> dict[str, Any]:
    """Say whether the engines agree, each with each and with itself, and how good the clustering is."""
    done = [(cell, spec) for cell, spec in zip(group, specs, strict=True) if cell.trials]
    if not done:
        return {"n_points": len(latlon), "agree": True, "pairs": [], "quality": None}
    answers = {one.answer for cell, _ in done for one in cell.trials}
    first = trial.labels(done[0][1])
    pairs = [
        {"first": done[0][0].engine, "second": cell.engine, "n_workers": cell.n_workers}
        | asdict(quality.agree(first, trial.labels(spec)))
        for cell, spec in done[1:]
    ]
    return {
        "n_points": len(latlon),
        "agree": len(answers) == 1,
        "pairs": pairs,
        "quality": asdict(quality.measure(latlon, first.labels)),
    }
