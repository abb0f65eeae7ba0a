from __future__ import annotations

import random
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from cabstand.report import drift_timeline, pictures
from monitor_examples import NONE, RETRAIN, WATCH

START = datetime(2025, 1, 1, tzinfo=UTC)


def record(week: int, of: Any, *outcomes: str, **changes: Any) -> dict[str, Any]:
    start = START + timedelta(weeks=week)
    times = {"start": start, "end": start + timedelta(weeks=1), "at": start + timedelta(days=8)}
    came = [{"decision": one, "reason": "no gain"} for one in outcomes]
    return asdict(replace(of, **{**times, "key": f"{week}", **changes})) | {"outcomes": came}


DECISIONS = [
    record(0, NONE, numbers=WATCH.numbers), record(1, WATCH), record(2, RETRAIN, "failed", "refused"),
    record(3, RETRAIN, "promoted"), record(4, RETRAIN, "failed"), record(5, RETRAIN),
]  # fmt: skip


def rows(name: str, decisions: list[dict[str, Any]]) -> list[dict[str, Any]]:
    (figure,) = [one for one in drift_timeline.figures(decisions) if one.name == name]
    found: list[dict[str, Any]] = figure.chart.to_dict()["data"]["values"]
    return found


def test_each_window_shows_what_was_decided_and_what_came_of_it() -> None:
    shuffled = random.Random(1).sample(DECISIONS, len(DECISIONS))
    assert [row["decision"] for row in rows("drift_share", shuffled)] == [
        "no action", "watch", "retrain, refused", "retrain, promoted", "retrain, failed", "retrain, not done yet",
    ]  # fmt: skip


def test_figures_have_interval_and_limit_and_windows_without_truth_are_left_out() -> None:
    found = rows("drift_bias", DECISIONS)
    assert len(found) == 4
    assert (found[0]["value"], found[0]["low"], found[0]["high"]) == (-1.4, -1.45, -1.35)
    assert found[0]["limit"] == pytest.approx(-0.625)
    assert found[0]["at"] == "2025-01-15T00:00:00+00:00"


def test_a_window_counts_once_and_with_its_truth() -> None:
    late = record(1, RETRAIN, at=START + timedelta(weeks=9))
    assert [row["decision"] for row in rows("drift_share", [late, *DECISIONS])][1] == "retrain, not done yet"


def test_the_problem_with_the_most_windows_is_drawn_and_one_window_is_no_timeline() -> None:
    other = record(0, RETRAIN, problem="other")
    assert len(rows("drift_share", [other, *DECISIONS])) == len(DECISIONS)
    assert drift_timeline.figures([other]) == []
    assert drift_timeline.figures([]) == []


def test_charts_render_in_both_schemes_and_widths() -> None:
    for figure in drift_timeline.figures(DECISIONS):
        assert figure.chart.to_dict()  # checks it against Vega-Lite's schema
        assert "in the last one" in figure.alt
        for width in (pictures.WIDE, pictures.NARROW):
            assert pictures.svg_address(figure.chart, "dark", width).startswith("data:image/svg+xml")
