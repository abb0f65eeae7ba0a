"""What a service of AWS measures of its own work: gathered here, sent to CloudWatch in batches."""

from __future__ import annotations

import logging
import threading
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from cabstand.local.batches import Batches

EVERY_S = 5.0
MOST_DATA = 1_000  # of one PutMetricData
UNITS = {"Duration": "Milliseconds", "Latency": "Milliseconds", "IntegrationLatency": "Milliseconds"}

_LOG = logging.getLogger(__name__)


class Publisher:
    """Counts equal values, so that a thousand requests are a few data; `client` returns CloudWatch's client."""

    def __init__(self, client: Callable[[], Any], every_s: float = EVERY_S) -> None:
        self._client = client
        self._lock = threading.Lock()
        self._waiting: dict[tuple[str, str, str], dict[str, Counter[float]]] = {}
        self._away = False
        self._batches = Batches("metrics", self.flush, every_s)

    def add(self, namespace: str, dimension: str, of: str, **values: float) -> None:
        """Record one value of each metric; `of` is the value of their dimension."""
        with self._lock:
            counted = self._waiting.setdefault((namespace, dimension, of), defaultdict(Counter))
            for name, value in values.items():
                counted[name][value] += 1
        self._batches.soon()

    def close(self) -> None:
        """Send what waits, and end."""
        self._batches.close()

    def flush(self) -> None:
        """Send what waits; without CloudWatch it is lost, as it would be with the machine."""
        with self._lock:
            waiting, self._waiting = self._waiting, {}
        try:
            for (namespace, dimension, of), counted in waiting.items():
                data = list(_data([{"Name": dimension, "Value": of}], counted))
                for start in range(0, len(data), MOST_DATA):
                    part = data[start : start + MOST_DATA]
                    self._client().put_metric_data(Namespace=namespace, MetricData=part)
            self._away = False
        except (BotoCoreError, ClientError) as error:
            if not self._away:
                _LOG.warning("metrics are lost: %s", error)
            self._away = True


def _data(dimensions: list[dict[str, str]], counted: dict[str, Counter[float]]) -> Iterator[dict[str, Any]]:
    """Yield a datum for each distinct value: a set of equal values, which CloudWatch has percentiles of."""
    for name, values in counted.items():
        for value, n in values.items():
            equal = {"SampleCount": n, "Sum": value * n, "Minimum": value, "Maximum": value}
            unit = UNITS.get(name, "Count")
            yield {"MetricName": name, "Dimensions": dimensions, "Unit": unit, "StatisticValues": equal}
