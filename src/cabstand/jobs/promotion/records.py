"""The audit records beside the bundles: one for each change of the pointer, and one for each refusal.

The pointer says who changed it, when and why, so a record that a kill prevented can be made up from it. The next
command that judges or changes does so first: a change is on record before another one can follow it. The name of a
record follows from the pointer, so its author and a rival who completes it write the same file.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from cabstand.errors import StorageError
from cabstand.io import storage
from cabstand.modelling.pointer import Pointer, state
from cabstand.settings import Settings

PROMOTED, ROLLED_BACK, REFUSED = "promoted", "rolled back", "refused"
ROLLBACK = "rollback"  # the reason, if no other is given
SCHEMA = 1


def write_change(settings: Settings, written: Pointer, decided: Mapping[str, Any]) -> str:
    """Record a change of the pointer, as it was written, and return the record's URI.

    The name follows from the pointer: whoever records the same change again replaces the record.
    """
    stamps = {name: getattr(written, name) for name in ("when", "who", "why", "write_id", "trace_id")}
    return _write(settings, written.sequence - 1, written.write_id, {**decided, **stamps})


def write_refusal(settings: Settings, judged_at: int, decided: Mapping[str, Any]) -> str:
    """Record that a version was refused, judged at a `sequence` of the pointer, and return the record's URI.

    Whoever records a decision with the same `decision_id` again replaces the record.
    """
    now = datetime.now(UTC)
    unique = decided.get("decision_id") or f"{now:%Y%m%dT%H%M%S%f}"
    return _write(settings, judged_at, unique, {"when": now.isoformat(), **decided})


def complete(settings: Settings, current: Pointer | None) -> None:
    """Write the record of the pointer's last change if the process that made the change died before it could."""
    if current is None or _is_recorded(settings, current):
        return
    # Rollbacks leave no previous champion; those of older versions did, and no record either.
    returned = current.sequence > 1 and current.previous is None and current.challenger is None
    decided = {
        "problem": current.problem,
        "decision": ROLLED_BACK if returned or current.why == ROLLBACK else PROMOTED,
        "reason": current.why,
        "version": current.challenger or current.champion,
        **state(current),
        "reconstructed": True,
    }
    write_change(settings, current, decided)


def find_change(settings: Settings, problem: str, sequence: int) -> dict[str, Any]:
    """Return the record of the change that gave the pointer this `sequence`, or an empty dictionary."""
    return next(_changes(settings, problem, sequence), {})


def _is_recorded(settings: Settings, current: Pointer) -> bool:
    """Return whether a record agrees with the pointer; a pointer that was begun anew repeats sequence numbers."""
    expected = {name: getattr(current, name) for name in ("champion", "challenger", "write_id")}
    # Records of older versions have no write_id.
    found = _changes(settings, current.problem, current.sequence)
    return any(expected.items() <= {"write_id": current.write_id, **one}.items() for one in found)


def _changes(settings: Settings, problem: str, sequence: int) -> Iterator[dict[str, Any]]:
    start = f"{sequence - 1:06d}-"
    for uri in storage.list_under(storage.join(settings.artifacts_uri, problem, "decisions")):
        if uri.rpartition("/")[2].startswith(start):
            content = _read(uri)
            if content.get("sequence") == sequence and content.get("decision") != REFUSED:
                yield content


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
