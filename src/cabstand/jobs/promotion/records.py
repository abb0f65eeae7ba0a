"""The audit records beside the bundles: one for each change of the pointer, and one for each refusal."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from cabstand.errors import StorageError
from cabstand.io import storage
from cabstand.modelling.pointer import Pointer, state
from cabstand.settings import Settings

PROMOTED, ROLLED_BACK, REFUSED = "promoted", "rolled back", "refused"
SCHEMA = 1


def write_change(settings: Settings, written: Pointer, decided: Mapping[str, Any]) -> str:
    """Record a change of the pointer, as it was written, and return the record's URI.

    The name follows from the pointer: whoever records the same change again replaces the record.
    """
    stamps = {name: getattr(written, name) for name in ("when", "who", "why", "write_id")}
    return _write(settings, written.sequence - 1, written.write_id, {**decided, **stamps})


def write_refusal(settings: Settings, judged_at: int, decided: Mapping[str, Any]) -> str:
    """Record that a version was refused, judged at a `sequence` of the pointer, and return the record's URI."""
    now = datetime.now(UTC)
    return _write(settings, judged_at, f"{now:%Y%m%dT%H%M%S%f}", {"when": now.isoformat(), **decided})


def complete(settings: Settings, current: Pointer | None) -> None:
    """Write the record of the pointer's last change if the process that made the change died before it could."""
    if current is None or find_change(settings, current.problem, current.sequence):
        return
    returned = current.sequence > 1 and current.previous is None and current.challenger is None
    decided = {
        "problem": current.problem,
        "decision": ROLLED_BACK if returned else PROMOTED,
        "reason": current.why,
        "version": current.challenger or current.champion,
        **state(current),
        "reconstructed": True,
    }
    write_change(settings, current, decided)


def find_change(settings: Settings, problem: str, sequence: int) -> dict[str, Any]:
    """Return the record of the change that gave the pointer this `sequence`, or an empty dictionary."""
    start = f"{sequence - 1:06d}-"
    for uri in storage.list_under(storage.join(settings.artifacts_uri, problem, "decisions")):
        if uri.rpartition("/")[2].startswith(start):
            content = _read(uri)
            if content.get("sequence") == sequence and content.get("decision") != REFUSED:
                return content
    return {}


def _read(uri: str) -> dict[str, Any]:
    """Return a record, empty if it is damaged."""
    try:
        content = json.loads(storage.read(uri))
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}


def _write(settings: Settings, judged_at: int, unique: str, decided: Mapping[str, Any]) -> str:
    name = f"{judged_at:06d}-{decided['version']}-{unique}.json"
    uri = storage.join(settings.artifacts_uri, decided["problem"], "decisions", name)
    content = {"schema_version": SCHEMA, **decided}
    try:
        storage.write(uri, (json.dumps(content, indent=1, allow_nan=False) + "\n").encode())
    except StorageError as error:
        outcome = "champion again" if decided["decision"] == ROLLED_BACK else decided["decision"]
        what = f"{decided['version']} is {outcome}, but the record of it cannot be written: {error.what}"
        raise StorageError(what, where=uri) from error
    return uri
