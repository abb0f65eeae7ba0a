"""The policy asks for retraining when the model is worse beyond doubt, often enough and not too often."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from cabstand.errors import DataError
from cabstand.monitoring.findings import Estimate, Quality, Window
from cabstand.monitoring.policy import Decision, Limits, Rules, decide, window_key
from monitor_windows import BAD, DAY, THEN, about, quality, window

RULES = Rules(breaches=2, limits=Limits(0.15, 0.25, 0.03))
NEW_YORK = ZoneInfo("America/New_York")


def over(windows: Iterable[Window], rules: Rules = RULES) -> list[Decision]:
    """Decide on windows one after another, each an hour after its end."""
    past: list[Decision] = []
    for one in windows:
        past.append(decide(one, past, rules, one.end + timedelta(hours=1)))
    return past


def actions(windows: Iterable[Window], rules: Rules = RULES) -> list[str]:
    return [one.action for one in over(windows, rules)]


@pytest.mark.parametrize(("mae", "bias", "coverage"), [(3.25, -0.3, 0.90), (3.10, -0.3, 0.90)])
def test_a_flat_error_asks_for_nothing(mae: float, bias: float, coverage: float) -> None:
    assert actions(window(day, quality(mae, bias, coverage)) for day in range(20)) == ["none"] * 20


def test_the_error_bias_and_coverage_of_2026_ask_for_retraining() -> None:
    first, second = over(window(day, BAD) for day in range(2))
    assert (first.action, first.breaches) == ("none", 1)
    assert (second.action, second.breaches) == ("retrain", 2)
    assert second.reason == (
        "0 of 2 columns drifted, limit 50%; error 3.96 (3.93 to 3.99), on the holdout 3.25, limit 3.74 exceeded; "
        "bias -1.4 (-1.43 to -1.37), on the holdout -0.3, limit 1.11 exceeded; "
        "coverage 0.845 (0.842 to 0.848), on the holdout 0.9, limit 0.87 exceeded; 2 breaches in a row, 2 to act"
    )
    assert second.numbers["error_limit"] == pytest.approx(3.7375)


@pytest.mark.parametrize(
    "bad",
    [quality(3.96, -0.3, 0.90), quality(3.25, -1.4, 0.90), quality(3.25, 1.4, 0.90), quality(3.25, -0.3, 0.845)],
    ids=["error", "too short", "too long", "coverage"],
)
def test_each_of_error_bias_and_coverage_confirms_alone(bad: Quality) -> None:
    assert actions(window(day, bad) for day in range(2)) == ["none", "retrain"]


def test_a_worse_figure_whose_interval_reaches_the_limit_confirms_nothing() -> None:
    wide = quality(3.96, -1.4, 0.845, half_width=0.8)
    assert actions(window(day, wide) for day in range(5)) == ["none"] * 5
    unsure_then = quality(3.25, -0.3, 0.90, half_width=0.8)
    assert actions(window(day, BAD, then=unsure_then) for day in range(5)) == ["none"] * 5


def test_a_bias_that_only_changed_sides_has_not_grown() -> None:
    then = quality(3.25, 1.0, 0.90)
    assert actions(window(day, quality(3.25, -1.0, 0.90), then=then) for day in range(3)) == ["none"] * 3


def test_drifted_data_alone_asks_a_person_to_look() -> None:
    for now in (None, THEN):
        found = over(window(day, now, distances=(0.1, 0.0)) for day in range(3))
        assert [one.action for one in found] == ["none", "watch", "watch"]
        assert "1 of 2 columns drifted (column_0)" in found[-1].reason
    assert actions(window(day, distances=(0.0999, 0.0)) for day in range(3)) == ["none"] * 3  # at the exact point


@pytest.mark.parametrize(
    ("ratio", "action"), [(0.5, "watch"), (0.51, "none"), (1.99, "none"), (2.0, "watch"), (None, "none")]
)
def test_lost_or_gained_volume_is_drift(ratio: float | None, action: str) -> None:
    assert actions(window(day, volume=ratio) for day in range(2))[-1] == action


def test_an_estimated_error_counts_only_if_the_rules_say_so() -> None:
    late = [window(day, estimated=about(3.96, 0.03)) for day in range(2)]
    assert actions(late) == ["none", "none"]
    assert "estimated error 3.96 (3.93 to 3.99)" in over(late)[-1].reason
    assert actions(late, replace(RULES, use_estimate=True)) == ["none", "retrain"]
    good = [replace(one, quality=THEN) for one in late]  # the truth, once known, outweighs the estimate
    assert actions(good, replace(RULES, use_estimate=True)) == ["none", "none"]


def test_truth_on_too_few_rows_confirms_nothing() -> None:
    few = quality(3.96, -1.4, 0.845, n=4_999)
    assert actions(window(day, few) for day in range(3)) == ["none"] * 3


def test_a_good_window_interrupts_and_one_that_says_nothing_does_not() -> None:
    small, unlabelled = window(1, BAD, n=4_999), window(1)
    assert actions([window(0, BAD), window(1, THEN), window(2, BAD)])[-1] == "none"
    assert actions([window(0, BAD), small, window(2, BAD)]) == ["none", "none", "retrain"]
    assert actions([window(0, BAD), unlabelled, window(2, BAD)])[-1] == "retrain"


def test_windows_of_another_model_do_not_count_but_its_retraining_does() -> None:
    assert actions([window(0, BAD, version="v0"), window(1, BAD)])[-1] == "none"
    retrained = over(window(day, BAD, version="v0") for day in range(2))
    again = [window(2, BAD), window(3, BAD)]
    for one in again:
        retrained.append(decide(one, retrained, RULES, one.end))
    assert [one.action for one in retrained] == ["none", "retrain", "none", "watch"]
    assert "retraining was asked for at 20260103T010000Z and the cool-down is 7 d" in retrained[-1].reason


def test_windows_that_overlap_are_one() -> None:
    shifted = [window(day / 4, BAD) for day in range(8)]
    assert [one.breaches for one in over(shifted, replace(RULES, breaches=9))] == [1, 1, 1, 1, 2, 2, 2, 2]


def test_labels_that_come_later_are_another_record_of_the_same_window() -> None:
    past = over([window(0), window(1)])
    first = decide(window(0, BAD), past, RULES, window(2).end)
    assert first.key == f"{past[0].key}-truth"
    assert decide(window(1, BAD), [*past, first], RULES, window(2).end).action == "retrain"
    late = decide(window(1), [first, decide(window(1, BAD), [first], RULES, window(2).end)], RULES, window(3).end)
    assert late.action == "none"  # the same window again, from before its truth was known


def test_the_repeated_hour_of_november_is_two_windows() -> None:
    """01:00 to 02:00 comes twice on 2025-11-02 in New York, and Python takes the two for the same."""

    def hour(fold: int) -> Window:
        start = datetime(2025, 11, 2, 1, tzinfo=NEW_YORK, fold=fold)
        end = (start.astimezone(UTC) + timedelta(hours=1)).astimezone(NEW_YORK)
        return replace(window(0, BAD), start=start, end=end)

    assert hour(0).start == hour(1).start
    assert [window_key(hour(fold))[:16] for fold in (0, 1)] == ["20251102T050000Z", "20251102T060000Z"]
    assert actions([hour(0), hour(1)]) == ["none", "retrain"]
    assert actions([hour(1), hour(0)]) == ["none", "retrain"]
    assert actions([hour(0), hour(0)]) == ["none", "none"]


def test_a_time_without_a_zone_is_an_error() -> None:
    with pytest.raises(DataError, match="no time zone"):
        decide(window(), [], RULES, datetime(2026, 1, 1))
    with pytest.raises(DataError, match="no time zone"):
        decide(replace(window(), start=datetime(2026, 1, 1)), [], RULES, window().end)


def test_without_figures_of_the_holdout_nothing_is_confirmed() -> None:
    assert actions(window(day, BAD, then=None) for day in range(3)) == ["none"] * 3
    nothing = replace(BAD, coverage=None, mae=Estimate(float("nan"), float("nan"), float("nan")), bias=THEN.bias)
    assert actions(window(day, nothing) for day in range(3)) == ["none"] * 3


def test_the_cool_down_ends() -> None:
    found = over((window(day, BAD) for day in range(20)), replace(RULES, cooldown=7 * DAY))
    assert [i for i, one in enumerate(found) if one.action == "retrain"] == [1, 8, 15]
    assert {one.action for one in found[2:8]} == {"watch"}
