"""The fields of a request, and how rows are checked and turned into columns; with NumPy alone."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from cabstand.errors import ConfigError, DataError

Columns = Mapping[str, npt.NDArray[Any]]

ZONED = re.compile(r":\d\d(\.\d*)? ?([A-Za-z]+|[+-]\d\d:?(\d\d)?)$")  # 08:15:00Z, 08:15+01:00, 08:15:00 UTC
KINDS: dict[str, str] = {"number": "f8", "integer": "i8", "category": "U", "timestamp": "M8[s]"}


@dataclass(frozen=True)
class Field:
    """One field of a request.

    Parameters
    ----------
    name : str
        Its key in a row.
    kind : {"number", "integer", "category", "timestamp"}
        A timestamp is ISO 8601 in local time, without a zone.
    unit : str
        Unit of the value; may be empty.
    minimum, maximum : float or None
        Bounds, inclusive; None for categories and timestamps.
    description : str
        One line for the API's documentation.
    choices : tuple of str, optional
        The values that a category may take.
    optional : bool
        Whether a row may omit it; only for numbers, where NaN stands for it.
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
            raise ConfigError("a category requires choices", where=f"field {self.name}")

    def to_json(self) -> dict[str, Any]:
        """Return the field as a manifest holds it."""
        return asdict(self) | {"choices": list(self.choices) if self.choices else None}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Field:
        """Return the field that a manifest describes."""
        choices = content.get("choices")
        return cls(**(dict(content) | {"choices": tuple(choices) if choices else None}))

    def column(self, values: Sequence[Any]) -> npt.NDArray[Any]:
        """Return a request's values as the array that feature functions read (float64, int64, str or datetime64[s]).

        Raises DataError, naming the first row whose value is missing, of another kind or out of bounds.
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
            if ZONED.search(str(value)):
                hint = "write local time without one, such as 2023-03-01T08:15:00"
                raise DataError(f"a time with a zone: {str(value)[:60]}", where=where, hint=hint)
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


def columns_of(fields: Sequence[Field], rows: Sequence[Mapping[str, Any]]) -> dict[str, npt.NDArray[Any]]:
    """Return rows as the columns that feature functions read.

    Raises DataError if a row has an unknown field, lacks one or holds a value out of bounds.
    """
    known = {one.name for one in fields}
    for number, row in enumerate(rows):
        if unknown := sorted(set(row) - known):
            raise DataError(f"unknown field {unknown[0]!r}", where=f"row {number}", hint=f"known: {sorted(known)}")
    return {one.name: one.column([row.get(one.name) for row in rows]) for one in fields}
