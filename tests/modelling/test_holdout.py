"""A holdout that a model could know is refused: by time, or by content where there is none."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from cabstand.errors import ConfigError, DataError
from cabstand.modelling import catalog, fit, holdout
from cabstand.modelling.problem import Examples

START = np.datetime64("2023-01-01", "s")


def timed(first_day: float, last_day: float, n: int = 200) -> Examples:
    time = START + (np.linspace(first_day, last_day, n) * 86_400).astype("m8[s]")
    values = np.random.default_rng(0).normal(size=n)
    return Examples({"x": values}, values, time=time[np.random.default_rng(1).permutation(n)])


@pytest.mark.parametrize(
    ("first", "last"),
    [(10, 12), (0, 31), (-5, 3), (30.9, 40), (31, 40), (-40, -1), (-10, 50)],
    ids=["slice", "same", "before and into", "into the end", "same last second", "before", "around"],
)
def test_overlapping_and_earlier_times_are_refused(first: float, last: float) -> None:
    with pytest.raises(
        ConfigError, match=r"--holdout: begins at .*, but the training data ends at 2023-02-01T00:00:00"
    ):
        holdout.check_apart(timed(0, 31), timed(first, last))


def test_later_times_are_accepted() -> None:
    holdout.check_apart(timed(0, 31), timed(31 + 1 / 86_400, 40))


def test_a_missing_time_is_an_error() -> None:
    rows = timed(0, 31)
    assert rows.time is not None
    rows.time[3] = np.datetime64("NaT")
    with pytest.raises(DataError, match="the time has missing values"):
        fit.check(catalog.find("iris"), rows, "holdout")


def untimed(n: int, seed: int, levels: int = 0) -> Examples:
    """Return rows of a number (with gaps), an integer and a category; of few different values if `levels` is given."""
    rng = np.random.default_rng(seed)
    number = rng.integers(levels, size=n) * 1.0 if levels else rng.normal(size=n)
    number[:: 7 if not levels else n] = np.nan
    columns = {"number": number, "hour": rng.integers(24, size=n), "kind": rng.choice(["a", "bb"], n)}
    return Examples(columns, number + 1 if levels else rng.normal(size=n))


def joined(first: Examples, second: Examples) -> Examples:
    columns = {name: np.concatenate([first.columns[name], second.columns[name]]) for name in first.columns}
    return Examples(columns, np.concatenate([first.target, second.target]))


KNOWN, NEW = untimed(1_000, 0), untimed(300, 1)
SLICE = KNOWN.take(np.arange(50))
WIDER = replace(SLICE, columns={**SLICE.columns, "kind": SLICE.columns["kind"].astype("U9")})


@pytest.mark.parametrize(
    "rows",
    [KNOWN, SLICE, KNOWN.take(np.random.default_rng(2).permutation(1_000)[:200]), joined(NEW, SLICE), WIDER],
    ids=["all", "slice", "shuffled", "some among new ones", "other width of text"],
)
def test_rows_without_time_are_refused_by_content(rows: Examples) -> None:
    with pytest.raises(ConfigError, match=r"--holdout: [0-9,]+ of .* rows are equal to training rows"):
        holdout.check_apart(KNOWN, rows)


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("levels", [0, 3, 200])
def test_rows_that_are_equal_by_chance_are_accepted(levels: int, seed: int) -> None:
    holdout.check_apart(untimed(1_000, seed, levels), untimed(300, 1_000 + seed, levels))


def test_a_random_split_of_real_rows_is_accepted() -> None:
    examples = catalog.find("iris").load([], {})  # some flowers measure the same
    for seed in range(50):
        holdout.check_apart(*fit.split(examples, 0.2, seed))
