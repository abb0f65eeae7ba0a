"""The heartbeat of the MLflow server, which a timer on its machine sends on AWS: whether MLflow answers.

See infra/modules/tracking/files/heartbeat.sh; starting the AWS CLI every minute would cost more than all the rest.
"""

from __future__ import annotations

import urllib.request
from collections.abc import Callable
from datetime import datetime
from http.client import HTTPException
from typing import Any

METRIC, TIMEOUT_S = "MlflowHealthy", 10


def publish(client: Callable[[str], Any], now: datetime, *, url: str, namespace: str) -> None:
    """Record 1 if the server at `url` says that it is well, else 0."""
    datum = {"MetricName": METRIC, "Timestamp": now, "Value": float(_is_well(url))}
    client("cloudwatch").put_metric_data(Namespace=namespace, MetricData=[datum])


def _is_well(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/health", timeout=TIMEOUT_S):  # noqa: S310
            return True
    except (OSError, HTTPException):
        return False
