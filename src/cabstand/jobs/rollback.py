"""Roll back: make the previous champion, or a version that is named, the champion again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from cabstand.errors import DataError, StorageError
from cabstand.io import bundles, pointer
from cabstand.jobs.promotion import deciding, kind, records
from cabstand.modelling import catalog
from cabstand.modelling.bundle import Manifest
from cabstand.modelling.pointer import state
from cabstand.settings import Settings


@dataclass(frozen=True)
class Params:
    """What to roll back; `to` is a version, by default the previous champion."""

    problem: str
    to: str = ""
    who: str = ""
    why: str = ""
    track: bool = True
    dry_run: bool = False


def run(settings: Settings, params: Params) -> dict[str, Any]:
    """Make the previous champion (or `to`) champion again, after a check of its whole bundle."""
    problem = catalog.find(params.problem).name
    artifacts = settings.artifacts_uri
    current, tag = pointer.read(artifacts, problem)
    if current is None:
        raise DataError("nothing is promoted yet", where=problem)
    new = current.rolled_back(bundles.resolve(artifacts, problem, params.to) if params.to else None)
    manifest = bundles.read_manifest(artifacts, problem, new.champion)
    bundles.read_files(artifacts, manifest, manifest.files)
    kind.require_same(settings, manifest, _known(artifacts, problem, current.champion))
    if params.dry_run:
        return {"dry_run": True, "problem": problem, **state(new)}
    records.complete(settings, current)
    written = pointer.write(artifacts, new, current, tag, who=params.who, why=params.why or records.ROLLBACK)
    result = {
        "problem": problem,
        "decision": records.ROLLED_BACK,
        "reason": written.why,
        "version": written.champion,
        **state(written),
        "rolled_back_from": current.champion,
    }
    return result | deciding.settle(settings, result, written, current.sequence, track=params.track)


def _known(artifacts: str, problem: str, version: str) -> Manifest | None:
    """Return the manifest of a champion, which may be damaged or gone: that is a reason to roll back."""
    try:
        return bundles.read_manifest(artifacts, problem, version)
    except (DataError, StorageError):
        return None
