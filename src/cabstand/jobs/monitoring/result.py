"""What `cabstand monitor` prints: the decision first, then every column."""

from __future__ import annotations

from typing import Any

from cabstand.jobs.monitoring import record
from cabstand.jobs.monitoring.evidence import Evidence
from cabstand.monitoring.decisions import Decision
from cabstand.monitoring.findings import ColumnDrift, Window

MOST_CATEGORIES = 20  # of those that are new or vanished, which are listed


def of(window: Window, decision: Decision, shown: Evidence) -> dict[str, Any]:
    """Return the result; the report has the rest."""
    told, drift = record.window_json(window), window.drift
    return {
        "problem": window.problem,
        "version": window.version,
        "decision": decision.action,
        "reason": decision.reason,
        "decision_key": decision.key,
        "drifted": drift.drifted,
        "drifted_share": drift.share,
        "threshold": drift.share_threshold,
        "n_reference": drift.n_reference,
        "n_current": drift.n_current,
        **{name: told[name] for name in ("start", "end", "volume_ratio", "quality", "quality_then", "estimated_mae")},
        "columns": [_column(one) for one in drift.columns],
        "not_compared": {one.column: one.note for one in drift.not_compared},
        "facts": told["facts"],
        "report_uri": shown.report_uri,
        "record_uri": shown.record_uri,
        "evidently_uri": shown.evidently_uri,
        "run_id": shown.run_id,
        "reused": shown.reused,
    }


def _column(one: ColumnDrift) -> dict[str, Any]:
    return {
        "column": one.column,
        "method": one.method,
        "distance": one.distance,
        "threshold": one.threshold,
        "drifted": one.drifted,
        "missing_reference": one.missing_reference,
        "missing_current": one.missing_current,
        "new": list(one.new[:MOST_CATEGORIES]),
        "vanished": list(one.vanished[:MOST_CATEGORIES]),
        "note": one.note,
    }
