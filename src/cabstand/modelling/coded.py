"""Linear regression on categorical codes, one-hot without the one-hot matrix.

The normal equations of one-hot blocks are counts: block i times block j is the contingency table of their codes, and a
block times a numeric column is that column summed by code. `numpy.bincount` gives both.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, RegressorMixin

Codes = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]


def gram(blocks: list[Codes], sizes: list[int], numeric: FloatArray) -> FloatArray:
    """Return A'A of the design matrix A = [one-hot blocks, numeric columns], float64 (p, p)."""
    parts = np.cumsum([0, *sizes, numeric.shape[1]])
    found = np.zeros((parts[-1], parts[-1]))
    for i, (rows, n_rows) in enumerate(zip(blocks, sizes, strict=True)):
        for j in range(i, len(blocks)):
            table = np.bincount(rows * sizes[j] + blocks[j], minlength=n_rows * sizes[j]).reshape(n_rows, sizes[j])
            found[parts[i] : parts[i + 1], parts[j] : parts[j + 1]] = table
        for j, column in enumerate(numeric.T, start=parts[-2]):
            found[parts[i] : parts[i + 1], j] = np.bincount(rows, weights=column, minlength=n_rows)
    found[parts[-2] :, parts[-2] :] = numeric.T @ numeric
    return np.asarray(np.triu(found) + np.triu(found, 1).T)


def solve(a: FloatArray, b: FloatArray, penalty: float) -> FloatArray:
    """Return the least-norm solution of (a + penalty I) x = b.

    One-hot blocks are linearly dependent, so `a` is singular, and only the least-norm solution is well defined.
    """
    values, vectors = np.linalg.eigh(a)
    cutoff = values[-1] * len(values) * np.finfo(np.float64).eps * 16
    significant = values > cutoff
    scaled = np.zeros_like(values)
    scaled[significant] = 1 / (values[significant] + penalty)
    return np.asarray(vectors @ (scaled * (vectors.T @ b)), dtype=np.float64)


def fit_one_hot(
    blocks: list[Codes], target: FloatArray, sizes: list[int], numeric: FloatArray | None = None, penalty: float = 0.0
) -> tuple[FloatArray, float]:
    """Return coefficients and intercept of least squares (or ridge) on one-hot blocks and numeric columns.

    Block i holds codes (n,) from 0 to `sizes[i]` - 1; `numeric` is float64 (n, m). The coefficients are those of all
    codes (0 for absent ones), then of the numeric columns. The same as `LinearRegression` on `DictVectorizer` output,
    which centres the columns and solves for least norm.
    """
    if numeric is None:
        numeric = np.empty((len(target), 0))
    n, mean = len(target), float(target.mean())
    sums = [np.bincount(codes, minlength=size) for codes, size in zip(blocks, sizes, strict=True)]
    column_means = np.concatenate([*sums, numeric.sum(axis=0)]) / n
    moments = [np.bincount(codes, weights=target, minlength=size) for codes, size in zip(blocks, sizes, strict=True)]
    a = gram(blocks, sizes, numeric) - n * np.outer(column_means, column_means)
    b = np.concatenate([*moments, numeric.T @ target]) - n * column_means * mean
    coefficients = solve(a, b, penalty)
    return coefficients, mean - float(column_means @ coefficients)


class CodedRidge(RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """Least squares (alpha 0) or ridge on one-hot coded and numeric columns, given by their numbers.

    The integer part of a coded column is a category; one not seen in training adds nothing. Numeric columns are
    standardised; NaN counts as the mean.
    """

    def __init__(self, coded: tuple[int, ...] = (), numeric: tuple[int, ...] = (), alpha: float = 0.0) -> None:
        self.coded = coded
        self.numeric = numeric
        self.alpha = alpha

    def fit(self, X: npt.NDArray[Any], y: npt.NDArray[Any]) -> CodedRidge:  # noqa: N803
        """Fit to features (n, k) and targets (n,)."""
        blocks = [X[:, column].astype(np.int64) for column in self.coded]
        sizes = [int(codes.max()) + 2 for codes in blocks]  # the last entry is for codes not seen in training
        self.mean_ = np.array([float(np.nan_to_num(np.nanmean(X[:, c], dtype=np.float64))) for c in self.numeric])
        self.scale_ = np.array([float(np.nanstd(X[:, c], dtype=np.float64)) or 1.0 for c in self.numeric])
        self.scale_[~np.isfinite(self.scale_)] = 1.0
        target = y.astype(np.float64)
        coefficients, self.intercept_ = fit_one_hot(blocks, target, sizes, self._numbers(X), self.alpha)
        *self.tables_, self.weights_ = np.split(coefficients, np.cumsum(sizes))
        self.n_coefficients_ = sum(len(np.unique(codes)) for codes in blocks) + len(self.numeric)
        return self

    def predict(self, X: npt.NDArray[Any]) -> FloatArray:  # noqa: N803
        """Return predictions (n,) for features (n, k)."""
        found = np.full(len(X), self.intercept_)
        for column, table in zip(self.coded, self.tables_, strict=True):
            found += table[np.clip(X[:, column].astype(np.int64), 0, len(table) - 1)]
        return np.asarray(found + self._numbers(X) @ self.weights_)

    def _numbers(self, matrix: npt.NDArray[Any]) -> FloatArray:
        centred = matrix[:, list(self.numeric)].astype(np.float64) - self.mean_
        return np.asarray(np.nan_to_num(centred, copy=False, nan=0.0) / self.scale_)
