"""Train a problem: split in time, choose among the candidates, fit the chosen one and its prediction interval."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from cabstand.errors import DataError
from cabstand.modelling import interval, measures
from cabstand.modelling.problem import Assets, Candidate, Examples, FeatureMatrix, FloatArray, Problem
from cabstand.thread_limits import one_thread

SEARCH_ROWS = 200_000  # candidates are compared on a sample; the chosen one is fitted to all rows
INTERVAL_ROWS = 1_000_000
NEARLY_BEST = 0.02  # among metrics within this share of the best, the cheapest candidate is chosen
N_FOLDS = 5
MIN_ROWS, MIN_HELD_OUT = 50, 20

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Model:
    """Fitted estimators in memory."""

    candidate: str
    point: Any  # an estimator
    interval: interval.Interval | None = None
    minimum: float | None = None  # lower bound of predictions

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
    """What training returns."""

    model: Model
    assets: Assets  # learned arrays included
    table: list[dict[str, Any]]  # one row per candidate: `candidate`, its metrics on the validation rows, `chosen`


def split(examples: Examples, share: float, seed: int) -> tuple[Examples, Examples]:
    """Return earlier and later rows (`share` of them later), split at random where rows have no time.

    Rows with equal times stay together.
    """
    if examples.time is None:
        order = np.random.default_rng(seed).permutation(len(examples))
        n_later = max(1, round(share * len(order)))
        return examples.take(np.sort(order[n_later:])), examples.take(np.sort(order[:n_later]))
    cut = np.sort(examples.time)[int((1 - share) * (len(examples) - 1))]
    return examples.take(examples.time < cut), examples.take(examples.time >= cut)


def check(problem: Problem, examples: Examples, role: str) -> None:
    """Raise a DataError unless the rows are fit for training, or evaluation if `role` is "holdout"."""
    where = f"{problem.name}, {role} rows"
    least = MIN_HELD_OUT if role == "holdout" else MIN_ROWS
    if len(examples) < least:
        raise DataError(f"{len(examples)} rows are too few", where=where, hint=f"at least {least} are needed")
    if not np.isfinite(examples.target.astype(np.float64)).all():
        raise DataError("the target has missing values", where=where)
    if examples.time is not None and examples.time.dtype.kind != "M":
        raise DataError(f"the time is {examples.time.dtype}, not datetime64", where=where)
    if examples.time is not None and np.isnat(examples.time).any():
        raise DataError("the time has missing values", where=where, hint="leave those rows out in `load`")
    check_columns(problem, examples, where)
    if role == "holdout":
        return
    if len(np.unique(examples.target[:100_000])) < 2:
        raise DataError("the target is the same in every row", where=where, hint="there is nothing to learn")
    if all(len(np.unique(values[:100_000])) < 2 for values in examples.columns.values()):
        raise DataError("every field is the same in every row", where=where, hint="there is nothing to learn from")


def check_columns(problem: Problem, examples: Examples, where: str) -> None:
    """Raise a DataError unless each field has a column of its kind, and gaps only where the field is optional."""
    for field in problem.fields:
        values = examples.columns.get(field.name)
        if values is None:
            raise DataError(f"`load` gives no column {field.name!r}", where=where)
        if field.kind == "category":
            unknown = np.setdiff1d(values.astype(str), np.asarray(field.choices))
            fault = f"holds {unknown[0][:60]!r}, which is not among its choices" if len(unknown) else ""
        elif values.dtype.kind not in {"number": "fiu", "integer": "fiu", "timestamp": "M"}[field.kind]:
            fault = f"is {values.dtype}, not of kind {field.kind}"
        else:
            empty = np.isnat(values) if field.kind == "timestamp" else ~np.isfinite(values)
            gaps = empty.any() and not field.optional
            fault = f"lacks {int(empty.sum()):,} values, but is not optional" if gaps else ""
        if fault:
            raise DataError(f"column {field.name!r} {fault}", where=where, hint="leave those rows out in `load`")


@one_thread()
def train(problem: Problem, examples: Examples, seed: int) -> Trained:
    """Choose the best candidate on later rows, fit it to all rows, and fit its interval.

    `examples` must not include the holdout. The same rows, seed and library versions give the same model.
    """
    check(problem, examples, "training")
    earlier, later = split(examples, 0.2, seed)
    check(problem, earlier, "training")
    assets = {**examples.assets, **(problem.learn(earlier) if problem.learn else {})}
    known = _Rows(_cross_fitted(problem, earlier, seed), earlier.target)
    unseen = _Rows(problem.matrix(later.columns, assets), later.target)
    # Gradient boosting cannot bin a feature that no training row has (without zones in the lake, say), and never splits
    # on a constant one. Requests may still have NaN there.
    empty = np.isnan(known.matrix).all(axis=0)
    known.matrix[:, empty] = unseen.matrix[:, empty] = 0
    chosen, table = _search(problem, known, unseen, seed)
    _log.info("chosen: %s", chosen.name)
    everything = _Rows(*map(np.concatenate, zip(known, unseen, strict=True)))
    model = Model(chosen.name, _fitted(chosen, everything, seed), minimum=problem.target.minimum)
    if problem.coverage is None:
        return Trained(model, assets, table)
    # The interval needs errors on rows that the model has not seen, so it takes a model of the earlier rows.
    earlier_model = replace(model, point=_fitted(chosen, known.sample(INTERVAL_ROWS, seed), seed))
    predicted = earlier_model.answer(unseen.matrix)["point"]
    fitted = interval.fit(unseen.matrix, predicted, unseen.target, problem.coverage, seed)
    return Trained(replace(model, interval=fitted), assets, table)


class _Rows(NamedTuple):
    """Features (n, k) and targets (n,)."""

    matrix: FeatureMatrix
    target: npt.NDArray[Any]

    def sample(self, at_most: int, seed: int) -> _Rows:
        chosen = _sample(len(self.target), at_most, seed)
        return _Rows(self.matrix[chosen], self.target[chosen])


def _cross_fitted(problem: Problem, examples: Examples, seed: int) -> FeatureMatrix:
    """Return features in which what is learned from targets comes from other folds than the row's own.

    Otherwise a pair of zones with one ride would be described by that ride's own duration.
    """
    if problem.learn is None:
        return problem.matrix(examples.columns, examples.assets)
    fold = np.random.default_rng(seed).integers(N_FOLDS, size=len(examples))
    found = np.empty((len(examples), len(problem.feature_names)), dtype=np.float32)
    for number in range(N_FOLDS):
        held_out = fold == number
        assets = {**examples.assets, **problem.learn(examples.take(~held_out))}
        found[held_out] = problem.matrix(examples.take(held_out).columns, assets)
    return found


def _fitted(candidate: Candidate, rows: _Rows, seed: int) -> Any:
    try:
        return candidate.build(seed).fit(*rows)
    except ValueError as error:
        what = str(error).splitlines()[0].split(". ")[0][:150]
        hint = "features with gaps need `cabstand.modelling.estimators.imputed` around it" if "NaN" in what else None
        raise DataError(f"cannot be fitted: {what}", where=f"candidate {candidate.name}", hint=hint) from error


def _search(problem: Problem, known: _Rows, unseen: _Rows, seed: int) -> tuple[Candidate, list[dict[str, Any]]]:
    """Fit all candidates to samples of known rows; return the one chosen on unseen rows, and the table of all."""
    training, validation = known.sample(SEARCH_ROWS, seed), unseen.sample(SEARCH_ROWS, seed)
    candidates, table = problem.candidates(), []
    for candidate in candidates:
        fitted = Model(candidate.name, _fitted(candidate, training, seed))
        figures = measures.summarise(problem.task, validation.target, fitted.answer(validation.matrix))
        table.append({"candidate": candidate.name, **figures, **candidate.parameters})
        _log.info("%s: %s %.4f", candidate.name, problem.metric, figures[problem.metric])
    best = cheapest(candidates, [row[problem.metric] for row in table])
    return candidates[best], [row | {"chosen": index == best} for index, row in enumerate(table)]


def cheapest(candidates: list[Candidate], errors: list[float]) -> int:
    """Return the index of the cheapest candidate among those with nearly the lowest error."""
    nearly_best = [index for index, error in enumerate(errors) if error <= min(errors) * (1 + NEARLY_BEST)]
    return min(nearly_best, key=lambda index: (candidates[index].cost, errors[index]))


def _sample(n: int, at_most: int, seed: int) -> npt.NDArray[np.int64]:
    if n <= at_most:
        return np.arange(n)
    return np.sort(np.random.default_rng(seed).choice(n, at_most, replace=False))


def importance(model: Model, problem: Problem, examples: Examples, assets: Assets, seed: int) -> dict[str, float]:
    """Return by how much shuffling each feature raises the mean loss (permutation importance, Breiman 2001)."""
    rows = examples.take(_sample(len(examples), 5_000, seed))
    matrix = problem.matrix(rows.columns, assets)
    before = float(measures.losses(problem.metric, rows.target, model.answer(matrix)).mean())
    rng, found = np.random.default_rng(seed), {}
    for index, name in enumerate(problem.feature_names):
        shuffled = matrix.copy()
        shuffled[:, index] = matrix[rng.permutation(len(matrix)), index]
        found[name] = float(measures.losses(problem.metric, rows.target, model.answer(shuffled)).mean()) - before
    return dict(sorted(found.items(), key=lambda item: -item[1]))
