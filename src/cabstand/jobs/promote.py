"""Promote: judge a version against the champion, and change the pointer or record why not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from cabstand.errors import ConfigError
from cabstand.io import registry
from cabstand.jobs.promotion import deciding, judging, records
from cabstand.modelling import catalog
from cabstand.modelling.pointer import state
from cabstand.settings import Settings

LATE = "another promotion came first; judge again against the new champion"


@dataclass(frozen=True)
class Params:
    """What to promote; the fields are the options of `cabstand promote`."""

    problem: str
    version: str = ""  # or the beginning of it; empty is the newest
    share: float = 0.0  # 0 makes it champion; above 0, challenger with that share of the requests
    who: str = ""
    why: str = ""
    track: bool = True
    dry_run: bool = False


def run(settings: Settings, params: Params) -> dict[str, Any]:
    """Judge a version against the champion; change the pointer if it passes; record either outcome with its numbers.

    If MLflow does not answer before the pointer is written, nothing has changed.
    """
    if not 0 <= params.share < 1:
        raise ConfigError(f"a share of {params.share} is out of range", where="--share", hint="from 0 to below 1")
    judged = judging.judge(settings, catalog.find(params.problem), params.version, register=not params.dry_run)
    verdict, current = judged.verdict, judged.pointer
    if params.dry_run:
        return {"dry_run": True} | deciding.result(judged, verdict.passed, current)
    records.complete(settings, current)
    if params.track:
        if current is not None:
            registry.set_aliases(settings, current)
        deciding.log_verdict(settings, judged)
    promoted, reason, sequence = verdict.passed, verdict.reason, state(current)["sequence"]
    if promoted:
        why = params.why or f"gate: {reason}"
        promoted, current = deciding.write_pointer(
            settings, judged.problem, judged.version, sequence, share=params.share, who=params.who, why=why
        )
        reason = reason if promoted else LATE
    result = deciding.result(judged, promoted, current, reason)
    return result | deciding.settle(settings, result, current, sequence, track=params.track)
