from __future__ import annotations

from calendar import monthrange
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from itertools import islice, takewhile
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from cabstand.errors import ConfigError
from cabstand.local.clock.expressions import EPOCH, parse
from schedule_expressions import ACCEPTED, REFUSED, UNKNOWN_ZONES

START = datetime(2026, 1, 1, tzinfo=UTC)


def first(expression: str, n: int, after: datetime = START, zone: str = "UTC") -> list[str]:
    times = parse(expression, zone).times(after, START)
    return [f"{moment.astimezone(ZoneInfo(zone)):%Y-%m-%d %H:%M}" for moment in islice(times, n)]


@pytest.mark.parametrize("expression", ACCEPTED)
def test_what_aws_accepts_has_a_next_time(expression: str) -> None:
    assert next(parse(expression).times(START, EPOCH)) > START


@pytest.mark.parametrize("expression", [*REFUSED, "at(2027-02-30T00:00:00)", "cron(0 6 * * ? 2030-2027)"])
def test_what_aws_refuses_is_refused_in_one_line(expression: str) -> None:
    with pytest.raises(ConfigError) as error:
        parse(expression)
    assert "\n" not in str(error.value)
    assert expression.strip().replace("  ", " ") in str(error.value)


@pytest.mark.parametrize("zone", UNKNOWN_ZONES)
def test_an_unknown_time_zone_is_refused(zone: str) -> None:
    with pytest.raises(ConfigError, match=r"time zone .* is unknown"):
        parse("cron(0 6 * * ? *)", zone)


@pytest.mark.parametrize(
    "expression", ["rate(1 minutes)", "rate(2 minute)", "rate(1 hours)", "at(2027-01-01T00:00:00)"]
)
def test_a_rule_is_stricter_than_a_schedule(expression: str) -> None:
    parse(expression)
    with pytest.raises(ConfigError):
        parse(expression, of_rule=True)


@pytest.mark.parametrize("expression", ["rate(1 minute)", "rate(2 days)", "cron(0 6 * * ? *)"])
def test_a_rule_accepts(expression: str) -> None:
    parse(expression, of_rule=True)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ("0 9 ? * L *", ["2026-01-03", "2026-01-10"]),  # L is Saturday
        ("0 9 ? * 1 *", ["2026-01-04", "2026-01-11"]),  # 1 is Sunday
        ("0 9 ? * 6L *", ["2026-01-30", "2026-02-27"]),
        ("0 9 ? * MON#1 *", ["2026-01-05", "2026-02-02"]),
        ("0 9 ? * FRI#5 *", ["2026-01-30", "2026-05-29"]),
        ("0 9 ? * FRI-SUN *", ["2026-01-02", "2026-01-03", "2026-01-04", "2026-01-09"]),
        ("0 9 L * ? *", ["2026-01-31", "2026-02-28", "2026-03-31"]),
        ("0 9 L-3 * ? *", ["2026-01-28", "2026-02-25"]),
        ("0 9 L-29 * ? *", ["2026-01-02", "2026-03-02", "2026-04-01"]),
        ("0 9 LW * ? *", ["2026-01-30", "2026-02-27", "2026-03-31"]),
        ("0 9 15W * ? *", ["2026-01-15", "2026-02-16", "2026-03-16"]),  # 15 February is a Sunday
        ("0 9 1W 8 ? *", ["2026-08-03", "2027-08-02"]),  # a Saturday, whose Friday is in July, and a Sunday
        ("0 9 31W * ? *", ["2026-01-30", "2026-03-31", "2026-05-29"]),
        ("0 9 31 * ? *", ["2026-01-31", "2026-03-31", "2026-05-31"]),
        ("0 9 29 2 ? *", ["2028-02-29", "2032-02-29"]),
        ("0 9 1 1 ? 2027/2", ["2027-01-01", "2029-01-01", "2031-01-01"]),
        ("0 9 31 12 ? 2026-2027", ["2026-12-31", "2027-12-31"]),
        ("0 9 1 NOV-FEB/2 ? *", ["2026-01-01", "2026-11-01", "2027-01-01"]),
        ("0 9 30 2 ? *", []),
    ],
)
def test_days(fields: str, expected: list[str]) -> None:
    assert first(f"cron({fields})", max(1, len(expected))) == [f"{day} 09:00" for day in expected]


