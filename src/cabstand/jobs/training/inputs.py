"""The inputs of a training: files of examples and of a holdout, zones and hotspots, copied to this machine, hashed."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from cabstand.errors import ConfigError
from cabstand.io import provenance, storage, tables, zones
from cabstand.io.tracking import Source
from cabstand.modelling.problem import Problem

TRAINING, HOLDOUT = "training", "holdout"
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Inputs:
    """Local copies of the inputs, their hashes by name, and what MLflow is to know of them."""

    paths: list[Path]
    holdout: list[Path]
    extras: dict[str, Path]
    hotspots: Path | None
    hashes: dict[str, str]
    sources: list[Source]
    synthetic: bool = False  # whether all of it was made from synthetic data


def fetch(
    stack: ExitStack, lake: str, problem: Problem, uris: tuple[str, ...], holdout: tuple[str, ...], hotspots: str
) -> Inputs:
    """Copy the inputs of a problem's training; `stack` removes the copies."""
    hashes: dict[str, str] = {}
    sources: list[Source] = []

    def copy(uri: str, name: str, use: str = "input") -> Path:
        path = stack.enter_context(storage.fetched(uri))
        hashes[name] = provenance.sha256_file(path)
        sources.append(Source(uri, hashes[name], use))
        return path

    extras = {}
    if "zones" in problem.extras:
        uri = zones.table_uri(lake)
        if storage.exists(uri):
            extras["zones"] = copy(uri, "zones")
        else:
            _log.warning("the lake has no zones, so no centroid distance and no borough; run `cabstand zones` first")
    inputs = Inputs(
        paths=[copy(uri, f"input{number}", TRAINING) for number, uri in enumerate(expand(uris))],
        holdout=[copy(uri, f"holdout{number}", HOLDOUT) for number, uri in enumerate(expand(holdout))],
        extras=extras,
        hotspots=copy(hotspots, "hotspots") if hotspots else None,
        hashes=hashes,
        sources=sources,
    )
    learned = {sha for name, sha in hashes.items() if name.startswith("input")}
    if any(name.startswith("holdout") and sha in learned for name, sha in hashes.items()):
        # The metrics would be too good.
        raise ConfigError("holds a file that --input holds too", where="--holdout", hint="hold out other, later data")
    return inputs


def expand(uris: Sequence[str]) -> list[str]:
    """Return the files that URIs, globs and folders name; a folder means the Parquet files below it."""
    return [file for uri in uris for file in tables.expand(uri)]
