"""The register of attempts against a champion: each version that was judged, and on which held-out rows.

An attempt is registered before the others are counted: of attempts at the same time, the i-th to register counts at
least i - 1 others, and one that is killed counts, too. Judging a version again on the same rows is no new attempt: it
keeps its number, and so its verdict.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from cabstand.errors import DataError
from cabstand.io import storage
from cabstand.modelling.bundle import Manifest, read_json
from cabstand.settings import Settings

SCHEMA = 1
NO_CHAMPION = "_none"  # no version has this name


def number(settings: Settings, manifest: Manifest, champion: str | None, *, register: bool = True) -> int:
    """Return the number of the attempt of a version against a champion (None: against the best constant).

    Only attempts on rows that may be among its held-out rows count. With `register`, the attempt is put on record.
    """
    ours = _attempt(manifest)
    folder = storage.join(settings.artifacts_uri, manifest.problem, "attempts", champion or NO_CHAMPION)
    uri = storage.join(folder, f"{manifest.version}-{ours['holdout_sha256'][:16]}.json")
    if storage.exists(uri):
        ours = _read(uri)
        if ours.get("number"):
            return int(ours["number"])
    elif register:
        _write(uri, ours)
    others = (_read(one) for one in storage.list_under(folder) if one.rpartition("/")[2] != uri.rpartition("/")[2])
    found = 1 + sum(_may_share(one, ours) for one in others)
    if register:
        _write(uri, ours | {"number": found})
    return found


def _attempt(manifest: Manifest) -> dict[str, Any]:
    """Return a version with what identifies its held-out rows: their hash, their span, the files they come from."""
    holdout, files = manifest.training["holdout"], manifest.data.get("sha256")
    if files is not None:
        kind = "holdout" if any(name.startswith("holdout") for name in files) else "input"
        files = sorted(sha256 for name, sha256 in files.items() if name.startswith(kind)) or ["included data"]
    return {
        "schema_version": SCHEMA,
        "when": datetime.now(UTC).isoformat(timespec="seconds"),
        "version": manifest.version,
        "holdout_sha256": holdout["sha256"],
        "holdout_span": holdout.get("span"),
        "holdout_files": files or [],
    }


def _may_share(one: Mapping[str, Any], ours: Mapping[str, Any]) -> bool:
    """Return whether two holdouts may have rows in common: by their spans, or by the files that they come from."""
    if one["holdout_sha256"] == ours["holdout_sha256"]:
        return True
    first, second = one["holdout_span"], ours["holdout_span"]
    if first and second:
        return bool(first[0] <= second[1] and second[0] <= first[1])
    return not set(one["holdout_files"]).isdisjoint(ours["holdout_files"])


def _write(uri: str, attempt: Mapping[str, Any]) -> None:
    storage.write(uri, (json.dumps(attempt, indent=1, allow_nan=False) + "\n").encode())


def _read(uri: str) -> dict[str, Any]:
    hint = "restore it, or remove it if its attempt need not count"
    content = read_json(storage.read(uri), SCHEMA, uri, kind="registered attempt", hint=hint)
    if missing := {"holdout_sha256", "holdout_span", "holdout_files"} - set(content):
        raise DataError(f"not a registered attempt: no {min(missing)}", where=uri, hint=hint)
    return content
