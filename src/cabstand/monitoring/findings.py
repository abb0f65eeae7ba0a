"""What the monitor finds in one window of data: per column, over all columns, and about the model's error."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

Method = Literal["psi", "wasserstein", "jensen-shannon"]


@dataclass(frozen=True)
class Estimate:
    """A figure with its confidence interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class ColumnDrift:
    """One column of the current rows against the same column of the reference.

    Attributes
    ----------
    distance : float or None
        By `method`, without unit; None where it cannot be computed, and `note` says why.
    drifted : bool
        Whether it counts as drifted: distance at or over the threshold, a missing column, or missing values.
    missing_reference, missing_current : float
        Shares of null, NaN and infinite values.
    new, vanished : tuple of str
        Categories that only the current rows, or only the reference rows have.
    note : str
        Why it drifted or could not be compared; empty if there is nothing to say.
    """

    column: str
    method: Method
    distance: float | None
    threshold: float
    drifted: bool
    missing_reference: float = 0.0
    missing_current: float = 0.0
    new: tuple[str, ...] = ()
    vanished: tuple[str, ...] = ()
    note: str = ""


@dataclass(frozen=True)
class Drift:
    """All columns of the current rows against the reference."""

    n_reference: int
    n_current: int
    columns: tuple[ColumnDrift, ...]
    share_threshold: float  # of drifted columns; reaching it is drift, as in Evidently
    not_compared: tuple[ColumnDrift, ...] = ()  # columns without values to compare, which do not count

    @property
    def share(self) -> float:
        """Share of columns that drifted, from 0 to 1."""
        return sum(one.drifted for one in self.columns) / len(self.columns) if self.columns else 0.0

    @property
    def drifted(self) -> bool:
        """Whether the data as a whole drifted."""
        return bool(self.columns) and self.share >= self.share_threshold


@dataclass(frozen=True)
class Quality:
    """How the model did on rows whose truth is known, in the target's unit (minutes for rides)."""

    n: int
    mae: Estimate
    bias: Estimate  # mean of prediction minus truth
    coverage: Estimate | None = None  # share of truths inside the predicted interval; None without an interval


@dataclass(frozen=True)
class Window:
    """What one run of the monitor saw; the policy decides on it.

    Attributes
    ----------
    start, end : datetime
        UTC; the times of the rows from `start` to before `end`.
    version : str
        The model that was judged.
    volume_ratio : float or None
        Rows a day, divided by those of the reference; None where no time is known.
    estimated_mae : Estimate or None
        The error as estimated from predictions alone, where truth is late.
    quality_then : Quality or None
        The model's quality on its own holdout, which `quality` is held against.
    """

    problem: str
    version: str
    start: datetime
    end: datetime
    drift: Drift
    volume_ratio: float | None = None
    quality: Quality | None = None
    quality_then: Quality | None = None
    estimated_mae: Estimate | None = None
    source: str = ""  # a name of the rows, where the same time has others, too: two data sets, each with that month
    facts: dict[str, str | int | float | bool | None] = field(default_factory=dict)
