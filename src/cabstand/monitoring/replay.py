"""Replay past windows: when the policy would have asked for retraining, and what the new models would have saved.

Windows are numbered in order of time, and so are models: model k is made of the newest windows up to k. A replay
starts with one model, lets the policy decide on each later window, and goes on with the model of that window when it
asks for retraining. The new model is used without a gate, so a bad retraining costs here what a gate would have saved.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Protocol

from cabstand.monitoring import worsening
from cabstand.monitoring.decisions import Decision, Rules
from cabstand.monitoring.findings import Estimate, Window
from cabstand.monitoring.policy import decide
from cabstand.monitoring.worsening import Limits

# What is tried for each rule; the rules in force are tried as well.
ERROR_RISES = (0.05, 0.1, 0.15, 0.25)
BIASES = (0.05, 0.1, 0.15, 0.25)
COVERAGE_LOSSES = (0.01, 0.02, 0.03, 0.05)
BREACHES = (1, 2)
SHARES = (0.2, 0.35, 0.5, 0.65, 0.8)


class Record(Protocol):
    """What is known about past windows under models, by their numbers."""

    def window(self, model: int, at: int) -> Window:
        """Return what the monitor would have seen."""
        ...

    def held_out(self, model: int) -> Sequence[int]:
        """Return the windows that a model has not learned from, though they are not later than it."""
        ...

    def saved(self, old: int, new: int, windows: Sequence[int]) -> Estimate:
        """Return by how much the new model's mean absolute error is lower on all rows of these windows."""
        ...


@dataclass(frozen=True)
class Past:
    """What is replayed: the record, how many windows it has, and on how many later ones a new model is judged."""

    record: Record
    n_windows: int
    horizon: int


@dataclass(frozen=True)
class Retraining:
    """A retraining that was asked for.

    Attributes
    ----------
    at : int
        The window that asked for it, and the new model.
    old : int
        The model before.
    held_out : Estimate or None
        Mean absolute error saved per row of the windows held out from the new model; None if there are none.
    saved : Estimate or None
        The same of the next windows.
    """

    at: int
    old: int
    held_out: Estimate | None
    saved: Estimate | None


@dataclass(frozen=True)
class Course:
    """What happened after one start.

    Attributes
    ----------
    models : tuple of int
        The model in use at each window after the start.
    saved : float
        Absolute error saved against keeping the first model, summed over the rows of all windows.
    n : int
        Those rows.
    """

    start: int
    models: tuple[int, ...]
    decisions: tuple[Decision, ...]
    retrainings: tuple[Retraining, ...]
    saved: float
    n: int


@dataclass(frozen=True)
class Trial:
    """Rules, and what they would have brought over all starts.

    Attributes
    ----------
    n_retrainings : int
        Of those that later windows can judge.
    saved : float
        Absolute error saved, summed over rows and starts; negative if the new models were worse.
    """

    rules: Rules
    n_retrainings: int
    saved: float
    n: int

    @property
    def per_retraining(self) -> float:
        """Absolute error saved by one retraining, summed over rows; 0 without any."""
        return self.saved / self.n_retrainings if self.n_retrainings else 0.0


@dataclass(frozen=True)
class Firing:
    """How often one threshold alone would have fired under one model."""

    setting: str
    value: float
    windows: tuple[int, ...]


def course(past: Past, start: int, rules: Rules) -> Course:
    """Go through the windows after `start`, and retrain when the policy asks for it."""
    record, model, models, saved, n = past.record, start, [], 0.0, 0
    decisions: list[Decision] = []
    retrainings: list[Retraining] = []
    for at in range(start + 1, past.n_windows):
        window = record.window(model, at)
        decisions.append(decide(window, decisions, rules, window.end))
        models.append(model)
        n += window.drift.n_current
        if model != start:
            saved += record.saved(start, model, [at]).value * window.drift.n_current
        if decisions[-1].action == "retrain":
            later = range(at + 1, min(at + 1 + past.horizon, past.n_windows))
            judged = [record.saved(model, at, on) if on else None for on in (record.held_out(at), later)]
            retrainings.append(Retraining(at, model, *judged))
            model = at if later else model
    return Course(start, tuple(models), tuple(decisions), tuple(retrainings), saved, n)


def trial(past: Past, starts: Iterable[int], rules: Rules) -> Trial:
    """Return what the rules would have brought over all starts."""
    courses = [course(past, start, rules) for start in starts]
    judged = sum(one.saved is not None for each in courses for one in each.retrainings)
    return Trial(rules, judged, sum(one.saved for one in courses), sum(one.n for one in courses))


def trials(past: Past, starts: Sequence[int], rules: Rules) -> list[Trial]:
    """Try the rules, which come first, and all combinations of the grid."""
    grid = product(ERROR_RISES, BIASES, COVERAGE_LOSSES, BREACHES)
    others = [replace(rules, limits=Limits(*limits), breaches=breaches) for *limits, breaches in grid]
    return [trial(past, starts, one) for one in dict.fromkeys([rules, *others])]


def best(tried: Sequence[Trial]) -> Trial:
    """Return the trial that saved most per retraining; the first one, of the rules in force, unless another saves more.

    Of equals, it is the slowest to act: rules that fire at the same windows are one choice.
    """
    most = max(one.per_retraining for one in tried)
    if tried[0].per_retraining >= most or most <= 0:
        return tried[0]
    equals = [one for one in tried if one.per_retraining >= most * (1 - 1e-9)]
    return max(equals, key=lambda one: (one.rules.breaches, *_order(one.rules.limits)))


def _order(limits: Limits) -> tuple[float, float, float]:
    return limits.bias, limits.coverage_loss, limits.error_rise


def firings(windows: Sequence[Window]) -> Iterator[Firing]:
    """Yield, for values of each threshold, which windows alone would have been beyond it."""
    for value in SHARES:
        beyond = [number for number, one in enumerate(windows) if one.drift.columns and one.drift.share >= value]
        yield Firing("monitor_share", value, tuple(beyond))
    grids = {"error": ("error_rise", ERROR_RISES), "bias": ("bias", BIASES)}
    for name, (limit, values) in (grids | {"coverage": ("coverage_loss", COVERAGE_LOSSES)}).items():
        for value in values:
            limits = replace(Limits(), **{limit: value})
            beyond = [number for number, one in enumerate(windows) if _worse(one, name, limits)]
            yield Firing(f"monitor_{limit}", value, tuple(beyond))


def _worse(window: Window, name: str, limits: Limits) -> bool:
    if window.quality is None or window.quality_then is None:
        return False
    found = worsening.checks(window.quality, window.quality_then, limits)
    return any(one.worse for one in found if one.name == name)
