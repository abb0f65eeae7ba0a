"""The journal of a run in steps: a step that is done is not repeated, and every start and end is recorded."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from cabstand.errors import CabstandError, DataError
from cabstand.io import storage

SCHEMA_VERSION = 1
MANIFEST, AUDIT = "manifest.json", "audit.jsonl"
_log = logging.getLogger(__name__)


@dataclass
class Journal:
    """A run's manifest and audit trail in an output folder, written at the start and end of each step.

    The manifest holds `run_key`, `params`, and by name `steps` with `status`, `started`, `ended`, `attempts`, `result`.
    """

    folder: str
    content: dict[str, Any]  # the manifest
    audit: list[dict[str, Any]]  # events in order, those of earlier, killed attempts included

    @classmethod
    def open(cls, folder: str, key: str, params: Mapping[str, Any], *, fresh: bool = False) -> Journal:
        """Return the journal in `folder`, or a new one; a DataError if it is another run's."""
        content = {"schema_version": SCHEMA_VERSION, "run_key": key, "params": dict(params), "steps": {}}
        uri = storage.join(folder, MANIFEST)
        if storage.exists(uri):
            try:
                found = json.loads(storage.read(uri))
                known = found["schema_version"] == SCHEMA_VERSION and found["run_key"] == key
            except (ValueError, KeyError, TypeError) as error:
                raise DataError("not a run's manifest", where=uri, hint="remove it to start again") from error
            if not known:
                raise DataError("the manifest of another run or version", where=uri, hint="remove it to start again")
            content = content if fresh else found
        trail = storage.join(folder, AUDIT)
        lines = storage.read(trail).splitlines() if storage.exists(trail) else []
        return cls(folder, content, [json.loads(line) for line in lines])

    @property
    def uri(self) -> str:
        """URI of the manifest."""
        return storage.join(self.folder, MANIFEST)

    @property
    def results(self) -> dict[str, dict[str, Any]]:
        """Results of the steps that are done, by name."""
        return {name: step["result"] for name, step in self.content["steps"].items() if step["status"] == "done"}

    def is_done(self, steps: Iterable[str]) -> bool:
        """Return whether all these steps are done."""
        return set(steps) <= set(self.results)

    def times(self) -> dict[str, dict[str, Any]]:
        """Return status, attempts and times of each step."""
        return {name: {k: v for k, v in step.items() if k != "result"} for name, step in self.content["steps"].items()}

    def run(self, name: str, work: Callable[[], dict[str, Any]]) -> None:
        """Do a step unless it is done; an error is recorded and raised again."""
        before = self.content["steps"].get(name, {})
        if before.get("status") == "done":
            self._note(name, "found done")
            return
        step = {"status": "running", "started": _now(), "attempts": before.get("attempts", 0) + 1}
        self.content["steps"][name] = step
        self._note(name, "started")
        self._save()
        _log.info("%s", name)
        try:
            result = json.loads(json.dumps(work(), default=str))
        except BaseException as error:
            step |= {"status": "failed", "ended": _now(), "error": _line(error)}
            self._save()
            self._note(name, "failed", error=_line(error))
            raise
        step |= {"status": "done", "ended": _now(), "result": result}
        self._save()
        self._note(name, "done")

    def _save(self) -> None:
        storage.write(self.uri, (json.dumps(self.content, indent=1, allow_nan=False) + "\n").encode())

    def _note(self, step: str, event: str, **more: str) -> None:
        self.audit.append({"at": _now(), "step": step, "event": event, **more})
        lines = "".join(json.dumps(line) + "\n" for line in self.audit)
        storage.write(storage.join(self.folder, AUDIT), lines.encode())


def _line(error: BaseException) -> str:
    return str(error) if isinstance(error, CabstandError) else f"{type(error).__name__}: {error}"[:300]


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
