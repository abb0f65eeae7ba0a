"""Retrain: train on the newest months, judge, publish, and record what came of it; for a person or a decision.

A decision's key is claimed, so that a request that is delivered twice, or while the first one is worked on, retrains
once. A run that is killed is resumed by the next one with the same months, after the pipeline's last finished step.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from cabstand.errors import CabstandError, ConfigError, NothingToDo, TaskError
from cabstand.io import claims, events, ledger, pointer, synthetic
from cabstand.jobs import pipeline
from cabstand.jobs.pipelining import champion, months
from cabstand.jobs.promotion import records
from cabstand.jobs.retraining import OUTCOME, manual
from cabstand.modelling import catalog
from cabstand.settings import Settings

_log = logging.getLogger(__name__)
KEPT = (
    "run_key", "repeated", "months", "holdout_months", "decision", "reason", "model_version", "manifest_uri",
    "report_uri",
)  # fmt: skip


@dataclass(frozen=True)
class Params:
    """What to retrain; the fields are the options of `cabstand retrain`."""

    problem: str = "trip-duration"
    decision: str = ""  # key of the decision that asks for it; empty: a person does
    dataset: str = ""  # empty: the one that the champion was trained on
    newest: int = 3
    fetch: bool = True
    eps_m: float = 50.0
    min_samples: int = 20
    seed: int = 0
    why: str = ""
    track: bool = True
    dry_run: bool = False


def run(settings: Settings, params: Params) -> dict[str, Any]:
    """Retrain once for a decision, or for a person; return what came of it, at once if that is on record.

    Raises NothingToDo if another process is at it.
    """
    problem = catalog.find(params.problem).name
    dataset = params.dataset or champion.dataset(settings, problem)
    if months.is_synthetic(dataset):
        settings = synthetic.settings_for(settings, True, dataset)
    wanted = _pipeline(params, dataset)
    if params.dry_run:
        return pipeline.run(settings, replace(wanted, dry_run=True))
    key = _key(settings, problem, params)
    known = ledger.outcome(settings.lake_uri, problem, key, OUTCOME)
    if known is not None:
        return known | {"repeated": True}
    claim = claims.take(ledger.claim_uri(settings.lake_uri, problem, key))
    if claim is None:
        raise NothingToDo("another process is retraining", where=key, hint=claims.BUSY)
    with claim.held():
        return _retrain(settings, problem, key, claim, wanted)


def _retrain(
    settings: Settings, problem: str, key: str, claim: claims.Claim, wanted: pipeline.Params
) -> dict[str, Any]:
    """Run the pipeline on the months of the claim, and record the outcome; a failure, too, which may be tried again."""
    lake = settings.lake_uri
    try:
        if "months" not in claim.facts:
            chosen = pipeline.with_months(settings, wanted)
            claim.note(months=chosen.months, holdout_months=chosen.holdout_months)
        done = pipeline.run(settings, _on(wanted, claim.facts))
    except CabstandError as error:
        failed = {"decision": "failed", "reason": str(error), "finished": _now()}
        ledger.add_outcome(lake, problem, key, f"failure-{claim.attempt}", failed)
        raise
    current, _ = pointer.read(settings.artifacts_uri, problem)
    found = {name: done[name] for name in KEPT} | {"champion": current.champion if current else None}
    found = ledger.add_outcome(lake, problem, key, OUTCOME, found | {"problem": problem, "finished": _now()})
    _tell(settings, found)
    return found


def _tell(settings: Settings, found: Mapping[str, Any]) -> None:
    """Send an event about the outcome; without it, the outcome stands."""
    kind = events.RETRAINING_REFUSED if found["decision"] == records.REFUSED else events.RETRAINING_DONE
    try:
        events.emit(settings, {"key": found["decision_key"], **found}, kind)
    except TaskError as error:
        _log.warning("nobody is told of the outcome: %s", error)


def _pipeline(params: Params, dataset: str) -> pipeline.Params:
    return pipeline.Params(
        dataset,
        problem=params.problem,
        eps_m=params.eps_m,
        min_samples=params.min_samples,
        seed=params.seed,
        track=params.track,
        newest=params.newest,
        fetch=params.fetch,
    )


def _on(wanted: pipeline.Params, facts: Mapping[str, Any]) -> pipeline.Params:
    """Return the parameters with the months of a claim, which the lake has."""
    chosen, held_out = tuple(facts["months"]), tuple(facts["holdout_months"])
    sources = (months.IN_LAKE,) * len(chosen + held_out)
    return replace(wanted, months=chosen, holdout_months=held_out, sources=sources)


def _key(settings: Settings, problem: str, params: Params) -> str:
    """Return the key of the decision, which must ask for retraining, or of the person's request."""
    if not params.decision:
        return manual.key(settings, problem, params.why, datetime.now(UTC))
    decision = ledger.find(settings.lake_uri, problem, params.decision)
    where = f"--key {params.decision}"
    if decision is None:
        raise ConfigError("not in the ledger", where=where, hint=f"{settings.lake_uri} has it? --problem {problem}?")
    if decision.action != "retrain":
        hint = "leave --key out to retrain all the same"
        raise ConfigError(f"this decision is {decision.action!r}, not 'retrain'", where=where, hint=hint)
    return decision.key


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
