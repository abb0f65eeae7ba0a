"""What a replay found, as the tables of its report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from cabstand.jobs.replaying.record import Record
from cabstand.monitoring import replay
from cabstand.monitoring.decisions import Rules
from cabstand.monitoring.findings import Estimate, Window
from cabstand.monitoring.replay import Course, Firing, Retraining, Trial

Row = dict[str, Any]


def windows(record: Record, course: Course, seen: Sequence[Window]) -> list[Row]:
    """Return one row a window: what the first model did there, and what the policy decided on the one in use."""
    rows = []
    for at, model, decision, window in zip(_later(record, course), course.models, course.decisions, seen, strict=True):
        quality, drift, used = window.quality, window.drift, record.window(model, at).quality
        assert quality is not None  # the record knows every truth
        assert used is not None
        rows.append(
            {
                "window": record.parts[at].name,
                "rows": quality.n,
                "drifted_share": drift.share,
                "drifted": [one.column for one in drift.columns if one.drifted],
                **_interval("mae", quality.mae),
                **_interval("bias", quality.bias),
                **_interval("coverage", quality.coverage),
                **_interval("estimated_mae", window.estimated_mae),
                "model": record.parts[model].name,
                "model_mae": used.mae.value,
                "action": decision.action,
                "reason": decision.reason,
            }
        )
    return rows


def retrainings(record: Record, course: Course) -> list[Row]:
    """Return one row a retraining: when, and what it saved on the windows of the next month's length."""
    return [_retraining(record, one) for one in course.retrainings]


def firings(record: Record, course: Course, seen: Sequence[Window]) -> list[Row]:
    """Return one row a threshold and value: windows beyond it, in each month."""
    months = sorted({record.parts[at].month for at in _later(record, course)})
    return [_firing(record, course, months, one) for one in replay.firings(seen)]


def trials(tried: Sequence[Trial]) -> list[Row]:
    """Return one row for rules that were tried; the first are those in force."""
    return [
        {
            **settings(one.rules),
            "retrainings": one.n_retrainings,
            "saved": one.saved,
            "saved_per_row": one.saved / one.n if one.n else 0.0,
            "saved_per_retraining": one.per_retraining,
        }
        for one in tried
    ]


def late_truth(rows: Sequence[Row]) -> Row:
    """Return how far the error that was estimated from predictions was from what came, over windows."""
    off = [row["estimated_mae"] - row["mae"] for row in rows]
    inside = [row["estimated_mae_low"] <= row["mae"] <= row["estimated_mae_high"] for row in rows]
    return {
        "windows": len(rows),
        "mean_difference": sum(off) / len(off),
        "mean_absolute_difference": sum(map(abs, off)) / len(off),
        "inside_interval": sum(inside),
    }


def settings(rules: Rules) -> dict[str, float | int]:
    """Return what is tried of rules by the names of its settings."""
    limits = {f"monitor_{name}": float(value) for name, value in asdict(rules.limits).items()}
    return {**limits, "monitor_breaches": rules.breaches}


def _later(record: Record, course: Course) -> range:
    return range(course.start + 1, len(record.parts))


def _retraining(record: Record, one: Retraining) -> Row:
    later = record.parts[one.at + 1 : one.at + 1 + record.count]
    return {
        "after": record.parts[one.at].name,
        "instead_of": record.parts[one.old].name,
        "judged_on": [later[0].name, later[-1].name] if later else None,
        **_interval("saved_per_row_held_out", one.held_out),
        **_interval("saved_per_row", one.saved),
    }


def _firing(record: Record, course: Course, months: Sequence[str], one: Firing) -> Row:
    fired = [record.parts[course.start + 1 + at].month for at in one.windows]
    return {"setting": one.setting, "value": one.value} | {month: fired.count(month) for month in months}


def _interval(name: str, found: Estimate | None) -> Row:
    if found is None:
        return {name: None, f"{name}_low": None, f"{name}_high": None}
    return {name: found.value, f"{name}_low": found.low, f"{name}_high": found.high}
