"""All trials of a comparison: sizes x repeats x engines, interleaved, and whether the engines agree."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cabstand import log
from cabstand.clustering import quality
from cabstand.clustering.metrics import unit_sphere
from cabstand.clustering.neighbours import lists_bytes, mean_count
from cabstand.jobs.comparing import processes, summary, worker
from cabstand.jobs.comparing.summary import Case
from cabstand.jobs.comparing.worker import Task
from cabstand.thread_limits import one_thread


class Sample(NamedTuple):
    """Points of one size, shape (n, 2) in degrees, with their weights."""

    latlon: NDArray[np.float64]
    weight: NDArray[np.float64] | None


def run(
    samples: Sequence[Sample],
    engines: Sequence[tuple[str, int]],
    eps_m: float,
    min_samples: int,
    repeats: int,
    budget: int,
) -> tuple[list[Case], list[dict[str, Any]]]:
    """Run every trial of engines (name, workers), and refuse one that is predicted to need more than `budget` bytes.

    Returns a case for each engine and size, and a check for each size: whether the engines agree, and how good the
    clustering is.
    """
    cases, checks = [], []
    n_trials = len(samples) * repeats * len(engines)
    with (
        tempfile.TemporaryDirectory(prefix="cabstand-") as scratch,
        log.progress("trials", n_trials) as advance,
        processes.started() as run_trial,
    ):
        for sample in samples:
            group = [Case(name, n_workers, len(sample.latlon)) for name, n_workers in engines]
            _refuse(group, sample.latlon, eps_m, budget)
            tasks = _tasks(Path(scratch), group, sample, eps_m, min_samples)
            for index in _order(len(group), repeats):
                if group[index].refused_bytes is None:
                    group[index].trials.append(run_trial(tasks[index]))
                advance(1)
            cases += group
            checks.append(_check(group, tasks, sample.latlon))
    return cases, checks


def _order(n_engines: int, repeats: int) -> Iterator[int]:
    """Yield engines interleaved, each round beginning with another one: other load on the machine affects all alike."""
    for repeat in range(repeats):
        yield from (int(index) for index in np.roll(np.arange(n_engines), -repeat))


def _refuse(group: list[Case], latlon: NDArray[np.float64], eps_m: float, budget: int) -> None:
    """Mark what would not fit into memory: scikit-learn holds every neighbour list."""
    baselines = [case for case in group if case.engine == summary.BASELINE]
    if baselines:
        need = lists_bytes(len(latlon), len(latlon) * mean_count(latlon, eps_m))
        for case in baselines:
            case.refused_bytes = need if need > budget else None


def _tasks(scratch: Path, group: list[Case], sample: Sample, eps_m: float, min_samples: int) -> list[Task]:
    points, weight = scratch / "points.npy", scratch / "weight.npy"
    np.save(points, sample.latlon)
    if sample.weight is not None:
        np.save(weight, sample.weight)
    return [
        Task(
            engine=case.engine,
            n_workers=case.n_workers,
            eps_m=eps_m,
            min_samples=min_samples,
            points=str(points),
            weight=None if sample.weight is None else str(weight),
            out=str(scratch / f"{index}.npz"),
        )
        for index, case in enumerate(group)
    ]


@one_thread()  # the products of `quality.measure` are of few numbers each: more threads of BLAS take longer
def _check(group: list[Case], tasks: list[Task], latlon: NDArray[np.float64]) -> dict[str, Any]:
    """Return whether the engines agree with each other and with themselves, and how good the clustering is."""
    done = [(case, task) for case, task in zip(group, tasks, strict=True) if case.trials]
    if not done:
        return {"n_points": len(latlon), "agree": True, "pairs": [], "quality": None}
    answers = {trial.answer for case, _ in done for trial in case.trials}
    first = worker.clustering(done[0][1])
    pairs = [
        {"first": done[0][0].engine, "second": case.engine, "n_workers": case.n_workers}
        | asdict(quality.agree(first, worker.clustering(task)))
        for case, task in done[1:]
    ]
    return {
        "n_points": len(latlon),
        "agree": len(answers) == 1,
        "pairs": pairs,
        "quality": asdict(quality.measure(quality.places(unit_sphere(latlon)), first.labels)),
    }
