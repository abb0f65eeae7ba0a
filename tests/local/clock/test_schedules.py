"""The virtual clock: the product's schedules through 366 days, flexible windows, and what the account holds."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from itertools import islice
from zoneinfo import ZoneInfo

import pytest

from cabstand.local.clock import Schedule, firings, next_firings, read
from cabstand.local.clock.expressions import parse
from cabstand.workflows import definitions
from emulator import Clients, queue, role

NEW_YORK = ZoneInfo("America/New_York")
# 366 days with a leap day, and both changes of daylight saving, on 12 March and 5 November.
START = datetime(2028, 1, 1, tzinfo=NEW_YORK).astimezone(UTC)
END = datetime(2029, 1, 1, tzinfo=NEW_YORK).astimezone(UTC)


def product_schedules() -> list[Schedule]:
    """The schedules of the workflows in the zone that they have by default."""
    return [schedule(name, one.schedule, "America/New_York") for name, one in definitions.load().items()]


def schedule(name: str, expression: str, zone: str = "UTC", **others: object) -> Schedule:
    arn = f"arn:aws:scheduler:us-east-1:123456789012:schedule/default/{name}"
    return Schedule(arn, name, "default", True, parse(expression, zone), {"Arn": "target"}, **others)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def year() -> dict[str, list[datetime]]:
    schedules = product_schedules()
    names = {one.arn: one.name for one in schedules}
    found: dict[str, list[datetime]] = {}
    begin = time.perf_counter()
    for firing in firings(schedules, START, END):
        found.setdefault(names[firing.arn], []).append(firing.due)
    assert time.perf_counter() - begin < 60
    return found


def test_a_leap_year_of_the_products_schedules(year: dict[str, list[datetime]]) -> None:
    assert {name: len(times) for name, times in year.items()} == {
        "daily-comparison": 366,
        "weekly-sweep": 53,  # it begins on a Saturday and has 53 Sundays
        "monthly-pipeline": 12,
        "daily-monitor": 366,
    }


@pytest.mark.parametrize(
    ("name", "begin", "expected"),
    [
        # The daily one at six: an hour earlier in UTC from 12 March, an hour later from 5 November.
        ("daily-comparison", "2028-03-10", ["03-10 11:00", "03-11 11:00", "03-12 10:00", "03-13 10:00"]),
        ("daily-comparison", "2028-11-03", ["11-03 10:00", "11-04 10:00", "11-05 11:00", "11-06 11:00"]),
        ("daily-comparison", "2028-02-27", ["02-27 11:00", "02-28 11:00", "02-29 11:00", "03-01 11:00"]),
        ("daily-comparison", "2028-04-29", ["04-29 10:00", "04-30 10:00", "05-01 10:00"]),
        ("daily-comparison", "2028-12-30", ["12-30 11:00", "12-31 11:00"]),
        # On Sundays at five, both changes among them.
        ("weekly-sweep", "2028-03-01", ["03-05 10:00", "03-12 09:00", "03-19 09:00"]),
        ("weekly-sweep", "2028-10-25", ["10-29 09:00", "11-05 10:00", "11-12 10:00"]),
        ("weekly-sweep", "2028-02-21", ["02-27 10:00", "03-05 10:00"]),
        (
            "monthly-pipeline",
            "2028-01-01",
            [
                *("01-20 12:00", "02-20 12:00", "03-20 11:00", "04-20 11:00", "05-20 11:00", "06-20 11:00"),
                *("07-20 11:00", "08-20 11:00", "09-20 11:00", "10-20 11:00", "11-20 12:00", "12-20 12:00"),
            ],
        ),
    ],
)
def test_expected_times(year: dict[str, list[datetime]], name: str, begin: str, expected: list[str]) -> None:
    after = [moment for moment in year[name] if f"{moment:%Y-%m-%d}" >= begin]
    assert [f"{moment:%m-%d %H:%M}" for moment in after[: len(expected)]] == expected


def test_a_year_of_firings_every_five_minutes_is_in_order() -> None:
    schedules = [schedule("cron", "cron(0/5 * * * ? *)", "America/New_York"), schedule("rate", "rate(5 minutes)")]
    last, counts = START, dict.fromkeys((one.arn for one in schedules), 0)
    for firing in firings(schedules, START, START + timedelta(days=366)):
        assert firing.due >= last
        last = firing.due
        counts[firing.arn] += 1
    assert list(counts.values()) == [366 * 288 - 12, 366 * 288]  # the hour that comes twice counts once


def test_the_window_moves_a_schedule_by_a_pause_of_its_name() -> None:
    wide = [schedule(name, "rate(1 hour)", window=timedelta(minutes=15)) for name in ("a", "b")]
    found = [list(islice(one.firings(START), 50)) for one in wide]
    pauses = [{firing.due - firing.scheduled for firing in one} for one in found]
    assert len(pauses[0]) == len(pauses[1]) == 1
    assert pauses[0] != pauses[1]
    assert all(timedelta() <= pause < timedelta(minutes=15) for one in pauses for pause in one)
    assert list(islice(wide[0].firings(START), 50)) == found[0]
    # One that is due now was scheduled before now.
    assert next(wide[0].firings(found[0][3].due)) == found[0][4]


def test_first_and_last_dates() -> None:
    limited = schedule("dates", "rate(1 day)", begin=START, since=START - timedelta(1), end=START + timedelta(days=2))
    assert [firing.due - START for firing in limited.firings(START - timedelta(days=5))] == [
        timedelta(days=days) for days in range(3)
    ]
    later = schedule("later", "cron(0 12 * * ? *)", begin=START + timedelta(days=9))
    assert next(later.firings(START)).due == datetime(2028, 1, 10, 12, tzinfo=UTC)


def test_a_disabled_schedule_is_silent() -> None:
    off = Schedule("arn", "off", "default", False, parse("rate(1 minute)"), {"Arn": "target"})
    assert list(firings([off], START, END)) == []


def test_the_account_is_read(aws: Clients, caplog: pytest.LogCaptureFixture) -> None:
    target = {"Arn": queue(aws, "target"), "RoleArn": role(aws, "reader")}
    begin, end = datetime(2030, 1, 1, tzinfo=UTC), datetime(2030, 2, 1, tzinfo=UTC)
    aws("scheduler").create_schedule(
        Name="all",
        ScheduleExpression="cron(30 6 L * ? *)",
        ScheduleExpressionTimezone="Europe/Berlin",
        StartDate=begin,
        EndDate=end,
        FlexibleTimeWindow={"Mode": "FLEXIBLE", "MaximumWindowInMinutes": 5},
        Target=target | {"RetryPolicy": {"MaximumRetryAttempts": 3, "MaximumEventAgeInSeconds": 60}},
        ActionAfterCompletion="DELETE",
    )
    off = {"FlexibleTimeWindow": {"Mode": "OFF"}, "Target": target, "State": "DISABLED"}
    aws("scheduler").create_schedule(Name="off", ScheduleExpression="rate(1 minute)", **off)
    aws("events").put_rule(Name="hourly", ScheduleExpression="cron(0 * * * ? *)")
    aws("events").put_rule(Name="unscheduled", EventPattern='{"source": ["shop"]}')
    found = {one.name: one for one in read(aws)}
    assert found.keys() == {"all", "off", "hourly"}
    assert [firing.scheduled for firing in found["all"].firings(START)] == [datetime(2030, 1, 31, 5, 30, tzinfo=UTC)]
    assert not found["off"].enabled
    assert found["hourly"].of_rule
    now = datetime(2030, 1, 31, 3, 59, tzinfo=UTC)
    names = [name for name, _ in next_firings(aws, 4, now)]
    assert names == ["hourly", "hourly", "all", "hourly"]
    assert next_firings(aws, 1, now) == [("hourly", datetime(2030, 1, 31, 4, tzinfo=UTC))]
    assert not caplog.records
