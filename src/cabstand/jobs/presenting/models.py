"""Each problem's versions, the one that serves and its rival, and what was decided about them."""

from __future__ import annotations

from typing import Any

from cabstand.io import storage
from cabstand.jobs import models_list
from cabstand.jobs.presenting.records import read
from cabstand.settings import Settings


def problems(settings: Settings) -> dict[str, dict[str, Any]]:
    """Return what `models list` says of each problem, with its decisions, the newest first."""
    found: dict[str, dict[str, Any]] = models_list.run(settings, models_list.Params(track=False))["problems"]
    return {name: one | {"decisions": _decisions(settings, name)} for name, one in found.items()}


def _decisions(settings: Settings, problem: str) -> list[dict[str, Any]]:
    uris = storage.list_under(storage.join(settings.artifacts_uri, problem, "decisions"))
    return sorted(read(uris), key=lambda one: str(one.get("when", "")), reverse=True)
