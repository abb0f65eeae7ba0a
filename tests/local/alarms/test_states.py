"""The state of an alarm, against the two tables of AWS's page on missing data."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cabstand.local.alarms.states import EXTRA_POINTS, State, judge

MISSING = ("missing", "ignore", "breaching", "notBreaching")
# Points, oldest first (X breaches, 0 does not, - is missing), and the state for each treatment; "same" keeps it.
THREE_OF_THREE = {
    "0-X-X": ("OK", "OK", "OK", "OK"),
    "----0": ("OK", "OK", "OK", "OK"),
    "-----": ("INSUFFICIENT_DATA", "same", "ALARM", "OK"),
    "0XX-X": ("ALARM", "ALARM", "ALARM", "ALARM"),
    "--X--": ("ALARM", "same", "ALARM", "OK"),
}
TWO_OF_THREE = {
    "0-X-X": ("ALARM", "ALARM", "ALARM", "ALARM"),
    "00X0X": ("ALARM", "ALARM", "ALARM", "ALARM"),
    "0-X--": ("OK", "OK", "ALARM", "OK"),
    "----0": ("OK", "OK", "ALARM", "OK"),
    "---X-": ("ALARM", "same", "ALARM", "OK"),
}
CASES = [
    (points, to_alarm, missing, state)
    for to_alarm, table in ((3, THREE_OF_THREE), (2, TWO_OF_THREE))
    for points, states in table.items()
    for missing, state in zip(MISSING, states, strict=True)
]
POINTS = st.lists(st.sampled_from([True, False, None]), min_size=3 + EXTRA_POINTS, max_size=3 + EXTRA_POINTS)


def read(points: str) -> list[bool | None]:
    return [{"X": True, "0": False, "-": None}[point] for point in points]


@pytest.mark.parametrize(("points", "to_alarm", "missing", "state"), CASES)
@pytest.mark.parametrize("current", ["OK", "ALARM", "INSUFFICIENT_DATA"])
def test_aws_tables(points: str, to_alarm: int, missing: str, state: str, current: State) -> None:
    assert judge(read(points), 3, to_alarm, missing, current) == (current if state == "same" else state)


@given(POINTS, st.integers(1, 3), st.sampled_from(MISSING), st.sampled_from(["OK", "ALARM", "INSUFFICIENT_DATA"]))
def test_more_breaches_never_silence_it(points: list[bool | None], to_alarm: int, missing: str, current: State) -> None:
    if judge(points, 3, to_alarm, missing, current) == "ALARM":
        worse = [point if point is None else True for point in points]
        assert judge(worse, 3, to_alarm, missing, current) == "ALARM"


@given(POINTS, st.sampled_from(MISSING))
def test_without_gaps_the_treatment_does_not_matter(points: list[bool | None], missing: str) -> None:
    whole = [bool(point) for point in points]
    expected = "ALARM" if all(whole[-3:]) else "OK"
    assert judge(whole, 3, 3, missing, "INSUFFICIENT_DATA") == expected
