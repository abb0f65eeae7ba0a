"""Past windows under models: each model is trained when it is first asked for, as `cabstand train` would have done."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from cabstand.errors import ConfigError
from cabstand.jobs.replaying import parts
from cabstand.modelling import fit
from cabstand.modelling.fit import Trained
from cabstand.modelling.problem import Examples, Problem
from cabstand.monitoring import late_truth, profiles, windows
from cabstand.monitoring.drift import Thresholds
from cabstand.monitoring.findings import Drift, Estimate, Quality, Window
from cabstand.monitoring.late_truth import Answers, ErrorModel
from cabstand.monitoring.quality import Tally
from cabstand.thread_limits import one_thread

SHARE = 0.2  # of rows, the newest, that are held out where no months are

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Known:
    """A model and what is known about it when it goes into service."""

    trained: Trained
    then: Quality  # on its holdout
    late: ErrorModel
    n: int  # rows of its windows
    days: float


class Record:
    """Windows of months, `count` each, and models of them, which learn from some months and are held against others."""

    def __init__(
        self,
        problem: Problem,
        months: Mapping[str, Path],
        extras: Mapping[str, Path],
        *,
        train_months: int,
        holdout_months: int,
        count: int,
        seed: int = 0,
    ) -> None:
        if problem.task != "regression":
            raise ConfigError("has no error to replay, only classes", where=problem.name, hint="name a regression")
        self.problem, self.count, self._seed = problem, count, seed
        self.n_train, self.n_held = train_months * count, holdout_months * count
        self._files, self._extras = dict(sorted(months.items())), extras
        self.parts = parts.parts(list(months), count)
        self._models: dict[int, Known] = {}
        self._tallies: dict[tuple[int, int], Tally] = {}
        self._windows: dict[tuple[int, int], Window] = {}
        self._rows = lru_cache(maxsize=2)(self._read)

    def window(self, model: int, at: int) -> Window:
        """Return what the monitor would have seen; columns are compared by `drift`."""
        if (model, at) not in self._windows:
            self._windows[model, at] = self._judge(model, at)
        return self._windows[model, at]

    def saved(self, old: int, new: int, windows: Sequence[int]) -> Estimate:
        """Return by how much the new model's mean absolute error is lower on all rows of these windows."""
        both = Tally(), Tally()
        for at in windows:
            for tally, model in zip(both, (old, new), strict=True):
                self.window(model, at)
                tally.merge(self._tallies[model, at])
        return both[0].saved(both[1])

    def compare(self, model: int, at: int, thresholds: Thresholds) -> Drift:
        """Compare the columns of a window with those of the windows that a model has learned from."""
        before, now = (self._table(self.rows(chosen)) for chosen in (self.learned(model), [at]))
        kinds: dict[str, profiles.Kind] = {
            one.name: "category" for one in self.problem.fields if one.kind == "integer" and not one.unit
        }
        reference, current = profiles.of_table(before), profiles.of_table(now)
        return windows.compare_rows(reference, current, thresholds, kinds).drift

    def rows(self, chosen: Sequence[int]) -> Examples:
        """Return the rows of windows."""
        examples, number = self._rows(tuple(dict.fromkeys(self.parts[one].month for one in chosen)))
        return examples.take(np.isin(number, chosen))

    def answers(self, model: int, rows: Examples) -> Answers:
        """Return a model's predictions."""
        return self._answers(self.model(model).trained, rows)

    def model(self, number: int) -> Known:
        """Return the model made of the newest windows up to this one.

        The first one is the best candidate; the search for it takes most of the time, so later models are of its kind.
        """
        if number not in self._models:
            self._models[number] = self._train(number)
        return self._models[number]

    def learned(self, model: int) -> range:
        """Return the windows that a model learns from."""
        return range(model + 1 - self.n_train - self.n_held, model + 1 - self.n_held)

    def held_out(self, model: int) -> range:
        """Return the windows that are held out from a model: the newest ones, as `cabstand retrain` does."""
        return range(model + 1 - self.n_held, model + 1)

    def _train(self, number: int) -> Known:
        learned = self.learned(number)
        _log.info("training on %s to %s", self.parts[learned[0]].name, self.parts[learned[-1]].name)
        rows = self.rows(learned)
        # Without months to hold out, the newest rows are, as `cabstand train` does.
        earlier, later = (rows, self.rows(self.held_out(number))) if self.n_held else fit.split(rows, SHARE, self._seed)
        trained = fit.train(self._kind(), earlier, self._seed)
        answers = self._answers(trained, later)
        tally = Tally()
        tally.add(answers.predicted, later.target, answers.low, answers.high, later.time)
        late = late_truth.fit(answers, later.target, later.time)
        return Known(trained, tally.quality(), late, len(rows), sum(self.parts[one].days for one in learned))

    def _kind(self) -> Problem:
        """Return the problem, with the first model's candidate alone once there is one."""
        if not self._models:
            return self.problem
        name = next(iter(self._models.values())).trained.model.candidate
        return replace(self.problem, candidates=lambda: [c for c in self.problem.candidates() if c.name == name])

    def _judge(self, model: int, at: int) -> Window:
        known, part, rows = self.model(model), self.parts[at], self.rows([at])
        answers, tally = self.answers(model, rows), Tally()
        tally.add(answers.predicted, rows.target, answers.low, answers.high, rows.time)
        self._tallies[model, at] = tally
        start, end = part.span
        return Window(
            self.problem.name, f"model-{model}", start, end, Drift(known.n, len(rows), (), 1.0),
            volume_ratio=len(rows) / part.days / (known.n / known.days), quality=tally.quality(),
            quality_then=known.then, estimated_mae=known.late.estimate([answers]), facts={"window": part.name},
        )  # fmt: skip

    def _answers(self, trained: Trained, rows: Examples) -> Answers:
        with one_thread():
            found = trained.model.answer(self.problem.matrix(rows.columns, trained.assets))
        return Answers(found["point"], found.get("low"), found.get("high"))

    def _read(self, months: tuple[str, ...]) -> tuple[Examples, npt.NDArray[Any]]:
        """Return the rows of months, and the number of each row's window."""
        examples = self.problem.load([self._files[month] for month in months], self._extras)
        if examples.time is None:
            raise ConfigError("its rows have no time", where=self.problem.name, hint="replay needs a problem of trips")
        return examples, parts.numbers(examples.time, list(self._files), self.count)

    def _table(self, rows: Examples) -> pa.Table:
        columns = {name: pa.array(values) for name, values in rows.columns.items()}
        return pa.table(columns | {self.problem.target.name: pa.array(rows.target)})
