from __future__ import annotations

import math
import re
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cabstand.monitoring.findings import Estimate, Quality
from cabstand.report import monitor_page, spans
from monitor_examples import EVIDENTLY, LATE, NO_EVIDENTLY, NONE, QUIET, RETRAIN, WATCH, WINDOW


def text(page: str) -> str:
    """What a reader sees of a page, in order."""
    body = re.sub(r"<svg.*?</svg>", "", page.partition("<body>")[2], flags=re.DOTALL)
    return " ".join(re.sub(r"<[^>]*>", " ", body).split())


def render(*args: object) -> str:
    return monitor_page.render(*args, made_at="now", version="0")  # type: ignore[arg-type]


def test_the_decision_comes_first_with_its_reason_and_what_to_do() -> None:
    shown = text(render(WINDOW, RETRAIN, EVIDENTLY))
    assert shown.startswith(
        "Monitor of ride-duration 1 to 31 January 2026 , model 20230301t101530-3f1c2a Retrain 4 of 7 columns drifted"
    )
    assert (
        "What to do: train on the newest months, once, by cabstand retrain --problem ride-duration --key 2026" in shown
    )
    assert "4 of 7 columns drifted, limit 50% 3.96 min mean absolute error, 3.25 on the holdout" in shown
    assert "What to do: look at what drifted" in text(render(LATE, WATCH, EVIDENTLY))
    assert "What to do: nothing." in text(render(QUIET, NONE, EVIDENTLY))
    assert "What to do: wait for the next window" in text(render(LATE, replace(NONE, breaches=1), EVIDENTLY))


def test_figures_have_their_intervals_and_the_limit_on_their_side() -> None:
    shown = text(render(WINDOW, RETRAIN, EVIDENTLY))
    assert "bias, min -1.4 (-1.45 to -1.35) -0.3 (-0.37 to -0.23) -0.625" in shown
    assert "coverage of the interval 0.845 (0.841 to 0.849) 0.9 (0.894 to 0.906) 0.89" in shown
    assert "Measured on 50,998 rows whose truth is known." in shown


def test_an_estimate_is_called_one_and_no_estimate_is_said() -> None:
    assert "the error is estimated from the predictions alone" in text(render(LATE, WATCH, EVIDENTLY))
    assert "nothing was estimated" in text(render(QUIET, NONE, EVIDENTLY))
    alone = replace(WINDOW, quality=Quality(9, Estimate(3, 2, 4), Estimate(0, -1, 1)), quality_then=None)
    assert "mean absolute error, min 3 (2 to 4) \u2013 \u2013" in text(render(alone, NONE, EVIDENTLY))


def test_columns_are_sorted_by_what_they_reach_of_their_threshold() -> None:
    page = render(WINDOW, RETRAIN, EVIDENTLY)
    names = re.findall(r'<tr class="(over|under)"><td class="breaks status">(\w+)', page)
    assert [name for _, name in names] == [
        "pickup_zone", "duration_min", "hour", "passengers", "prediction", "trip_distance", "weekday",
    ]  # fmt: skip
    assert [state for state, _ in names] == ["over"] * 4 + ["under"] * 3
    assert "Not compared ehail_fee no values" in text(page)


def test_categories_are_escaped_and_counted_where_there_are_many() -> None:
    page = render(WINDOW, RETRAIN, EVIDENTLY)
    assert "Zone &lt;0&gt;" in page
    assert "Zone <" not in page
    assert "Zone &lt;11&gt; and 8 more Newark Airport" in text(page)


def test_evidently_is_linked_with_what_it_lacks_or_its_absence_is_said() -> None:
    page = render(WINDOW, RETRAIN, EVIDENTLY)
    assert '<a href="evidently.html">' in page
    assert "Not in it passengers missing in the current rows Changed for it trip_distance 3 infinite" in text(page)
    absent = render(WINDOW, RETRAIN, NO_EVIDENTLY)
    assert "evidently.html" not in absent
    assert "There is none: Evidently is not installed (pip install &#39;.[monitor]&#39;)." in text(absent)


def test_the_page_runs_nothing_and_fetches_nothing() -> None:
    page = render(WINDOW, RETRAIN, EVIDENTLY)
    assert "default-src 'none'; img-src data:; style-src 'unsafe-inline'" in page
    assert not re.search(r"<script|https?://", page)


def test_windows_of_hours_are_named_to_the_minute() -> None:
    shifted = replace(WINDOW, end=WINDOW.start + timedelta(hours=6, minutes=30))
    assert monitor_page.dates(shifted) == "2026-01-01 00:00 to 2026-01-01 06:30 UTC"
    assert monitor_page.dates(replace(WINDOW, end=WINDOW.start + timedelta(days=1))) == "1 January 2026"


FLOATS = st.floats(-1e100, 1e100) | st.sampled_from([math.nan, math.inf, -math.inf])
ESTIMATES = st.builds(Estimate, FLOATS, FLOATS, FLOATS)


@given(st.none() | FLOATS.map(abs), FLOATS)
def test_a_distance_is_right_of_the_line_exactly_if_it_is_over_its_threshold(
    distance: float | None, threshold: float
) -> None:
    span = spans.against_threshold(distance, threshold)
    if span.now is None:
        assert distance is None or not math.isfinite(distance) or not threshold > 0
        return
    assert distance is not None
    assert span.limit is not None
    assert spans.MARGIN <= span.now.at <= spans.WIDTH - spans.MARGIN
    assert not (distance / threshold > 1.01 and span.now.at <= span.limit)
    assert not (distance / threshold < 0.99 and span.now.at >= span.limit)
    assert span.now.beyond == (distance / threshold > spans.MOST)


@given(ESTIMATES, st.none() | ESTIMATES, st.none() | FLOATS)
def test_estimates_and_limit_fit_their_scale(now: Estimate, then: Estimate | None, limit: float | None) -> None:
    span = spans.now_and_then(now, then, limit)
    places = [place for mark in (span.now, span.then) if mark for place in (mark.low, mark.at, mark.high)]
    places += [] if span.limit is None else [span.limit]
    assert all(spans.MARGIN <= place <= spans.WIDTH - spans.MARGIN for place in places)


@pytest.mark.parametrize("ends", [(1.0, 2.0), (5.0, 5.0)])
def test_a_scale_shows_its_order(ends: tuple[float, float]) -> None:
    span = spans.now_and_then(Estimate(ends[0], *ends), None, ends[1])
    assert span.now is not None
    assert span.limit is not None
    assert (span.now.at < span.limit) == (ends[0] < ends[1])
