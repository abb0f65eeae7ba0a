"""What a problem declares: its request, its features, its target and how candidates are judged.

Imported by the prediction service too, so NumPy is all it needs; scikit-learn and pyarrow come in inside the functions
that a problem hands over.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from cabstand.errors import ConfigError, DataError

Columns = Mapping[str, npt.NDArray[Any]]
Assets = Mapping[str, npt.NDArray[Any]]
FeatureMatrix = npt.NDArray[np.float32]
FloatArray = npt.NDArray[np.float64]

NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
KINDS: dict[str, str] = {"number": "f8", "integer": "i8", "category": "U", "timestamp": "M8[s]"}


@dataclass(frozen=True)
class Field:
    """One field of a request.

    Parameters
    ----------
    name : str
        Its key in a row.
    kind : {"number", "integer", "category", "timestamp"}
        A timestamp is ISO 8601 without a zone (local time of the place).
    unit : str
        Unit of the value, empty where there is none.
    minimum, maximum : float or None
        Bounds, inclusive; None for categories and timestamps.
    description : str
        One line for the API's documentation.
    choices : tuple of str, optional
        The values that a category may take.
    optional : bool
        Whether a row may leave it out (numbers alone: NaN stands for it).
    example : object
        A value for documentation and input examples.
    """

    name: str
    kind: Literal["number", "integer", "category", "timestamp"]
    unit: str
    minimum: float | None
    maximum: float | None
    description: str
    choices: tuple[str, ...] | None = None
    optional: bool = False
    example: Any = None

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ConfigError(f"unknown kind {self.kind!r}", where=f"field {self.name}", hint=f"one of {list(KINDS)}")
        if self.optional and self.kind != "number":
            raise ConfigError("only a number may be optional", where=f"field {self.name}")
        if self.kind == "category" and not self.choices:
            raise ConfigError("a category needs its choices", where=f"field {self.name}")

    def to_json(self) -> dict[str, Any]:
        """Return what a manifest keeps of it."""
        return asdict(self) | {"choices": list(self.choices) if self.choices else None}

    @classmethod
    def from_json(cls, told: Mapping[str, Any]) -> Field:
        """Return the field that a manifest describes."""
        choices = told.get("choices")
        return cls(**(dict(told) | {"choices": tuple(choices) if choices else None}))

    def column(self, values: Sequence[Any]) -> npt.NDArray[Any]:
        """Return a request's values as the array that feature functions read (float64, int64, str or datetime64[s]).

        Raises
        ------
        DataError
            If a value is missing, of another kind or out of bounds; the message names the first such row.
        """
        found = [self._value(value, row) for row, value in enumerate(values)]
        return np.asarray(found, dtype=KINDS[self.kind])

    def _value(self, value: Any, row: int) -> Any:
        where = f"row {row}, field {self.name}"
        if value is None:
            if self.optional:
                return np.nan
            raise DataError("missing", where=where, hint=self.description)
        try:
            return self._checked(value, where)
        except (TypeError, ValueError, OverflowError) as error:
            raise DataError(f"not a {self.kind}: {str(value)[:60]}", where=where) from error

    def _checked(self, value: Any, where: str) -> Any:
        if self.kind == "timestamp":
            moment = np.datetime64(str(value), "s")
            if np.isnat(moment):
                raise DataError("not a time", where=where, hint="write 2023-03-01T08:15:00")
            return moment
        if self.kind == "category":
            if value not in (self.choices or ()):
                raise DataError(
                    f"unknown value {str(value)[:60]}", where=where, hint=f"one of {list(self.choices or ())}"
                )
            return str(value)
        number = float(value)
        if not np.isfinite(number) or (self.kind == "integer" and number != int(number)):
            raise DataError(f"not a finite {self.kind}: {str(value)[:60]}", where=where)
        if (self.minimum is not None and number < self.minimum) or (self.maximum is not None and number > self.maximum):
            raise DataError(
                f"{number:g} is outside {self.minimum:g} to {self.maximum:g} {self.unit}".strip(), where=where
            )
        return number


@dataclass(frozen=True)
class Examples:
    """Rows to learn from or to be judged on.

    Attributes
    ----------
    columns : mapping of str to array (n,)
        One array a request field.
    target : array (n,)
        float64 for regression, int64 class index for classification.
    time : datetime64[s] array (n,) or None
        When each row happened; None where order means nothing, and the split is random.
    segments : mapping of str to str array (n,)
        Groups in which the error is reported and the gate forbids a loss.
    assets : mapping of str to array
        What the feature function needs beside the request, the zones' centroids, say.
    facts : mapping
        Counts and names worth recording: rows read, rows kept.
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
        return Examples(
            {name: values[rows] for name, values in self.columns.items()},
            self.target[rows],
            None if self.time is None else self.time[rows],
            {name: values[rows] for name, values in self.segments.items()},
            self.assets,
            self.facts,
        )


