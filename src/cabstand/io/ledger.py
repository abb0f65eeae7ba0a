"""The ledger of decisions in the lake, append-only: one record for each window, in one order, and what came of each.

`head.json` holds the newest record whole and is replaced by a conditional write, so one writer at a time appends and
each decision is made on all records before it. The record's own file is written after that; if the writer is killed in
between, the next one writes it first. Records and outcomes are never changed.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict
from datetime import datetime
from typing import Any

from cabstand.errors import ConflictError, DataError
from cabstand.io import storage
from cabstand.io.conflicts import until_written
from cabstand.monitoring.decisions import Decision, Rules
from cabstand.monitoring.findings import Window
from cabstand.monitoring.policy import decide as decide_on
from cabstand.monitoring.policy import window_key

SCHEMA = 1
TIMES = ("start", "end", "at")
NEWEST = 500  # records that a decision is made on


def decide(lake: str, window: Window, rules: Rules, now: datetime) -> tuple[Decision, bool]:
    """Decide on a window and put the decision on record; return it, and whether it is new.

    A window that is on record gets the recorded decision.
    """
    return append(lake, window.problem, window_key(window), lambda past: decide_on(window, past, rules, now))


@until_written
def append(lake: str, problem: str, key: str, make: Callable[[list[Decision]], Decision]) -> tuple[Decision, bool]:
    """Record what `make` decides on a window, given the newest decisions, unless the window is on record already."""
    head, tag = _head(lake, problem)
    if head is not None:
        _put_once(record_uri(lake, problem, head.key), _to_bytes(head))
        if head.key == key:
            return head, False
    if (known := find(lake, problem, key)) is not None:
        return known, False
    past = read(lake, problem, NEWEST)
    decision = make([*past, head] if head is not None and head not in past else past)
    storage.put_if(_head_uri(lake, problem), _to_bytes(decision), tag)
    _put_once(record_uri(lake, problem, key), _to_bytes(decision))
    return decision, True


def find(lake: str, problem: str, key: str) -> Decision | None:
    """Return the recorded decision on a window, or None."""
    uri = record_uri(lake, problem, key)
    if storage.exists(uri):
        return _from_bytes(storage.read(uri), uri)
    head, _ = _head(lake, problem)
    return head if head is not None and head.key == key else None


def read(lake: str, problem: str, newest: int | None = None) -> list[Decision]:
    """Return the decisions on a problem's windows in order of the windows' start, or only the `newest` of them."""
    uris = storage.list_under(_folder(lake, problem, "decisions"))
    with ThreadPoolExecutor(16) as pool:
        records = pool.map(storage.read, uris[-newest:] if newest else uris)
        return [_from_bytes(data, uri) for data, uri in zip(records, uris[-newest:] if newest else uris, strict=True)]


def problems(lake: str) -> list[str]:
    """Return the problems that have decisions, sorted."""
    parts = (uri.rsplit("/", 4)[1:] for uri in storage.list_under(storage.join(lake, "monitoring")))
    return sorted({found[0] for found in parts if found[1:3] == ["ledger", "decisions"]})


def record_uri(lake: str, problem: str, key: str) -> str:
    """Return the URI of a decision's record."""
    return _folder(lake, problem, "decisions", f"{key}.json")


def claim_uri(lake: str, problem: str, key: str) -> str:
    """Return the URI of the claim of whoever carries a decision out."""
    return _folder(lake, problem, "claims", f"{key}.json")


def add_outcome(lake: str, problem: str, key: str, name: str, outcome: Mapping[str, Any]) -> dict[str, Any]:
    """Record what came of a decision, under a name that it has once; return what is recorded, perhaps by another."""
    uri = _folder(lake, problem, "outcomes", key, f"{name}.json")
    _put_once(uri, _dump({"schema_version": SCHEMA, "decision_key": key, **outcome}))
    return _parse(storage.read(uri), uri)


def outcome(lake: str, problem: str, key: str, name: str) -> dict[str, Any] | None:
    """Return what is recorded under a name, or None."""
    uri = _folder(lake, problem, "outcomes", key, f"{name}.json")
    return _parse(storage.read(uri), uri) if storage.exists(uri) else None


def outcomes(lake: str, problem: str) -> dict[str, list[dict[str, Any]]]:
    """Return what came of each decision, by its key."""
    found: dict[str, list[dict[str, Any]]] = {}
    for uri in storage.list_under(_folder(lake, problem, "outcomes")):
        found.setdefault(uri.split("/")[-2], []).append(_parse(storage.read(uri), uri))
    return found


def _head(lake: str, problem: str) -> tuple[Decision | None, str | None]:
    uri = _head_uri(lake, problem)
    if not storage.exists(uri):
        return None, None
    data, tag = storage.read_tagged(uri)
    return _from_bytes(data, uri), tag


def _head_uri(lake: str, problem: str) -> str:
    return _folder(lake, problem, "head.json")


def _folder(lake: str, problem: str, *parts: str) -> str:
    return storage.join(lake, "monitoring", problem, "ledger", *parts)


def _put_once(uri: str, data: bytes) -> None:
    """Write the object unless it is there: a record never changes."""
    with suppress(ConflictError):
        storage.put_if(uri, data, None)


def _to_bytes(decision: Decision) -> bytes:
    times = {name: getattr(decision, name).isoformat() for name in TIMES}
    return _dump({"schema_version": SCHEMA, **asdict(decision), **times})


def _from_bytes(data: bytes, uri: str) -> Decision:
    content = _parse(data, uri)
    del content["schema_version"]
    try:
        return Decision(**content | {name: datetime.fromisoformat(content[name]) for name in TIMES})
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(f"not a decision's record: {error}", where=uri) from error


def _dump(content: Mapping[str, Any]) -> bytes:
    return (json.dumps(content, indent=1, default=str, allow_nan=False) + "\n").encode()


def _parse(data: bytes, uri: str) -> dict[str, Any]:
    try:
        content = json.loads(data)
    except ValueError as error:
        raise DataError(f"not a record: {error}", where=uri) from error
    if not isinstance(content, dict) or content.get("schema_version") != SCHEMA:
        raise DataError(f"a record of version {SCHEMA} was expected", where=uri, hint="update cabstand")
    return content
