"""Act on a verdict: write the pointer, and record the decision in MLflow and beside the bundles."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from cabstand.errors import ConflictError
from cabstand.io import pointer, registry, tracking
from cabstand.jobs.promotion import records
from cabstand.jobs.promotion.judging import Judged
from cabstand.modelling.pointer import Pointer, first, state
from cabstand.settings import Settings


def write_pointer(
    settings: Settings, problem: str, version: str, judged_at: int, *, share: float = 0.0, who: str = "", why: str = ""
) -> tuple[bool, Pointer | None]:
    """Make a version champion, or challenger with a share of the requests, unless the pointer has changed.

    `judged_at` is the `sequence` of the pointer that the version was judged against, 0 where there was none; without a
    champion any `share` makes it champion. If the last change has no audit record, that is written first.
    Returns whether the pointer was written, and the pointer as it is now.
    """
    artifacts = settings.artifacts_uri
    current, tag = pointer.read(artifacts, problem)
    if state(current)["sequence"] != judged_at:
        return False, current
    if current is None:
        new = first(problem, version)
    else:
        new = current.challenged(version, share) if share else current.promoted(version)
    records.complete(settings, current)
    try:
        return True, pointer.write(artifacts, new, current, tag, who=who, why=why)
    except ConflictError:
        return False, pointer.read(artifacts, problem)[0]


def result(judged: Judged, promoted: bool, current: Pointer | None, reason: str = "") -> dict[str, Any]:
    """Return a decision as results and audit records show it; `reason` is the verdict's unless given."""
    return {
        "problem": judged.problem,
        "decision": records.PROMOTED if promoted else records.REFUSED,
        "reason": reason or judged.verdict.reason,
        "version": judged.version,
        **state(current),
        "judged_against": judged.pointer.champion if judged.pointer else None,
        "verdict": asdict(judged.verdict),
        "holdout_sha256": judged.holdout,
        "synthetic": judged.synthetic,
    }


def log_verdict(settings: Settings, judged: Judged) -> None:
    """Log a verdict with its numbers to MLflow."""
    verdict = judged.verdict
    parameters = {
        "problem": judged.problem,
        "challenger": judged.version,
        "holdout": judged.holdout,
        "champion": judged.pointer.champion if judged.pointer else "none",
    }
    with tracking.run(settings, f"gate {judged.problem}", parameters) as run:
        numbers = ("champion_loss", "challenger_loss", "gain", "gain_low", "n")
        run.metrics({name: getattr(verdict, name) for name in numbers})
        run.tags({"gate.passed": verdict.passed, "gate.reason": verdict.reason, "data.synthetic": judged.synthetic})
        run.table("verdict.json", asdict(verdict))


def settle(
    settings: Settings, decided: Mapping[str, Any], current: Pointer | None, judged_at: int, *, track: bool
) -> dict[str, Any]:
    """Put a decision on record, which left the pointer as it is in `current`, and let MLflow's aliases follow.

    Return `record_uri` and `aliases`. If the record cannot be written, the decision and the aliases stand, and the
    StorageError says so.
    """
    try:
        if decided["decision"] != records.REFUSED and current is not None:
            uri = records.write_change(settings, current, decided)
        else:
            uri = records.write_refusal(settings, judged_at, decided)
    finally:
        aliases = registry.try_set_aliases(settings, current) if track else None
    return {"record_uri": uri, "aliases": aliases}
