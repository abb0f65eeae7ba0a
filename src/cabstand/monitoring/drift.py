"""Compare the columns of current rows with those of reference rows: distances, missing values, categories.

All rows count, in one pass over each stream. No column can fail the comparison: where there is nothing to compare, its
note says why.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from cabstand.monitoring import distances, profiles
from cabstand.monitoring.category_changes import NO_CHANGES, Changes, changes
from cabstand.monitoring.findings import ColumnDrift, Drift, Method
from cabstand.monitoring.numeric import Counts, Numbers
from cabstand.monitoring.profiles import Batches, Categories, Kind, Profile

FEW_VALUES = 5  # of numbers, in both sets together, that are compared as categories; as in Evidently


@dataclass(frozen=True)
class Thresholds:
    """What counts as drift; reaching a threshold does.

    Attributes
    ----------
    share : float
        Of drifted columns.
    psi, wasserstein, jensen_shannon : float
        Distances. The latter of PSI and Jensen-Shannon is raised to what unchanged data reaches with a probability of
        `significance`, if that is more: few rows in many categories are apart by chance alone.
    missing : float
        Difference of the shares of missing values.
    category : float
        Share of the rows that a new or vanished category has.
    significance : float
        Probability of the chance that a difference of missing values or categories must not be explained by.
    methods : mapping
        The distance of a column, where it is not the default: Wasserstein for numbers, Jensen-Shannon for categories.
    """

    share: float = 0.5
    psi: float = 0.1
    wasserstein: float = 0.1
    jensen_shannon: float = 0.1
    missing: float = 0.05
    category: float = 0.005
    significance: float = 1e-4
    methods: Mapping[str, Method] = field(default_factory=dict)

    def of(self, method: Method) -> float:
        """Return the threshold of a distance."""
        return {"psi": self.psi, "wasserstein": self.wasserstein, "jensen-shannon": self.jensen_shannon}[method]


def compare(
    reference: Batches, current: Batches, thresholds: Thresholds, kinds: Mapping[str, Kind] | None = None
) -> Drift:
    """Compare every column of the reference that holds numbers or categories.

    `kinds` says how to take columns whose type does not tell, such as the numbers of zones, which are categories.
    Columns that only the current rows have are not compared.
    """
    found = kinds_of(reference.schema, current.schema, kinds or {})
    before, now = profiles.profile(reference, found), profiles.profile(current, found)
    return judge(before, now, thresholds, current.schema.names)


def kinds_of(reference: pa.Schema, current: pa.Schema, given: Mapping[str, Kind]) -> dict[str, Kind]:
    """Return the columns of the reference that can be compared, and how."""
    found: dict[str, Kind] = {}
    for column in reference:
        types = [column.type, *(current.field(name).type for name in current.names if name == column.name)]
        known = [kind for one in types if (kind := profiles.kind_of(one)) is not None]
        if known or all(pa.types.is_null(one) for one in types):
            found[column.name] = given.get(column.name) or (known[0] if known else "category")
    return found


def judge(
    reference: Mapping[str, Profile], current: Mapping[str, Profile], thresholds: Thresholds, present: Collection[str]
) -> Drift:
    """Compare the profiles of columns; `present` names those that the current rows have at all."""
    every = [_judge(name, one, current[name], thresholds, name in present) for name, one in reference.items()]
    columns = tuple(one for one in every if one.drifted or one.distance is not None)
    rest = tuple(one for one in every if one not in columns)
    n_reference, n_current = (max((one.n_rows for one in side.values()), default=0) for side in (reference, current))
    return Drift(n_reference, n_current, columns, thresholds.share, rest)


@dataclass(frozen=True)
class _Apart:
    """A distance, and what it is held against."""

    method: Method
    distance: float | None
    threshold: float
    changes: Changes = NO_CHANGES


def _judge(name: str, reference: Profile, current: Profile, thresholds: Thresholds, present: bool) -> ColumnDrift:
    apart = _distance(name, reference, current, thresholds)
    missing = [one.n_missing / one.n_rows if one.n_rows else 0.0 for one in (reference, current)]
    over = apart.distance is not None and apart.distance >= apart.threshold
    more_missing = bool(current.n_rows and reference.n_rows) and _differ(reference, current, thresholds)
    notes = _notes(reference, current, apart, present)
    if more_missing and present:
        notes.append(f"missing values {missing[0]:.1%} -> {missing[1]:.1%}")
    return ColumnDrift(
        column=name,
        method=apart.method,
        distance=apart.distance,
        threshold=apart.threshold,
        drifted=over or more_missing or bool(apart.changes.large) or not present,
        missing_reference=missing[0],
        missing_current=missing[1],
        new=apart.changes.new,
        vanished=apart.changes.vanished,
        note="; ".join(notes),
    )


def _notes(reference: Profile, current: Profile, apart: _Apart, present: bool) -> list[str]:
    """Return why a column drifted beside its distance, or has none."""
    if not present:
        return ["missing column"]
    found = [f"{what} has no rows" for what, one in _sides(reference, current) if not one.n_rows]
    found += [f"{what} has no values" for what, one in _sides(reference, current) if one.n_rows and not one.n]
    if any(isinstance(one, Categories) and one.too_many for one in (reference, current)):
        found.append(f"over {profiles.MAX_CATEGORIES:,} categories, not compared")
    found += [
        f"{one.n_infinite:,} infinite values in {what}" for what, one in _sides(reference, current) if one.n_infinite
    ]
    return found + list(apart.changes.large)


def _sides(reference: Profile, current: Profile) -> tuple[tuple[str, Profile], ...]:
    return ("the reference", reference), ("the current data", current)


def _differ(reference: Profile, current: Profile, thresholds: Thresholds) -> bool:
    """Return whether the shares of missing values differ by the threshold, and by more than chance."""
    n, m = reference.n_rows, current.n_rows
    apart = abs(reference.n_missing / n - current.n_missing / m)
    both = (reference.n_missing + current.n_missing) / (n + m)
    by_chance = distances.normal_by_chance(both * (1 - both), n, m, thresholds.significance)
    return apart >= thresholds.missing and apart > by_chance


def _distance(name: str, reference: Profile, current: Profile, thresholds: Thresholds) -> _Apart:
    if isinstance(reference, Numbers) and isinstance(current, Numbers):
        return _of_numbers(name, reference, current, thresholds)
    method: Method = "psi" if thresholds.methods.get(name) == "psi" else "jensen-shannon"
    if not (isinstance(reference, Categories) and isinstance(current, Categories)):
        raise TypeError(f"column {name}: profiles of two kinds")
    if reference.too_many or current.too_many:
        return _Apart(method, None, thresholds.of(method))
    return _of_categories(method, reference, current, thresholds)


def _of_numbers(name: str, reference: Numbers, current: Numbers, thresholds: Thresholds) -> _Apart:
    chosen = thresholds.methods.get(name, "wasserstein")
    if not (reference.n and current.n):
        return _Apart(chosen, None, thresholds.of(chosen))
    if len(np.union1d(reference.values, current.values)) <= FEW_VALUES:
        method: Method = "psi" if chosen == "psi" else "jensen-shannon"
        few = [profiles.as_categories(one) for one in (reference, current)]
        return _of_categories(method, few[0], few[1], thresholds)
    if chosen == "wasserstein" and len(reference.values) == 1:  # a constant has no standard deviation
        chosen = "jensen-shannon"
    if chosen != "wasserstein":
        return _of_counts(chosen, *distances.by_quantiles(reference, current), thresholds)
    return _Apart("wasserstein", distances.normed_wasserstein(reference, current), thresholds.wasserstein)


def _of_categories(method: Method, reference: Categories, current: Categories, thresholds: Thresholds) -> _Apart:
    if not (reference.n and current.n):
        return _Apart(method, None, thresholds.of(method))
    names = sorted({*reference.counts, *current.counts})
    before, now = (np.array([one.counts[name] for name in names]) for one in (reference, current))
    found = _of_counts(method, before, now, thresholds)
    changed = changes(names, before, now, thresholds.category, thresholds.significance)
    return _Apart(method, found.distance, found.threshold, changed)


def _of_counts(method: Method, reference: Counts, current: Counts, thresholds: Thresholds) -> _Apart:
    sizes = int(reference.sum()), int(current.sum()), len(reference), thresholds.significance
    if method == "psi":
        return _Apart(method, distances.psi(reference, current), max(thresholds.psi, distances.psi_by_chance(*sizes)))
    by_chance = distances.jensen_shannon_by_chance(*sizes)
    distance = distances.jensen_shannon(reference, current)
    return _Apart(method, distance, max(thresholds.jensen_shannon, by_chance))
