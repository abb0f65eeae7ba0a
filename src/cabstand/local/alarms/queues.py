"""The metric of SQS that alarms watch: how many messages wait in each queue."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

NAMESPACE, METRIC = "AWS/SQS", "ApproximateNumberOfMessagesVisible"


def publish(client: Callable[[str], Any], now: datetime) -> None:
    """Record the number of visible messages of each queue."""
    sqs = client("sqs")
    for page in sqs.get_paginator("list_queues").paginate():
        for url in page.get("QueueUrls", []):
            waiting = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages"])
            datum = {
                "MetricName": METRIC,
                "Dimensions": [{"Name": "QueueName", "Value": url.rsplit("/", 1)[1]}],
                "Timestamp": now,
                "Value": float(waiting["Attributes"]["ApproximateNumberOfMessages"]),
            }
            client("cloudwatch").put_metric_data(Namespace=NAMESPACE, MetricData=[datum])
