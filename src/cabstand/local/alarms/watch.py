"""Evaluate the emulator's alarms once a minute, set their state and notify those who are named in their actions."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cabstand.local.alarms import queues
from cabstand.local.alarms.states import COMPARISONS, EXTRA_POINTS, State, judge
from cabstand.local.events.polling import poll

LOG = logging.getLogger(__name__)
Clients = Callable[[str], Any]
Measure = Callable[[Clients, datetime], None]
SECONDS_BETWEEN_LOOKS = 1.0  # for the next minute
ACTIONS = {"OK": "OKActions", "ALARM": "AlarmActions", "INSUFFICIENT_DATA": "InsufficientDataActions"}


def run(client: Clients, folder: Path, stop: threading.Event, measures: Sequence[Measure] = (queues.publish,)) -> None:
    """Take the measures and judge once a minute until `stop` is set, at first at the end of the minute that runs.

    Nothing is kept in `folder`: the state of an alarm is the emulator's.
    """
    del folder
    seen: datetime | None = None

    def step() -> None:
        nonlocal seen
        now = datetime.now(UTC)
        minute = now.replace(second=0, microsecond=0)
        if minute == seen:
            return
        for measure in measures:
            measure(client, now)
        if seen is not None:  # at first there is nothing yet of the minute before
            check(client, now)
        seen = minute

    poll("alarms", step, SECONDS_BETWEEN_LOOKS, stop)


def check(client: Clients, now: datetime) -> list[str]:
    """Evaluate every alarm at the last whole minute; return the names of those that changed state."""
    end = now.replace(second=0, microsecond=0)
    pages = client("cloudwatch").get_paginator("describe_alarms").paginate()
    return [alarm["AlarmName"] for page in pages for alarm in page["MetricAlarms"] if _changed(client, alarm, end)]


def _changed(client: Clients, alarm: Mapping[str, Any], end: datetime) -> bool:
    points = _points(client, alarm, end)
    compare = COMPARISONS[alarm["ComparisonOperator"]]
    breaching = [None if point is None else compare(point, alarm["Threshold"]) for point in points]
    periods = alarm["EvaluationPeriods"]
    to_alarm = alarm.get("DatapointsToAlarm") or periods
    before: State = alarm["StateValue"]
    state = judge(breaching, periods, to_alarm, alarm.get("TreatMissingData") or "missing", before)
    if state == before:
        return False
    known = [point for point in points if point is not None][-periods:]
    reason = f"{len(known)} of {periods} data points are known, the last is {known[-1] if known else 'missing'}"
    reason = f"Threshold Crossed: {reason}; {alarm['ComparisonOperator']} {alarm['Threshold']}, {to_alarm} must breach."
    client("cloudwatch").set_alarm_state(AlarmName=alarm["AlarmName"], StateValue=state, StateReason=reason)
    LOG.info("alarm %s: %s (before: %s)", alarm["AlarmName"], state, before)
    if alarm.get("ActionsEnabled", True):
        for action in alarm.get(ACTIONS[state]) or []:
            _act(client, action, _message(alarm, state, reason, end))
    return True


def _points(client: Clients, alarm: Mapping[str, Any], end: datetime) -> Sequence[float | None]:
    """Return the alarm's latest points, oldest first; None where there is no data."""
    queries, wanted, period = _queries(alarm)
    n_points = alarm["EvaluationPeriods"] + EXTRA_POINTS
    start = end - timedelta(seconds=period * n_points)
    answer = client("cloudwatch").get_metric_data(MetricDataQueries=queries, StartTime=start, EndTime=end)
    found = next(one for one in answer["MetricDataResults"] if one["Id"] == wanted)
    values = dict(zip(found["Timestamps"], found["Values"], strict=True))
    return [values.get(start + timedelta(seconds=period * index)) for index in range(n_points)]


def _queries(alarm: Mapping[str, Any]) -> tuple[list[Mapping[str, Any]], str, int]:
    """Return an alarm's queries, which of them is compared with the threshold, and the period in seconds."""
    if queries := alarm.get("Metrics"):
        wanted = next(one["Id"] for one in queries if one.get("ReturnData", True))
        period = max(one["MetricStat"]["Period"] for one in queries if "MetricStat" in one)
        return [{**one, "ReturnData": one["Id"] == wanted} for one in queries], wanted, period
    metric = {name: alarm[name] for name in ("Namespace", "MetricName")} | {"Dimensions": alarm.get("Dimensions", [])}
    statistic = alarm.get("Statistic") or alarm["ExtendedStatistic"]
    query = {"Id": "value", "MetricStat": {"Metric": metric, "Period": alarm["Period"], "Stat": statistic}}
    return [query], "value", alarm["Period"]


def _message(alarm: Mapping[str, Any], state: State, reason: str, end: datetime) -> dict[str, Any]:
    """Return the body of the notification; a subset of AWS's keys."""
    kept = ("AlarmName", "AlarmDescription", "AlarmArn")
    return {name: alarm.get(name) for name in kept} | {
        "NewStateValue": state,
        "OldStateValue": alarm["StateValue"],
        "NewStateReason": reason,
        "StateChangeTime": end.isoformat(),
    }


def _act(client: Clients, action: str, message: dict[str, Any]) -> None:
    if ":sns:" not in action:
        LOG.warning("alarm %s: the action %s is not carried out on this machine", message["AlarmName"], action)
        return
    subject = f'{message["NewStateValue"]}: "{message["AlarmName"]}"'[:100]
    client("sns").publish(TopicArn=action, Subject=subject, Message=json.dumps(message))
