"""Match predictions to trips: the same whole-number fields, and a time within a tolerance; only what is beyond doubt.

A match is ambiguous if several trips fit a prediction, or if one trip fits predictions that asked different questions.
Predictions of the same question, such as a repeated request, share their trip.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cabstand.errors import ConfigError
from cabstand.modelling.fields import Columns, Field

Integers = npt.NDArray[np.int64]
ABSENT, AMBIGUOUS = -1, -2


@dataclass(frozen=True)
class _Keys:
    """Rows as one number each, in which those of the same whole-number fields are neighbours in order of time."""

    group: Integers
    time: Integers  # seconds since the earliest
    stride: int

    def at(self, shift: int) -> Integers:
        return np.asarray(self.group * self.stride + self.time + shift)


def match(fields: tuple[Field, ...], asked: Columns, trips: Columns, tolerance_s: int) -> Integers:
    """Return the trip of each prediction (n,), an index into `trips`, or ABSENT, or AMBIGUOUS."""
    n = len(next(iter(asked.values())))
    keys = _keys(fields, asked, trips, tolerance_s)
    questions, known = (_Keys(keys.group[part], keys.time[part], keys.stride) for part in (slice(n), slice(n, None)))
    order = np.argsort(known.at(0), kind="stable")
    ordered = known.at(0)[order]
    first = np.searchsorted(ordered, questions.at(-tolerance_s), "left")
    last = np.searchsorted(ordered, questions.at(tolerance_s), "right")
    found = np.full(n, ABSENT)
    found[last - first > 1] = AMBIGUOUS
    one = last - first == 1
    found[one] = order[first[one]]
    # The question that each trip answers: of several, none is known to be the right one.
    pairs = np.unique(np.stack([found[one], questions.at(0)[one]], axis=1), axis=0)
    trip, n_questions = np.unique(pairs[:, 0], return_counts=True)
    found[np.isin(found, trip[n_questions > 1])] = AMBIGUOUS
    return found


def _keys(fields: tuple[Field, ...], asked: Columns, trips: Columns, tolerance_s: int) -> _Keys:
    """Return the keys of the predictions, followed by those of the trips."""
    whole = [one.name for one in fields if one.kind == "integer"]
    times = [one.name for one in fields if one.kind == "timestamp"]
    if not whole or len(times) != 1:
        names = ", ".join(one.name for one in fields)
        hint = "give the truth by request id with --truth"
        raise ConfigError("trips match by whole-number fields and one time", where=f"fields {names}", hint=hint)
    both = [np.concatenate([asked[name], trips[name]]) for name in whole]
    _, group = np.unique(np.stack(both, axis=1), axis=0, return_inverse=True)
    moments = np.concatenate([side[times[0]] for side in (asked, trips)])
    time = moments.astype("M8[s]").astype(np.int64)
    time = time - time.min()
    return _Keys(group.reshape(-1).astype(np.int64), time, int(time.max()) + 2 * tolerance_s + 1)
