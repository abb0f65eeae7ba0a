"""Windows of the monitor and decisions on them, by hand: one that asks for retraining, and one that says nothing."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from cabstand.monitoring.findings import ColumnDrift, Drift, Estimate, Quality, Window
from cabstand.monitoring.policy import Rules, decide
from cabstand.report.monitor_page import EvidentlyPart

COLUMNS = (
    ColumnDrift("trip_distance", "wasserstein", 0.031, 0.1, drifted=False),
    ColumnDrift("hour", "wasserstein", 0.118, 0.1, drifted=True, note="at or over the threshold"),
    ColumnDrift(
        "pickup_zone", "jensen-shannon", 0.72, 0.1, drifted=True, new=tuple(f"Zone <{n}>" for n in range(20)),
        vanished=("Newark Airport",), note="category Newark Airport vanished",
    ),
    ColumnDrift("passengers", "psi", None, 0.2, drifted=True, missing_current=1.0, note="missing in the current rows"),
    ColumnDrift("weekday", "jensen-shannon", 0.02, 0.1, drifted=False, missing_reference=0.01, missing_current=0.012),
    ColumnDrift("duration_min", "wasserstein", 0.2, 0.1, drifted=True),
    ColumnDrift("prediction", "wasserstein", 0.09, 0.1, drifted=False),
)  # fmt: skip
THEN = Quality(12_000, Estimate(3.25, 3.2, 3.3), Estimate(-0.3, -0.37, -0.23), Estimate(0.9, 0.894, 0.906))
WINDOW = Window(
    problem="ride-duration",
    version="20230301t101530-3f1c2a",
    start=datetime(2026, 1, 1, tzinfo=UTC),
    end=datetime(2026, 2, 1, tzinfo=UTC),
    drift=Drift(
        64_453, 52_110, COLUMNS, 0.5, (ColumnDrift("ehail_fee", "psi", None, 0.1, drifted=False, note="no values"),)
    ),
    volume_ratio=0.81,
    quality=Quality(50_998, Estimate(3.96, 3.92, 4.0), Estimate(-1.4, -1.45, -1.35), Estimate(0.845, 0.841, 0.849)),
    quality_then=THEN,
    estimated_mae=Estimate(3.7, 3.5, 3.9),
    facts={
        "unit": "min",
        "hotspot_ami": 0.81,
        "hotspot_moved_m": 212.5,
        "trips": "s3://lake/trips/green/2026-01.parquet",
    },
)
QUIET = replace(WINDOW, drift=Drift(64_453, 12, (), 0.5), volume_ratio=None, quality=None, estimated_mae=None, facts={})
LATE = replace(WINDOW, quality=None)
NOW = datetime(2026, 2, 2, 8, tzinfo=UTC)
RETRAIN, WATCH, NONE = (decide(one, [], Rules(breaches=1), NOW) for one in (WINDOW, LATE, QUIET))
EVIDENTLY = EvidentlyPart(
    href="evidently.html",
    facts={"version": "0.7.23", "rows_of_the_reference": 5_000, "rows_of_the_window": 5_000, "seed": 0, "cpu_s": 4.7},
    left_out={"passengers": "missing in the current rows"},
    notes={"trip_distance": "3 infinite values taken out"},
)
NO_EVIDENTLY = EvidentlyPart(missing="Evidently is not installed (pip install '.[monitor]')")
