"""The journal of a run in steps: a step that is done is not repeated, and every start and end is recorded."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from cabstand import trace
from cabstand.errors import CabstandError, ConflictError, DataError, NothingToDo
from cabstand.io import claims, provenance, run_manifest, run_owner, storage, trail, usage
from cabstand.io.run_manifest import INTERRUPTED, NOTHING

MANIFEST, AUDIT, CLAIM = "manifest.json", "audit.jsonl", "claim.json"
DYING_S = 5.0
MOST_SPANS = 200  # of a step that its manifest keeps
_log = logging.getLogger(__name__)


@dataclass
class Journal:
    """A run's manifest and audit trail in an output folder, written at the start and end of each step.

    The manifest holds `run_key`, `params`, the names of all steps as `planned`, when it was `started`, the version of
    the code, the process that runs it (`owner`), further facts, and by name `steps` with `status`, `started`, `ended`,
    `attempts`, `peak_rss_mb` (of the process and its children so far), `result`, `inputs` and `outputs` (each with
    `uri` and `sha256`).
    """

    folder: str
    content: dict[str, Any]  # the manifest
    audit: list[dict[str, Any]]  # events in order, those of earlier, killed attempts included

    @classmethod
    def open(
        cls, folder: str, key: str, params: Mapping[str, Any], *, planned: Iterable[str] = (), fresh: bool = False
    ) -> Journal:
        """Return the journal in `folder`, or a new one; a DataError if it is another run's."""
        content = {"schema_version": run_manifest.SCHEMA_VERSION, "run_key": key, "params": dict(params)}
        content |= {"started": _now(), "planned": list(planned), "code_version": provenance.code_version(), "steps": {}}
        uri = storage.join(folder, MANIFEST)
        if storage.exists(uri):
            found = run_manifest.parse(storage.read(uri), uri)
            if found["run_key"] != key:
                raise DataError("the manifest of another run", where=uri, hint=run_manifest.HINT)
            content = content if fresh else found
        content["owner"] = run_owner.tags()
        return cls(folder, content, _events(storage.join(folder, AUDIT)))

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
        shown = ("status", "started", "ended", "attempts", "error")
        steps = self.content["steps"].items()
        return {name: {key: step[key] for key in shown if key in step} for name, step in steps}

    def run(self, name: str, work: Callable[[], dict[str, Any]]) -> None:
        """Do a step unless it is done; an error is recorded and raised again."""
        before = self.content["steps"].get(name, {})
        if before.get("status") == "done":
            self._note(name, "found done")
            return
        step = {"status": "running", "started": _now(), "attempts": before.get("attempts", 0) + 1}
        spans = before.get("spans", [])
        self.content["steps"][name] = step
        self._note(name, "started")
        self.save()
        _log.info("%s", name)
        try:
            result = self._work(name, work, spans)
            read, written = trail.inputs(result), trail.outputs(result)
        except BaseException as error:
            status = NOTHING if isinstance(error, NothingToDo) else "failed"
            status = status if isinstance(error, Exception) else INTERRUPTED
            step |= {"status": status, "error": _line(error), "spans": spans, **_end()}
            self.save()
            self._note(name, status, error=_line(error))
            raise
        step |= {"status": "done", "result": result, "inputs": read, "outputs": written, "spans": spans, **_end()}
        self.save()
        self._note(name, "done", inputs=read, outputs=written)

    def _work(self, name: str, work: Callable[[], dict[str, Any]], spans: list[dict[str, Any]]) -> dict[str, Any]:
        """Return the result of a step, and add to its spans those that end meanwhile, the first of many."""
        with trace.recorded() as found:
            try:
                with trace.span(name, **{"cabstand.run_key": self.content["run_key"]}) as opened:
                    self.content["trace_id"] = opened.trace_id
                    return dict(json.loads(json.dumps(work(), default=str)))
            finally:
                # The step's own span ends last, and says most.
                room = max(1, MOST_SPANS - len(spans))
                spans += [trace.to_dict(one) for one in [*found[-1:], *found[:room][:-1]]]

    def add(self, step: str = "", **facts: Any) -> None:
        """Add facts to the manifest, or to a step of it; `save`, or the next start or end of a step, writes them."""
        (self.content["steps"][step] if step else self.content).update(facts)

    def save(self) -> None:
        """Write the manifest."""
        storage.write(self.uri, (json.dumps(self.content, indent=1, allow_nan=False) + "\n").encode())

    def _note(self, step: str, event: str, **more: Any) -> None:
        self.audit.append({"at": _now(), "step": step, "event": event, **more})
        lines = "".join(json.dumps(line) + "\n" for line in self.audit)
        storage.write(storage.join(self.folder, AUDIT), lines.encode())


@contextmanager
def claimed(folder: str, key: str, busy: type[CabstandError] = ConflictError) -> Iterator[None]:
    """Keep other processes from a run while the block runs; the error `busy` if one is at work on it.

    Open the journal inside the block: before, another process may still write it.
    """
    claim = _taken(storage.join(folder, CLAIM))
    if claim is None:
        raise busy("another process is at work on this run", where=key, hint=claims.BUSY)
    with claim.held():
        yield


def _taken(uri: str) -> claims.Claim | None:
    """Take a claim; what a killed process started may need a moment to die after it."""
    end = time.monotonic() + DYING_S
    while (claim := claims.take(uri)) is None and time.monotonic() < end:
        time.sleep(0.2)
    return claim


def _events(uri: str) -> list[dict[str, Any]]:
    """Return what a run's audit trail tells; a line that cannot be read, as a disk may leave it, stays as its text."""
    lines = storage.read(uri).decode(errors="replace").splitlines() if storage.exists(uri) else []
    return [_event(line) for line in lines]


def _event(line: str) -> dict[str, Any]:
    try:
        return dict(json.loads(line))
    except (ValueError, TypeError):
        return {"at": None, "step": None, "event": "unreadable", "line": line}


def _line(error: BaseException) -> str:
    return str(error) if isinstance(error, CabstandError) else f"{type(error).__name__}: {error}"[:300]


def _end() -> dict[str, Any]:
    return {"ended": _now(), "peak_rss_mb": round(usage.largest_rss_mb(), 1)}


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
