"""Windows of the monitor as tests make them: so much drift, and such an error."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from cabstand.monitoring.findings import ColumnDrift, Drift, Estimate, Quality, Window

START = datetime(2026, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)


def about(value: float, half_width: float) -> Estimate:
    return Estimate(value, value - half_width, value + half_width)


def quality(mae: float, bias: float, coverage: float, n: int = 50_000, half_width: float = 0.03) -> Quality:
    return Quality(n, about(mae, half_width), about(bias, half_width), about(coverage, half_width / 10))


THEN = quality(3.25, -0.3, 0.90)
BAD = quality(3.96, -1.4, 0.845)


def drift(distances: Sequence[float], n: int = 50_000, threshold: float = 0.1, share: float = 0.5) -> Drift:
    columns = (
        ColumnDrift(f"column_{i}", "psi", distance, threshold, distance >= threshold)
        for i, distance in enumerate(distances)
    )
    return Drift(n, n, tuple(columns), share)


def window(
    day: float = 0,
    now: Quality | None = None,
    *,
    distances: Sequence[float] = (0.0, 0.0),
    n: int = 50_000,
    version: str = "v1",
    then: Quality | None = THEN,
    estimated: Estimate | None = None,
    volume: float | None = None,
) -> Window:
    start = START + day * DAY
    return Window(
        "trip-duration", version, start, start + DAY, drift(distances, n), volume_ratio=volume, quality=now,
        quality_then=then, estimated_mae=estimated,
    )  # fmt: skip
