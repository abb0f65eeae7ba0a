"""A claim on a piece of work: one process has it at a time, and notes in it what the next one needs if it dies.

The claim is an object that conditional writes change. Its owner is known as dead as in `run_owner`: at once on its own
machine, and on another one after a quarter of an hour without a sign of life.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from cabstand.errors import ConflictError, DataError, StorageError
from cabstand.io import run_owner, storage

SCHEMA = 1
BUSY = "it is free when that process ends; if it was killed on another machine, a quarter of an hour later"


class Claim:
    """A claim that this process holds."""

    def __init__(self, uri: str, content: dict[str, Any], tag: str | None) -> None:
        self.uri = uri
        self._content, self._tag = content, tag
        self._lock = threading.Lock()

    @property
    def facts(self) -> dict[str, Any]:
        """What the owners, this one or earlier ones, have noted."""
        return dict(self._content["facts"])

    @property
    def attempt(self) -> int:
        """How many processes have held the claim, this one included."""
        return int(self._content["attempt"])

    def note(self, **facts: Any) -> None:
        """Add facts; a ConflictError if another process has taken the claim."""
        self._change({"facts": self.facts | facts})

    def _change(self, changes: dict[str, Any]) -> None:
        with self._lock:
            content = self._content | changes
            data = (json.dumps(content, indent=1) + "\n").encode()
            self._tag = storage.put_if(self.uri, data, self._tag)
            self._content = content

    def _beat(self, tags: dict[str, str]) -> None:
        with suppress(StorageError):
            self._change({"owner": self._content["owner"] | tags})

    @contextmanager
    def held(self) -> Iterator[None]:
        """Show signs of life while the block runs, and let the claim go after it."""
        with run_owner.refreshed(self._beat):
            try:
                yield
            finally:
                with suppress(StorageError):
                    self._change({"owner": {}})


def take(uri: str) -> Claim | None:
    """Return the claim, or None if a living process has it."""
    content, tag = _read(uri)
    owner = content["owner"]
    if owner and not run_owner.is_dead(owner, 0.0, time.time()):
        return None
    claim = Claim(uri, content, tag)
    try:
        claim._change({"owner": run_owner.tags(), "attempt": content["attempt"] + 1})
    except ConflictError:
        return None
    return claim


def _read(uri: str) -> tuple[dict[str, Any], str | None]:
    if not storage.exists(uri):
        return {"schema_version": SCHEMA, "owner": {}, "attempt": 0, "facts": {}}, None
    data, tag = storage.read_tagged(uri)
    try:
        content = json.loads(data)
        if content["schema_version"] == SCHEMA and content.keys() >= {"owner", "attempt", "facts"}:
            return content, tag
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError("not a claim", where=uri, hint="remove it if nobody works on it") from error
    raise DataError("the claim of another version", where=uri, hint="update cabstand")
