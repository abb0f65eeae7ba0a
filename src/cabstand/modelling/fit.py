"""Training: split in time, search, fit, and put an honest interval around the point."""

from __future__ import annotations

import logging
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from cabstand.errors import DataError
from cabstand.modelling import interval, measures
from cabstand.modelling.problem import Assets, Candidate, Examples, FeatureMatrix, FloatArray, Problem

SEARCH_ROWS = 200_000  # candidates are compared on a sample; the winner learns from all rows
INTERVAL_ROWS = 1_000_000
ALIKE = 0.02  # metrics this near to each other, as a share of the best, are told apart by what an answer costs
N_FOLDS = 5
MIN_ROWS, MIN_HELD_OUT = 50, 20

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Model:
    """A fitted problem: estimators in memory, before they become a file.

    Attributes
    ----------
    candidate : str
        Name of the estimator that won.
    point : estimator
    interval : Interval or None
        None where the problem predicts a point alone.
    minimum : float or None
        No answer is below it.
    """

    candidate: str
    point: Any
    interval: interval.Interval | None = None
    minimum: float | None = None

    def answer(self, matrix: FeatureMatrix) -> dict[str, npt.NDArray[Any]]:
        """Return the outputs by name for features (n, k), as the exported file must give them."""
        if hasattr(self.point, "predict_proba"):
            probability = self.point.predict_proba(matrix)
            return {"label": np.argmax(probability, axis=1), "probability": probability}
        point = self._floored(self.point.predict(matrix))
        if self.interval is None:
            return {"point": point}
        low, high = self.interval.around(point, matrix)
        return {"point": point, "low": self._floored(low), "high": high}

    def _floored(self, values: FloatArray) -> FloatArray:
        return values if self.minimum is None else np.maximum(values, self.minimum)


@dataclass(frozen=True)
class Trained:
    """What training gave.

    Attributes
    ----------
    model : Model
    assets : mapping
        What the feature function needs, learned arrays included.
    table : list of dict
        One row a candidate: `candidate`, its metrics on the validation rows, `chosen`.
    """

    model: Model
    assets: Assets
    table: list[dict[str, Any]]


def split(examples: Examples, share: float, seed: int) -> tuple[Examples, Examples]:
    """Return earlier and later rows (`share` of them later); at random where rows have no time.

    Rows of one instant stay together: a tie is never on both sides.
    """
    if examples.time is None:
        order = np.random.default_rng(seed).permutation(len(examples))
        n_later = max(1, round(share * len(order)))
        return examples.take(np.sort(order[n_later:])), examples.take(np.sort(order[:n_later]))
    cut = np.sort(examples.time)[int((1 - share) * (len(examples) - 1))]
    return examples.take(examples.time < cut), examples.take(examples.time >= cut)


def check(problem: Problem, examples: Examples, role: str) -> None:
    """Raise a DataError unless the rows can be learned from or judged on."""
    where = f"{problem.name}, {role} rows"
    least = MIN_HELD_OUT if role == "holdout" else MIN_ROWS
    if len(examples) < least:
        raise DataError(f"{len(examples)} rows are too few", where=where, hint=f"at least {least} are needed")
    if not np.isfinite(examples.target.astype(np.float64)).all():
        raise DataError("the target has gaps", where=where)
    if role == "holdout":
        return
    if len(np.unique(examples.target[:100_000])) < 2:
        raise DataError("the target is the same in every row", where=where, hint="there is nothing to learn")
    if all(len(np.unique(values[:100_000])) < 2 for values in examples.columns.values()):
        raise DataError("every field is the same in every row", where=where, hint="there is nothing to learn from")


def one_thread() -> AbstractContextManager[Any]:
    """Keep BLAS and OpenMP to one thread for as long as the block runs.

    OpenMP's threads spin while they wait: beside any other work on the machine two of them took 30 times the wall time
    of one (measured: 196 s against 6.6 s for 100 boosted trees on 100,000 rows of 13 features).
    """
    from threadpoolctl import threadpool_limits

    limits: AbstractContextManager[Any] = threadpool_limits(1)
    return limits


def train(problem: Problem, examples: Examples, seed: int) -> Trained:
    """Choose the best candidate by later rows, fit it to all, and fit its interval.

    Parameters
    ----------
    problem : Problem
    examples : Examples
        Training rows; the holdout is not among them.
    seed : int
        Same rows, seed and library versions give the same model.
    """
    with one_thread():
        return _train(problem, examples, seed)


