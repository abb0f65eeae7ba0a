"""Each alarm of the applied account rings by what it watches, notifies, and falls silent again."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from cabstand.local.alarms import queues, watch
from cloud_account import Account

pytestmark = pytest.mark.cloud

NAME = "cabstand-dev"
BY_JOBS = {
    "workflow-slow": ("pipeline", {"status": "ok", "wall_s": 301}),
    "workflow-failures": ("cluster-multicore", {"status": "failed", "wall_s": 1}),
    "experiment-slow": ("compare", {"status": "ok", "wall_s": 601}),
    "experiment-failures": ("sweep", {"status": "failed", "wall_s": 1}),
    "job-memory": ("train", {"status": "ok", "wall_s": 1, "peak_rss_mb": 8193}),
}
QUIET = {"status": "ok", "wall_s": 300, "peak_rss_mb": 8192}


@pytest.fixture(scope="module")
def inbox(account: Account) -> str:
    """A queue that gets what the alarms publish."""
    sqs = account.client("sqs")
    url: str = sqs.create_queue(QueueName="inbox")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    topic = account.client("cloudwatch").describe_alarms(AlarmNames=[f"{NAME}-server-cpu"])["MetricAlarms"][0]
    account.client("sns").subscribe(TopicArn=topic["AlarmActions"][0], Protocol="sqs", Endpoint=arn)
    return url


def alarms(account: Account) -> dict[str, dict[str, Any]]:
    found = account.client("cloudwatch").describe_alarms(AlarmNamePrefix=NAME)["MetricAlarms"]
    return {alarm["AlarmName"].removeprefix(f"{NAME}-"): alarm for alarm in found}


def notified(account: Account, inbox: str) -> Iterator[tuple[str, str]]:
    sqs = account.client("sqs")
    while messages := sqs.receive_message(QueueUrl=inbox, MaxNumberOfMessages=10).get("Messages"):
        for message in messages:
            body = json.loads(json.loads(message["Body"])["Message"])
            yield body["AlarmName"].removeprefix(f"{NAME}-"), body["NewStateValue"]
            sqs.delete_message(QueueUrl=inbox, ReceiptHandle=message["ReceiptHandle"])


def finish_job(account: Account, task: str, at: datetime, fields: dict[str, Any]) -> None:
    groups = [one["logGroupName"] for one in account.client("logs").describe_log_groups()["logGroups"]]
    group = next(one for one in groups if one.endswith(f"/{task}"))
    stream = f"task/{task}/{time.monotonic_ns()}"
    account.client("logs").create_log_stream(logGroupName=group, logStreamName=stream)
    line = json.dumps({"event": "job_finished", "job": task, **fields})
    event = {"timestamp": int(at.timestamp() * 1000), "message": line}
    account.client("logs").put_log_events(logGroupName=group, logStreamName=stream, logEvents=[event])


def measure(account: Account, alarm: dict[str, Any], end: datetime, *, breaching: bool) -> None:
    """Record a value in each of the alarm's periods, just on one side of its threshold."""
    up = alarm["ComparisonOperator"].startswith("Greater")
    step = 1 if up == breaching else -1
    for period in range(alarm["EvaluationPeriods"]):
        datum = {
            "MetricName": alarm["MetricName"],
            "Dimensions": alarm["Dimensions"],
            "Timestamp": end - timedelta(seconds=alarm["Period"] * period + 30),
            "Value": alarm["Threshold"] + (step if breaching or up else 0),
        }
        account.client("cloudwatch").put_metric_data(Namespace=alarm["Namespace"], MetricData=[datum])


def test_every_alarm_rings_and_falls_silent(account: Account, inbox: str) -> None:
    end = datetime.now(UTC).replace(second=0, microsecond=0)
    before, after = end - timedelta(days=5), end + timedelta(days=5)
    dead_letters = account.client("sqs").get_queue_url(QueueName=f"{NAME}-dead-letters")["QueueUrl"]

    record(account, before, breaching=False)
    watch.check(account.client, before)
    assert set(states(account).values()) == {"OK"}, states(account)

    list(notified(account, inbox))
    account.client("sqs").send_message(QueueUrl=dead_letters, MessageBody="{}")
    record(account, end, breaching=True)
    assert len(watch.check(account.client, end)) == len(states(account))
    assert set(states(account).values()) == {"ALARM"}, states(account)
    assert dict(notified(account, inbox)) == states(account)

    account.client("sqs").purge_queue(QueueUrl=dead_letters)
    assert watch.check(account.client, after)
    # Days later nothing is measured any more; only for the server and the monitor is silence a fault.
    assert {name for name, state in states(account).items() if state != "OK"} == {"server-silent", "monitor-silent"}
    assert watch.check(account.client, after) == []


def record(account: Account, end: datetime, *, breaching: bool) -> None:
    """Let jobs end, messages wait and values be measured before `end`, at the limits or just beyond."""
    for task, fields in BY_JOBS.values():
        finish_job(account, task, end - timedelta(seconds=30), fields if breaching else QUIET)
    for days in range(0 if breaching else 2):
        finish_job(account, "monitor", end - timedelta(days=days, seconds=30), {"status": "succeeded", "wall_s": 1})
    queues.publish(account.client, end - timedelta(seconds=30))
    every = alarms(account)
    for name in every.keys() - BY_JOBS.keys() - {"jobs-not-started", "monitor-silent"}:
        measure(account, every[name], end, breaching=breaching)


def states(account: Account) -> dict[str, str]:
    return {name: alarm["StateValue"] for name, alarm in alarms(account).items()}
