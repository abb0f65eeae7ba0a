"""Metrics embedded in log lines.

The format: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from cabstand.local.metrics.filters import parsed


def datums(line: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield namespace and datum of each metric in a line, once for each of its sets of dimensions."""
    document = parsed(line) if '"_aws"' in line else None
    about = (document or {}).get("_aws")
    if document is None or not isinstance(about, dict):
        return
    for directive in about.get("CloudWatchMetrics") or []:
        for keys in directive.get("Dimensions") or [[]]:
            if all(key in document for key in keys):
                dimensions = [{"Name": key, "Value": str(document[key])} for key in keys]
                for metric in directive.get("Metrics") or []:
                    yield from _datum(directive["Namespace"], metric, document, dimensions)


def _datum(
    namespace: str, metric: dict[str, Any], document: dict[str, Any], dimensions: list[dict[str, str]]
) -> Iterator[tuple[str, dict[str, Any]]]:
    found = document.get(metric["Name"])
    values = [one for one in (found if isinstance(found, list) else [found]) if _is_number(one)]
    if values:
        unit = metric.get("Unit") or "None"
        yield namespace, {"MetricName": metric["Name"], "Values": values, "Unit": unit, "Dimensions": dimensions}


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