@pytest.mark.parametrize(
    ("expression", "zone", "after", "expected"),
    [
        ("cron(30 2 * * ? *)", "America/New_York", "2026-03-07", ["03-07 02:30", "03-09 02:30"]),  # skipped on the 8th
        ("cron(30 1 * * ? *)", "America/New_York", "2026-10-31", ["10-31 01:30", "11-01 01:30", "11-02 01:30"]),  # once
        ("cron(0 0/12 * * ? *)", "Europe/Berlin", "2026-03-28T23:30", ["03-29 12:00", "03-30 00:00"]),
        (
            "cron(0 0 * * ? *)",
            "Africa/Cairo",
            "2026-04-23T01:00",
            ["04-25 00:00", "04-26 00:00"],
        ),  # no midnight on the 24th
        ("cron(15 2 ? * SUN *)", "Australia/Lord_Howe", "2026-10-02", ["10-11 02:15"]),  # half an hour is left out
    ],
)
def test_changes_of_daylight_saving(expression: str, zone: str, after: str, expected: list[str]) -> None:
    begin = datetime.fromisoformat(after).replace(tzinfo=UTC)
    assert first(expression, len(expected), begin, zone) == [f"2026-{one}" for one in expected]


def test_the_first_of_two_equal_times_fires() -> None:
    times = parse("cron(30 1 1 11 ? 2026)", "America/New_York").times(START, START)
    assert list(times) == [datetime(2026, 11, 1, 5, 30, tzinfo=UTC)]


def test_a_rate_counts_from_its_beginning() -> None:
    begin = datetime(2026, 1, 1, 0, 7, tzinfo=UTC)
    times = parse("rate(15 minutes)").times(begin - timedelta(seconds=1), begin)
    assert [moment.minute for moment in islice(times, 3)] == [7, 22, 37]
    assert next(parse("rate(15 minutes)").times(begin, begin)).minute == 22


def test_at_fires_once_in_its_zone() -> None:
    expression = parse("at(2026-07-01T08:00:00)", "America/New_York")
    assert list(expression.times(START, START)) == [datetime(2026, 7, 1, 12, tzinfo=UTC)]
    assert list(expression.times(datetime(2026, 7, 1, 12, tzinfo=UTC), START)) == []


Part = tuple[str, Callable[[datetime], bool]]


def lists(
    low: int, high: int, of: Callable[[datetime], int], names: dict[int, str] | None = None
) -> st.SearchStrategy[Part]:
    """A field of one or two values, ranges or steps, with the test that a time passes."""
    value, step = st.integers(low, high), st.integers(1, high)
    spelled = (names or {}).get

    def span(a: int, b: int, n: int) -> tuple[str, set[int]]:
        run = [a]
        while run[-1] != b:
            run.append(low if run[-1] == high else run[-1] + 1)
        return f"{spelled(a, a)}-{spelled(b, b)}/{n}", {one for index, one in enumerate(run) if index % n == 0}

    parts = st.one_of(
        value.map(lambda a: (str(spelled(a, a)), {a})),
        st.builds(span, value, value, step),
        st.builds(lambda a, n: (f"{a}/{n}", {one for one in range(a, high + 1) if (one - a) % n == 0}), value, step),
        step.map(lambda n: (f"*/{n}", {one for one in range(low, high + 1) if (one - low) % n == 0})),
        st.just(("*", set(range(low, high + 1)))),
    )

    def joined(found: list[tuple[str, set[int]]]) -> Part:
        values = set().union(*(one for _, one in found))
        return ",".join(text for text, _ in found), lambda moment: of(moment) in values

    return st.lists(parts, min_size=1, max_size=2).map(joined)


def month_of(moment: datetime) -> list[date]:
    length = monthrange(moment.year, moment.month)[1]
    return [date(moment.year, moment.month, day) for day in range(1, length + 1)]


def nearest(moment: datetime, wanted: int) -> bool:
    days = month_of(moment)
    if wanted > len(days):
        return False
    weekdays = [day for day in days if day.isoweekday() < 6]
    return moment.date() == min(weekdays, key=lambda day: (abs(day.day - wanted), day))


def weekday(moment: datetime) -> int:
    return int(f"{moment:%w}") + 1


