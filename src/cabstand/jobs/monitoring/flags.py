"""A window's findings as MLflow's metrics: finite numbers, and every breach as 0 or 1.

MLflow's SQLite turns infinity into 1.8e308 and finds NaN by no filter, so what is not known has no metric but a flag.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from cabstand.monitoring.decisions import Decision
from cabstand.monitoring.findings import ColumnDrift, Estimate, Window

ACTIONS = ("watch", "retrain")
_FOREIGN = re.compile(r"[^\w\-. :/]")  # what MLflow refuses in a name


def metrics(window: Window, decision: Decision) -> dict[str, float | None]:
    """Return the metrics of a window and the decision on it; None is not known."""
    drift = window.drift
    found: dict[str, float | None] = {
        "drift_share": drift.share,
        "drifted": drift.drifted,
        "rows": drift.n_current,
        "volume_ratio": window.volume_ratio,
        "breaches": decision.breaches,
        **{action: decision.action == action for action in ACTIONS},
    }
    for column in drift.columns:
        found |= _column(column)
    for name, one in _estimates(window):
        found |= {name: one.value, f"{name}_low": one.low, f"{name}_high": one.high}
    flags = {name: value for name, value in decision.numbers.items() if isinstance(value, bool)}
    return found | {name: float(value) for name, value in flags.items()}


def _column(one: ColumnDrift) -> dict[str, float | None]:
    name = _FOREIGN.sub("_", one.column)
    return {
        f"distance/{name}": one.distance,
        f"breach/{name}": one.drifted,
        f"compared/{name}": one.distance is not None,
        f"missing/{name}": one.missing_current,
    }


def _estimates(window: Window) -> Iterator[tuple[str, Estimate]]:
    for when, quality in (("", window.quality), ("_then", window.quality_then)):
        if quality is not None:
            yield f"mae{when}", quality.mae
            yield f"bias{when}", quality.bias
            if quality.coverage is not None:
                yield f"coverage{when}", quality.coverage
    if window.estimated_mae is not None:
        yield "mae_estimated", window.estimated_mae
