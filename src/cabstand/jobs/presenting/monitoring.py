"""The monitor's decisions and what came of each, from the ledger in the lake."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from cabstand.io import ledger


def decisions(lake: str) -> list[dict[str, Any]]:
    """Return the decisions on all problems with their outcomes, the newest window first."""
    found = [one for problem in ledger.problems(lake) for one in _of(lake, problem)]
    return sorted(found, key=lambda one: (one["start"], one["at"]), reverse=True)


def _of(lake: str, problem: str) -> list[dict[str, Any]]:
    came = ledger.outcomes(lake, problem)
    return [asdict(one) | {"outcomes": _shown(came.get(one.key, []))} for one in ledger.read(lake, problem)]


def _shown(outcomes: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return outcomes without what the decision beside them says already."""
    hidden = {"schema_version", "decision_key", "problem"}
    return [{name: value for name, value in one.items() if name not in hidden} for one in outcomes]
