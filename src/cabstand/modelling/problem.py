"""What a problem declares: its request, features and target, its examples and candidates.

The prediction service imports it too, so it needs NumPy alone; functions that need scikit-learn or pyarrow import them
themselves.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from cabstand.errors import ConfigError
from cabstand.modelling.fields import Columns, Field

Assets = Mapping[str, npt.NDArray[Any]]
FeatureMatrix = npt.NDArray[np.float32]
FloatArray = npt.NDArray[np.float64]

# To declare a problem, this module is enough.
__all__ = ["Assets", "Candidate", "Columns", "Examples", "FeatureMatrix", "Field", "FloatArray", "Problem", "Target"]

NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")


@dataclass(frozen=True)
class Examples:
    """Rows to train or evaluate on.

    Attributes
    ----------
    columns : mapping of str to array (n,)
        One array per request field.
    target : array (n,)
        float64 for regression, int64 class index for classification.
    time : datetime64[s] array (n,) or None
        When each row happened; None where order has no meaning, and the split is random.
    segments : mapping of str to str array (n,)
        Groups in which the error is reported and the gate forbids a loss.
    assets : mapping of str to array
        What the feature function needs besides the request, such as the zones' centroids.
    facts : mapping
        Counts worth recording: rows read, rows kept.
    """

    columns: Columns
    target: npt.NDArray[Any]
    time: npt.NDArray[np.datetime64] | None = None
    segments: Mapping[str, npt.NDArray[np.str_]] = field(default_factory=dict)
    assets: Assets = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.target)

    def take(self, rows: npt.NDArray[Any]) -> Examples:
        """Return the rows that an index or mask picks."""
        return replace(
            self,
            columns={name: values[rows] for name, values in self.columns.items()},
            target=self.target[rows],
            time=None if self.time is None else self.time[rows],
            segments={name: values[rows] for name, values in self.segments.items()},
        )


@dataclass(frozen=True)
class Candidate:
    """One estimator to try.

    Attributes
    ----------
    build : callable
        `build(seed)` returns it unfitted, as scikit-learn defines estimators.
    parameters : mapping
        Parameters to record.
    cost : float
        Rough number of comparisons per served row: trees times the depth of a leaf. Among candidates with nearly the
        same error, the cheapest is chosen.
    """

    name: str
    build: Callable[[int], Any]
    parameters: Mapping[str, Any] = field(default_factory=dict)
    cost: float = 0.0


@dataclass(frozen=True)
class Target:
    """What is predicted; no prediction is below `minimum`."""

    name: str
    unit: str
    description: str
    classes: tuple[str, ...] = ()
    minimum: float | None = None


@dataclass(frozen=True)
class Problem:
    """One problem: what training, the gate, the bundle and the service need to know about it.

    Parameters
    ----------
    name : str
        Lower-case words joined by hyphens; it is part of addresses and paths.
    description : str
        One line.
    fields : tuple of Field
        The request.
    feature_names : tuple of str
        The feature matrix's columns.
    features : callable
        `(columns, assets) -> float32 (n, k)`; training and serving share this function.
    load : callable
        `(paths, extras) -> Examples`: local files of `--input`, and further files by name (`zones`).
    candidates : callable
        `() -> list of Candidate`, the reference first.
    metric : {"mae", "rmse", "error_rate"}
        What the gate compares; a mean over rows, lower is better.
    feature_version : int
        To be raised when `features` changes its meaning.
    learn : callable, optional
        `(examples) -> assets` learned from training rows alone, such as means by pair of zones.
    prepare : callable, optional
        `(assets) -> assets` with tables derived from them, so that the features of one row are cheap. It is called once
        when a bundle is loaded, never in training; `features` must give the same with and without.
    coverage : float or None
        Nominal share of rows whose target lies in the predicted interval; None predicts a point alone.
    extras : tuple of str
        Names of the further files that `load` can use.
    """

    name: str
    task: Literal["regression", "classification"]
    description: str
    fields: tuple[Field, ...]
    target: Target
    feature_names: tuple[str, ...]
    features: Callable[[Columns, Assets], FeatureMatrix]
    load: Callable[[Sequence[Path], Mapping[str, Path]], Examples]
    candidates: Callable[[], list[Candidate]]
    metric: str
    feature_version: int = 1
    learn: Callable[[Examples], Assets] | None = None
    prepare: Callable[[Assets], Assets] | None = None
    coverage: float | None = None
    extras: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not NAME.fullmatch(self.name):
            raise ConfigError("a problem's name is lower-case words joined by hyphens", where=self.name)
        if len({one.name for one in self.fields}) != len(self.fields):
            raise ConfigError("two fields have the same name", where=f"problem {self.name}")
        if self.task == "classification" and len(self.target.classes) < 2:
            raise ConfigError("classification requires classes", where=f"problem {self.name}")

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of the model's outputs, in order."""
        if self.task == "classification":
            return ("label", "probability")
        return ("point",) if self.coverage is None else ("point", "low", "high")

    def matrix(self, columns: Columns, assets: Assets) -> FeatureMatrix:
        """Return the features of a request's columns, their shape checked."""
        found = self.features(columns, assets)
        expected = (len(next(iter(columns.values()))), len(self.feature_names))
        if found.shape != expected or found.dtype != np.float32:
            raise ConfigError(
                f"features gave {found.dtype} {found.shape}, not float32 {expected}", where=f"problem {self.name}"
            )
        return found

    def example(self) -> dict[str, Any]:
        """Return a request made of the fields' examples."""
        return {one.name: one.example for one in self.fields if one.example is not None}
