"""Estimate a model's error from its predictions alone, while the truth has not come.

A model of the absolute error, fitted to the holdout, is averaged over the current predictions. That is direct loss
estimation (NannyML's documentation, "How it works: estimation of performance of the monitored model"). It sees which
rows came, not what happened to them: rides to farther zones raise the estimate, a city in which every ride takes longer
does not. `cabstand replay` shows how far it was from what came.

The model is linear in the prediction and the ends of its interval. On real months boosted trees of the same columns, or
of all features, were no better (docs/monitoring.md).

It is fitted when it is needed, from the holdout that is frozen beside the bundle. That takes milliseconds, works for
every model that exists, and needs no further file in the bundle, whose format would change with it. The reference rows
in the bundle would not do: the model has learned from them, and its errors on them are too small.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cabstand.errors import DataError
from cabstand.monitoring.findings import Estimate
from cabstand.monitoring.quality import Array, FloatArray, Tally

MIN_ROWS = 200
WHERE = "late truth"


@dataclass(frozen=True)
class Answers:
    """Predictions (n,) and, if there are intervals, their ends."""

    predicted: Array
    low: Array | None = None
    high: Array | None = None

    def __len__(self) -> int:
        return len(self.predicted)


@dataclass(frozen=True)
class ErrorModel:
    """What the absolute error of a row is expected to be, in the target's unit."""

    coefficients: FloatArray  # of 1, the prediction and, if there are intervals, the lengths below and above it
    margin: float  # half the 95 % interval of the mean residual on the holdout
    n: int  # rows of the holdout

    def expected(self, answers: Answers) -> FloatArray:
        """Return the expected absolute error of each row (n,)."""
        columns = _columns(answers)
        if columns.shape[1] != len(self.coefficients):
            raise DataError("intervals are in the holdout or the predictions alone", where=WHERE)
        return np.maximum(columns @ self.coefficients, 0.0)

    def estimate(self, batches: Iterable[Answers]) -> Estimate:
        """Return the mean absolute error to be expected on these rows, with the 95 % interval of what will be measured.

        Measured errors vary about the estimate as the residuals on the holdout do, in both samples: the interval is
        `sqrt(1 + n_holdout / n)` times as wide as that of the mean residual on the holdout. It holds the measured error
        as often as it says if rows that look alike have errors like the holdout's, which nobody can see from
        predictions.
        """
        n, total = 0, 0.0
        for answers in batches:
            n, total = n + len(answers), total + float(self.expected(answers).sum())
        if not n:
            raise DataError("no predictions", where=WHERE)
        value, margin = total / n, self.margin * float(np.sqrt(1 + self.n / n))
        return Estimate(value, max(0.0, value - margin), value + margin)


def fit(answers: Answers, truth: Array, time: npt.NDArray[np.datetime64] | None = None) -> ErrorModel:
    """Return the model of the absolute error by least squares, on rows (n,) that the predicting model has not seen.

    With `time`, days are the blocks of the interval, as in `quality`. Raises a DataError if there are too few rows.
    """
    if len(truth) < MIN_ROWS:
        raise DataError(f"{len(truth)} rows are too few", where=WHERE, hint=f"at least {MIN_ROWS} are needed")
    missed = np.abs(answers.predicted.astype(np.float64) - truth)
    columns = _columns(answers)
    coefficients = np.asarray(np.linalg.lstsq(columns, missed, rcond=None)[0], np.float64)
    residual = Tally()
    residual.add(columns @ coefficients, missed, time=time)
    bias = residual.quality().bias
    return ErrorModel(coefficients, bias.high - bias.value, len(truth))


def _columns(answers: Answers) -> FloatArray:
    """Return the regressors (n, 2 or 4)."""
    found = [np.ones(len(answers)), answers.predicted]
    if answers.low is not None and answers.high is not None:
        found += [answers.predicted - answers.low, answers.high - answers.predicted]
    return np.stack(found, axis=1).astype(np.float64)
