"""Whether a training is on synthetic data, and with which settings it then works."""

from __future__ import annotations

from collections.abc import Sequence

from cabstand.io import synthetic
from cabstand.jobs.training.inputs import expand
from cabstand.modelling.problem import Problem
from cabstand.settings import Settings


def admit(settings: Settings, problem: Problem, tables: Sequence[str], hotspots: str) -> tuple[Settings, bool]:
    """Return the settings to work with, and whether inputs, holdouts (`tables`) and hotspots are synthetic.

    A DataError or ConfigError if they are not of one kind, or not of the lake's, whose zones a problem may use.
    """
    parts = {uri: synthetic.of_table(uri) for uri in expand(tables)}
    if hotspots:
        parts[hotspots] = synthetic.of_index(hotspots)
    found = synthetic.one_kind(parts)
    if found or (parts and "zones" in problem.extras):
        settings = synthetic.settings_for(settings, found, next(iter(parts)))
    return settings, found
