"""Replay: retraining is asked for where the planted error grows, what it saves adds up, the best limits save most."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cabstand.monitoring import replay
from cabstand.monitoring.decisions import Rules
from cabstand.monitoring.findings import ColumnDrift, Drift, Estimate, Quality, Window
from cabstand.monitoring.replay import Past
from cabstand.monitoring.worsening import Limits

START, WEEK, ROWS = datetime(2025, 1, 1, tzinfo=UTC), timedelta(days=7), 10_000
RULES = Rules(breaches=2, limits=Limits(0.15, 0.25, 0.03))


def sure(value: float) -> Estimate:
    return Estimate(value, value - 0.01, value + 0.01)


class Planted:
    """A world whose error has a level in each window; a model has the base error where the level is one it has seen."""

    def __init__(self, levels: Sequence[float]) -> None:
        self.levels = levels

    def error(self, model: int, at: int) -> float:
        return 3.0 + abs(self.levels[at] - self.levels[model])

    def window(self, model: int, at: int) -> Window:
        drift = Drift(ROWS, ROWS, (ColumnDrift("fare", "psi", self.levels[at], 0.1, False),), 0.5)
        quality = Quality(ROWS, sure(self.error(model, at)), sure(0.0), sure(0.9))
        start = START + at * WEEK
        return Window(
            "p", f"m{model}", start, start + WEEK, drift, 1.0, quality, Quality(ROWS, sure(3.0), sure(0.0), sure(0.9))
        )

    def held_out(self, model: int) -> Sequence[int]:
        return [model]

    def saved(self, old: int, new: int, windows: Sequence[int]) -> Estimate:
        each = [self.error(old, at) - self.error(new, at) for at in windows]
        return sure(sum(each) / len(each))


def past(levels: Sequence[float]) -> Past:
    return Past(Planted(levels), len(levels), 4)


def test_retraining_comes_after_breaches_in_a_row_and_saves_what_was_planted() -> None:
    found = replay.course(past([0, 0, 0, 2, 2, 2, 2, 2]), 0, RULES)
    assert [one.action for one in found.decisions] == ["none", "none", "none", "retrain", "none", "none", "none"]
    [one] = found.retrainings
    assert (one.at, one.old) == (4, 0)
    assert one.saved is not None
    assert one.held_out is not None
    assert one.saved.value == one.held_out.value == pytest.approx(2)
    assert found.models == (0, 0, 0, 0, 4, 4, 4)
    assert found.saved == pytest.approx(2 * 3 * ROWS)
    assert found.n == 7 * ROWS


def test_a_world_that_stays_asks_for_nothing() -> None:
    found = replay.course(past([1.0] * 8), 0, RULES)
    assert {one.action for one in found.decisions} == {"none"}
    assert (found.retrainings, found.saved) == ((), 0)


def test_a_shock_that_passes_costs_what_it_costs() -> None:
    found = replay.course(past([0, 2, 2, 0, 0, 0, 0]), 0, RULES)
    assert found.retrainings[0].saved is not None
    assert found.retrainings[0].saved.value < 0
    assert found.saved < 0


def test_a_retraining_at_the_end_is_not_judged() -> None:
    record = past([0, 0, 2, 2])
    [one] = replay.course(record, 0, RULES).retrainings
    assert one.saved is None
    assert replay.trial(record, [0], RULES).n_retrainings == 0


def test_the_best_limits_are_those_that_notice_a_small_rise() -> None:
    record = past([0, 0, *[0.25] * 10])  # 8 % of the error: below the limit in force
    tried = replay.trials(record, [0, 1], RULES)
    assert tried[0].rules == RULES
    assert (tried[0].n_retrainings, tried[0].per_retraining) == (0, 0)
    found = replay.best(tried)
    assert found.rules.limits.error_rise == 0.05
    assert found.per_retraining == max(one.per_retraining for one in tried) > 0
    assert (found.rules.limits.bias, found.rules.limits.coverage_loss) == (0.25, 0.05)  # which change nothing here


def test_the_limits_in_force_stay_where_no_others_save_more() -> None:
    assert replay.best(replay.trials(past([0.0] * 6), [0], RULES)).rules == RULES
    worse = replay.trials(past([0, 2, 2, 0, 0, 0]), [0], RULES)
    if worse[0].saved < 0:
        assert replay.best(worse).per_retraining >= worse[0].per_retraining


def test_firings_name_the_windows_beyond_each_value() -> None:
    record = Planted([0, 0, 0.5, 1.0])
    found = {(one.setting, one.value): one.windows for one in replay.firings([record.window(0, at) for at in range(4)])}
    assert found["monitor_error_rise", 0.1] == (2, 3)
    assert found["monitor_error_rise", 0.25] == (3,)
    assert found["monitor_bias", 0.05] == found["monitor_share", 0.2] == ()
    alike = replace(record.window(0, 3), quality=None)
    assert all(not one.windows for one in replay.firings([alike]))


@given(st.lists(st.sampled_from([0.0, 0.3, 1.0, 2.0]), min_size=3, max_size=12), st.floats(0, 1))
def test_savings_add_up_and_higher_limits_retrain_no_sooner(levels: list[float], rise: float) -> None:
    record = Planted(levels)
    low, high = (
        replay.course(past(levels), 0, Rules(limits=Limits(error_rise=limit, bias=9, coverage_loss=1)))
        for limit in (rise, rise + 0.2)
    )
    by_hand = sum(record.error(0, at) - record.error(model, at) for at, model in enumerate(low.models, 1)) * ROWS
    assert low.saved == pytest.approx(by_hand)
    if high.retrainings:
        assert low.retrainings[0].at <= high.retrainings[0].at