def _train(problem: Problem, examples: Examples, seed: int) -> Trained:
    check(problem, examples, "training")
    earlier, later = split(examples, 0.2, seed)
    check(problem, earlier, "training")
    learned = problem.learn(earlier) if problem.learn else {}
    assets = dict(examples.assets) | dict(learned)
    known = _cross_fitted(problem, earlier, seed)
    unseen = problem.matrix(later.columns, assets)
    # A feature that no training row has (no zones in the lake, say): gradient boosting cannot bin it, and a constant is
    # never split on. Requests may still bring NaN there.
    empty = np.isnan(known).all(axis=0)
    known[:, empty] = unseen[:, empty] = 0
    chosen, table = _search(problem, known, earlier.target, unseen, later.target, seed)
    _log.info("chosen: %s", chosen.name)
    everything = np.concatenate([known, unseen])
    point = chosen.build(seed).fit(everything, np.concatenate([earlier.target, later.target]))
    if problem.coverage is None:
        return Trained(Model(chosen.name, point, minimum=problem.target.minimum), assets, table)
    # The later rows must be new to the model whose errors on them are looked at.
    rows = _sample(len(known), INTERVAL_ROWS, seed)
    before = Model(chosen.name, chosen.build(seed).fit(known[rows], earlier.target[rows]), None, problem.target.minimum)
    around = interval.fit(unseen, before.answer(unseen)["point"], later.target, problem.coverage, seed)
    return Trained(Model(chosen.name, point, around, problem.target.minimum), assets, table)


def _cross_fitted(problem: Problem, examples: Examples, seed: int) -> FeatureMatrix:
    """Return features in which what is learned from targets comes, for each row, from the other rows.

    Else a pair of zones with one ride would be described by that very ride's duration.
    """
    if problem.learn is None:
        return problem.matrix(examples.columns, examples.assets)
    fold = np.random.default_rng(seed).integers(N_FOLDS, size=len(examples))
    found = np.empty((len(examples), len(problem.feature_names)), dtype=np.float32)
    for number in range(N_FOLDS):
        mine = fold == number
        assets = dict(examples.assets) | dict(problem.learn(examples.take(~mine)))
        found[mine] = problem.matrix(examples.take(mine).columns, assets)
    return found


def _search(
    problem: Problem,
    known: FeatureMatrix,
    target: npt.NDArray[Any],
    unseen: FeatureMatrix,
    truth: npt.NDArray[Any],
    seed: int,
) -> tuple[Candidate, list[dict[str, Any]]]:
    rows = _sample(len(known), SEARCH_ROWS, seed)
    judged = _sample(len(unseen), SEARCH_ROWS, seed)
    candidates, table = problem.candidates(), []
    for candidate in candidates:
        fitted = Model(candidate.name, candidate.build(seed).fit(known[rows], target[rows]))
        figures = measures.summarise(problem.task, truth[judged], fitted.answer(unseen[judged]))
        table.append({"candidate": candidate.name, **figures, **candidate.parameters})
        _log.info("%s: %s %.4f", candidate.name, problem.metric, figures[problem.metric])
    best = _cheapest(candidates, [row[problem.metric] for row in table])
    return candidates[best], [row | {"chosen": index == best} for index, row in enumerate(table)]


def _cheapest(candidates: list[Candidate], errors: list[float]) -> int:
    """Return the place of the best candidate, or of one that errs hardly more and answers at less cost."""
    alike = [index for index, error in enumerate(errors) if error <= min(errors) * (1 + ALIKE)]
    return min(alike, key=lambda index: (candidates[index].cost, errors[index]))


def _sample(n: int, at_most: int, seed: int) -> npt.NDArray[np.int64]:
    if n <= at_most:
        return np.arange(n)
    return np.sort(np.random.default_rng(seed).choice(n, at_most, replace=False))


def importance(model: Model, problem: Problem, examples: Examples, assets: Assets, seed: int) -> dict[str, float]:
    """Return by how much the metric's mean loss grows when a feature's values are shuffled (Breiman 2001)."""
    rows = examples.take(_sample(len(examples), 5_000, seed))
    matrix = problem.matrix(rows.columns, assets)
    before = float(measures.losses(problem.metric, rows.target, model.answer(matrix)).mean())
    rng, found = np.random.default_rng(seed), {}
    for index, name in enumerate(problem.feature_names):
        shuffled = matrix.copy()
        shuffled[:, index] = matrix[rng.permutation(len(matrix)), index]
        found[name] = float(measures.losses(problem.metric, rows.target, model.answer(shuffled)).mean()) - before
    return dict(sorted(found.items(), key=lambda item: -item[1]))