@dataclass(frozen=True)
class Candidate:
    """One estimator to try: `build(seed)` returns it unfitted, as scikit-learn defines estimators."""

    name: str
    build: Callable[[int], Any]
    parameters: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Target:
    """What is predicted; no answer is below `minimum`."""

    name: str
    unit: str
    description: str
    classes: tuple[str, ...] = ()
    minimum: float | None = None


Loader = Callable[[Sequence[Path], Mapping[str, Path]], Examples]


@dataclass(frozen=True)
class Problem:
    """One problem, whole: what the training job, the gate, the bundle and the service need to know of it.

    Parameters
    ----------
    name : str
        Lower-case words joined by hyphens; it stands in addresses and paths.
    task : {"regression", "classification"}
        What the target is.
    description : str
        One line.
    fields : tuple of Field
        The request.
    target : Target
        What is predicted, with its unit or classes.
    feature_names : tuple of str
        The feature matrix's columns.
    features : callable
        `(columns, assets) -> float32 (n, k)`; the one function that training and serving share.
    load : callable
        `(paths, extras) -> Examples`: local files of `--input`, and further files by name (`zones`).
    candidates : callable
        `() -> list of Candidate`, the reference first.
    metric : str
        What the gate compares; a mean over rows, lower is better (`mae`, `rmse`, `error_rate`).
    feature_version : int
        Raised when `features` changes its meaning.
    learn : callable, optional
        `(examples) -> assets` learned from training rows alone (means by zone pair, say).
    coverage : float or None
        Nominal share of rows whose target lies in the predicted interval; None predicts a point alone.
    extras : tuple of str
        Further files that `load` can use.
    """

    name: str
    task: Literal["regression", "classification"]
    description: str
    fields: tuple[Field, ...]
    target: Target
    feature_names: tuple[str, ...]
    features: Callable[[Columns, Assets], FeatureMatrix]
    load: Loader
    candidates: Callable[[], list[Candidate]]
    metric: str
    feature_version: int = 1
    learn: Callable[[Examples], Assets] | None = None
    coverage: float | None = None
    extras: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not NAME.fullmatch(self.name):
            raise ConfigError("a problem's name is lower-case words joined by hyphens", where=self.name)
        if len({one.name for one in self.fields}) != len(self.fields):
            raise ConfigError("two fields of one name", where=f"problem {self.name}")
        if self.task == "classification" and len(self.target.classes) < 2:
            raise ConfigError("a classification needs its classes", where=f"problem {self.name}")

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


def columns_of(fields: Sequence[Field], rows: Sequence[Mapping[str, Any]]) -> dict[str, npt.NDArray[Any]]:
    """Return rows as the columns that feature functions read.

    Raises
    ------
    DataError
        If a row has an unknown field, lacks one or holds a value out of bounds.
    """
    known = {one.name for one in fields}
    for number, row in enumerate(rows):
        if unknown := sorted(set(row) - known):
            raise DataError(f"unknown field {unknown[0]!r}", where=f"row {number}", hint=f"known: {sorted(known)}")
    return {one.name: one.column([row.get(one.name) for row in rows]) for one in fields}