WEEKDAYS = dict(enumerate(("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"), start=1))
MONTHS = {number: f"{date(2026, number, 1):%b}".upper() for number in range(1, 13)}
DAY = st.one_of(
    lists(1, 31, lambda moment: moment.day),
    st.integers(0, 30).map(
        lambda n: (f"L-{n}" if n else "L", lambda moment: month_of(moment)[-1].day - n == moment.day)
    ),
    st.just(("LW", lambda moment: nearest(moment, month_of(moment)[-1].day))),
    st.integers(1, 31).map(lambda n: (f"{n}W", lambda moment: nearest(moment, n))),
)
WEEKDAY = st.one_of(
    lists(1, 7, weekday, WEEKDAYS),
    st.just(("L", lambda moment: weekday(moment) == 7)),
    st.integers(1, 7).map(
        lambda n: (f"{n}L", lambda moment: weekday(moment) == n and moment.day > month_of(moment)[-1].day - 7)
    ),
    st.builds(
        lambda n, nth: (f"{n}#{nth}", lambda moment: weekday(moment) == n and (moment.day - 1) // 7 + 1 == nth),
        st.integers(1, 7),
        st.integers(1, 5),
    ),
)
UNSAID: Part = ("?", lambda _: True)
EVERY = st.just(("*", lambda _: True))
YEAR = st.sampled_from(
    [
        ("*", lambda moment: True),
        ("2026", lambda moment: moment.year == 2026),
        ("2025/3", lambda moment: moment.year in {2025, 2028}),
        ("*/4", lambda moment: moment.year % 4 == 1970 % 4),
        ("2028-2030,2026", lambda moment: moment.year != 2027),
    ]
)
# Days around the changes of daylight saving, the leap day and the ends of months.
DATES = st.sampled_from(
    ["2026-03-07", "2026-10-31", "2026-03-28", "2026-10-24", "2028-02-27", "2026-12-30", "2026-02-27"]
)
ZONES = st.sampled_from(["UTC", "America/New_York", "Europe/Berlin", "Asia/Kathmandu", "Australia/Lord_Howe"])


@settings(max_examples=60)
@given(
    minute=lists(0, 59, lambda moment: moment.minute),
    hour=lists(0, 23, lambda moment: moment.hour),
    day=st.one_of(
        EVERY.map(lambda one: (one, UNSAID)), DAY.map(lambda one: (one, UNSAID)), WEEKDAY.map(lambda one: (UNSAID, one))
    ),
    month=st.one_of(EVERY, lists(1, 12, lambda moment: moment.month, MONTHS)),
    year=YEAR,
    begin=DATES,
    zone=ZONES,
)
def test_equals_a_scan_of_every_minute(
    minute: Part, hour: Part, day: tuple[Part, Part], month: Part, year: Part, begin: str, zone: str
) -> None:
    parts = (minute, hour, day[0], month, day[1], year)
    start, clock = datetime.fromisoformat(begin).replace(tzinfo=UTC), ZoneInfo(zone)
    expected = []
    for number in range(1, 3 * 24 * 60 + 1):
        local = (start + timedelta(minutes=number)).astimezone(clock)
        if not local.fold and all(passes(local) for _, passes in parts):
            expected.append(local.astimezone(UTC))
    times = parse(f"cron({' '.join(text for text, _ in parts)})", zone).times(start, start)
    assert list(takewhile(lambda moment: moment <= start + timedelta(days=3), times)) == expected


@settings(max_examples=60)
@given(
    minute=lists(0, 59, lambda moment: moment.minute),
    hour=lists(0, 23, lambda moment: moment.hour),
    day=st.one_of(DAY.map(lambda one: (one[0], "?")), WEEKDAY.map(lambda one: ("?", one[0]))),
    begin=st.datetimes(datetime(2026, 1, 1), datetime(2030, 1, 1)),
)
def test_equals_aws_croniter_where_that_is_right(
    minute: Part, hour: Part, day: tuple[str, str], begin: datetime
) -> None:
    from aws_croniter import AwsCroniter
    from aws_croniter.exceptions import AwsCroniterExpressionError

    assume(day not in {("LW", "?"), ("?", "L")})  # the first is a traceback there, the second never fires
    start = begin.replace(second=0, microsecond=0, tzinfo=UTC)
    fields = f"{minute[0]} {hour[0]} {day[0]} * {day[1]} *"
    try:
        theirs = AwsCroniter(fields).get_next(start, 4)
    except AwsCroniterExpressionError:
        assume(False)  # it refuses some steps and ranges that wrap
    assume(None not in theirs)
    assert list(islice(parse(f"cron({fields})").times(start, start), 4)) == theirs
