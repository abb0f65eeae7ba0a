"""Times of any form are read as New York's."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cabstand.trips import times

NEW_YORK = ZoneInfo("America/New_York")
EVENING = dt.datetime(2015, 6, 2, 22, 30)

INSTANTS = st.datetimes(dt.datetime(2009, 1, 1), dt.datetime(2030, 1, 1), timezones=st.just(dt.UTC)).map(
    lambda at: at.replace(microsecond=0)
)


def read(*texts: str | None) -> list[dt.datetime | None]:
    found = times.local(pa.array(texts, pa.string()))
    assert found is not None
    return found.at.to_pylist()


SAME = """2015-06-02 22:30:00; 2015-06-02T22:30:00; 2015-06-02 22:30; 2015/06/02 22:30:00; 2015/6/2 22:30
6/2/2015 22:30; 06/02/2015 22:30:00; 6/2/2015 10:30 PM; 06/02/2015 10:30:00 PM; 6/2/15 10:30 p.m.; 2015-06-03T02:30:00Z
2015-06-03T02:30:00.000Z; 2015-06-03 02:30:00 UTC; 2015-06-03 02:30:00.000000 UTC; 2015-06-03 02:30:00+00:00
2015-06-03 02:30:00+00; 2015-06-02 22:30:00-04:00; 2015-06-02T22:30:00-0400; 2015-06-03 08:00:00+05:30
6/3/2015 2:30 AM UTC; 6/3/2015 2:30 GMT; 2015-06-02 22:30 EDT;  6/2/2015 22:30 """
NONE = """no;24:00;2015-02-30 12:00;13/1/2015 1:00;1/1/2015 13:00 PM;1/1/2015 0:30 AM;2015-01-01 24:00;2015-01-01 12:60
2015-01-01 12:00:60;2015-06-02 22:30:00 Mars;1420070400;22:30:00"""


def split(texts: str) -> list[str]:
    return texts.replace("\n", ";").split(";")


@pytest.mark.parametrize("text", split(SAME))
@pytest.mark.parametrize("beside", ["6/1/2015 0:00", "2015-06-01 00:00:00", "no time"])
def test_texts_of_one_evening(text: str, beside: str) -> None:
    assert read(text, beside)[0] == EVENING
    assert read(text)[0] == EVENING


@pytest.mark.parametrize("text", ["", *split(NONE)])
def test_what_is_no_time(text: str) -> None:
    assert read(text, "6/1/2015 0:00") == [None, dt.datetime(2015, 6, 1)]


def test_midnight_and_noon_on_a_clock_of_twelve_hours() -> None:
    assert [at.hour for at in read("4/1/2014 12:07 AM", "4/1/2014 12:07 PM", "4/1/2014 1:07 PM") if at] == [0, 12, 13]


@given(
    st.lists(INSTANTS, min_size=1, max_size=20), st.sampled_from(["UTC", "America/New_York", "Europe/Berlin", "+05:30"])
)
def test_zoned_timestamps_are_converted(instants: list[dt.datetime], zone: str) -> None:
    expected = [at.astimezone(NEW_YORK).replace(tzinfo=None) for at in instants]
    for unit in ("s", "ms", "us", "ns"):
        found = times.local(pa.array(instants, pa.timestamp(unit, zone)))
        assert found is not None
        assert found.at.to_pylist() == expected
        assert found.zones == frozenset({zone} - {"America/New_York"})


@given(
    st.lists(st.tuples(INSTANTS, st.sampled_from(["%Y-%m-%dT%H:%M:%SZ", "%m/%d/%Y %I:%M:%S %p +00:00"])), min_size=1)
)
def test_zoned_texts_are_converted_whatever_stands_beside_them(rows: list[tuple[dt.datetime, str]]) -> None:
    texts = [at.strftime(form) for at, form in rows]
    assert read(*texts) == [at.astimezone(NEW_YORK).replace(tzinfo=None) for at, _ in rows]
    naive = [at.strftime("%Y-%m-%d %H:%M:%S") for at, _ in rows]
    assert read(*naive, *texts)[: len(rows)] == [at.replace(tzinfo=None) for at, _ in rows]


def test_both_changes_of_the_clock() -> None:
    spring = read("2024-03-10T06:59:59Z", "2024-03-10T07:00:00Z")
    assert [str(at) for at in spring] == ["2024-03-10 01:59:59", "2024-03-10 03:00:00"]
    autumn = read("2024-11-03T05:30:00Z", "2024-11-03T06:30:00Z", "2024-11-03T07:00:00Z")
    assert [str(at) for at in autumn] == ["2024-11-03 01:30:00", "2024-11-03 01:30:00", "2024-11-03 02:00:00"]


def test_what_zones_are_called() -> None:
    zones = {"t": {"UTC", "-04:00"}, "u": set()}
    assert times.shown_zones(zones) == {"t": "-04:00, UTC to America/New_York"}


def test_numbers_are_no_times() -> None:
    assert times.local(pa.array([1, 2])) is None
