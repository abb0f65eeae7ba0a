"""Roll back: the previous champion, or one that is named, serves again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from cabstand.errors import DataError
from cabstand.io import bundles, pointer
from cabstand.jobs import promote
from cabstand.modelling import catalog
from cabstand.settings import Settings


@dataclass(frozen=True)
class Params:
    """Where to go back to: `to` is a version, empty is the previous champion."""

    problem: str
    to: str = ""
    who: str = ""
    why: str = ""
    track: bool = True
    dry_run: bool = False


def run(settings: Settings, params: Params) -> dict[str, Any]:
    """Make the previous champion (or `to`) champion again; its bundle is checked whole before.

    Raises
    ------
    DataError
        If there is nothing to go back to, or that bundle is damaged.
    ConflictError
        If somebody else changed the pointer meanwhile.
    """
    problem = catalog.find(params.problem)
    artifacts = settings.artifacts_uri
    current, tag = pointer.read(artifacts, problem.name)
    if current is None:
        raise DataError("nothing is promoted yet", where=problem.name)
    target = bundles.resolve(artifacts, problem.name, params.to) if params.to else None
    new = current.rolled_back(target)
    manifest = promote.manifest_of(artifacts, problem.name, new.champion)
    bundles.read_files(artifacts, manifest, manifest.files)
    if params.dry_run:
        return {"dry_run": True, "problem": problem.name, **pointer.state(new)}
    why = params.why or "rollback"
    written = pointer.write(artifacts, new, current, tag, who=promote.author(params.who), why=why)
    healed = promote.settle(settings, written) if params.track else None
    return {"problem": problem.name, "decision": "rolled back", **pointer.state(written), "aliases": healed}
