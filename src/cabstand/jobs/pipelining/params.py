"""The parameters of a pipeline run, and where its months come from."""

from __future__ import annotations

from dataclasses import dataclass

from cabstand.jobs.pipelining import identity
from cabstand.settings import Settings


@dataclass(frozen=True)
class Params:
    """What to run from end to end; the fields are the options of `cabstand pipeline`."""

    dataset: str
    months: tuple[str, ...] = ()  # empty: the newest complete ones of the lake
    sources: tuple[str, ...] = ()  # of `months` and `holdout_months`; empty downloads, "lake" has them already
    holdout_months: tuple[str, ...] = ()
    zones: str = ""  # used if the lake has none
    problem: str = "trip-duration"
    eps_m: float = 50.0
    min_samples: int = 20
    seed: int = 0
    track: bool = True
    again: bool = False
    dry_run: bool = False
    newest: int = 3  # without `months`: how many, of which the last one is held out
    fetch: bool = True  # without `months`: ingest newer ones that are published
    until: str = ""  # the step to stop after; empty is the last one


def sources(settings: Settings, params: Params) -> dict[str, str]:
    """Return where each month comes from."""
    every = (*params.months, *params.holdout_months)
    given = params.sources or ("",) * len(every)
    return {
        month: identity.source_of(settings, params.dataset, month, source)
        for month, source in zip(every, given, strict=True)
    }
