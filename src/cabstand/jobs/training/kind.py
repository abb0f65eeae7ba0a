"""Whether a training is on synthetic data, and with which settings it then works."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from cabstand.errors import ConfigError, DataError
from cabstand.io import bundles, synthetic
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
    _require_store(settings.artifacts_uri, problem.name, found)
    return settings, found


def _require_store(artifacts: str, problem: str, made: bool) -> None:
    """Raise a ConfigError if the store holds the problem's models of the other kind alone."""
    other = False
    for version in bundles.versions(artifacts, problem):
        with suppress(DataError):  # a damaged bundle says nothing of the others
            if bundles.read_manifest(artifacts, problem, version).synthetic is made:
                return
            other = True
    if other:
        words = ("real", "synthetic") if made else ("synthetic", "real")
        hint = "name another store with --artifacts or CABSTAND_ARTIFACTS"
        raise ConfigError(
            f"holds {problem} models of {words[0]} data, and this is {words[1]}", where=artifacts, hint=hint
        )
