"""Run a workflow: its steps in order, each retried and ended as declared, resumed by the journal after a kill."""

from __future__ import annotations

import logging
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from cabstand import trace
from cabstand.errors import CabstandError, ConflictError, DataError, NothingToDo, TaskError
from cabstand.io import provenance, runs, storage, tracing, tracking
from cabstand.io.journal import Journal, claimed
from cabstand.io.signals import exit_on_termination
from cabstand.report import run_pages
from cabstand.settings import Settings
from cabstand.workflows import definitions
from cabstand.workflows.attempts import Attempt, environment
from cabstand.workflows.definitions import Step, Workflow

RESUMED_S = 86_400  # an unfinished run that is older is not taken up again
LONGEST_WAIT_S = 3_600
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Params:
    """Which workflow to run; the fields are the options of `cabstand workflow run`."""

    name: str
    options: Sequence[str] = ()  # of the workflow's task
    scheduled: str = ""  # the time of a schedule's firing: a second delivery finds its run
    file: Path | None = None
    track: bool = True
    again: bool = False
    dry_run: bool = False


def run(settings: Settings, params: Params) -> dict[str, Any]:
    """Run the steps that are not done yet, and return what the journal says of them."""
    workflow = definitions.find(params.name, params.file)
    commands = workflow.commands(params.options)
    key = _key(settings, params, commands)
    folder = storage.join(settings.lake_uri, runs.FOLDER, key)
    if params.dry_run:
        return {"dry_run": True, "run_key": key, "would_write": folder, "steps": commands}
    shown = {"workflow": params.name, "options": list(params.options), "scheduled": params.scheduled}
    opened = partial(Journal.open, folder, key, shown, planned=commands, fresh=params.again)
    journal = opened()
    repeated = journal.is_done(commands)
    if not repeated:
        # A firing that is delivered while the first one works has nothing to do.
        with claimed(folder, key, NothingToDo if params.scheduled else ConflictError):
            journal = opened()
            journal.add(identity=_identity(params, commands))
            _run(settings, params, workflow, journal, commands)
    return {
        "run_key": key,
        "workflow": params.name,
        "repeated": repeated,
        "run_id": journal.content.get("run_id"),
        "trace_id": journal.content.get("trace_id"),
        "steps": journal.times(),
        "results": journal.results,
        "manifest_uri": journal.uri,
        "run_page_uri": storage.join(folder, run_pages.NAME),
    }


def _run(
    settings: Settings, params: Params, workflow: Workflow, journal: Journal, commands: dict[str, list[str]]
) -> None:
    facts = {"run_key": journal.content["run_key"], "options": " ".join(params.options), "scheduled": params.scheduled}
    try:
        with (
            exit_on_termination(),
            trace.span(f"workflow {params.name}"),
            tracking.run(settings, params.name, facts, enabled=params.track) as tracked,
        ):
            journal.add(run_id=tracked.id)
            tracked.tags({"run_key": facts["run_key"]})
            try:
                _steps(settings, workflow, params.name, journal, commands)
            finally:
                _log_to(tracked, journal)
    finally:  # the page of a failed run says why it failed
        _write_page(settings, journal)


def _steps(settings: Settings, workflow: Workflow, name: str, journal: Journal, commands: dict[str, list[str]]) -> None:
    """Do the steps; one that has nothing to do keeps none after it from its work."""
    idle: NothingToDo | None = None
    for step in workflow.steps:
        try:
            _step(settings, name, journal, step, commands[step.name])
        except NothingToDo as error:
            idle = error
    if idle and not journal.results:
        raise idle


def _step(settings: Settings, workflow: str, journal: Journal, step: Step, words: list[str]) -> None:
    """Do a step unless it is done, as often as it may be tried."""
    retrying = Retrying(
        stop=stop_after_attempt(step.attempts),
        wait=wait_random_exponential(multiplier=step.retry_wait_s, max=LONGEST_WAIT_S),
        retry=retry_if_exception_type(TaskError),
        before_sleep=partial(_wait, workflow, journal, step.name),
        reraise=True,
    )
    try:
        retrying(journal.run, step.name, lambda: _attempt(settings, journal, step, words))
    except NothingToDo:
        raise
    except (TaskError, DataError) as error:
        raise type(error)(error.what, where=f"{workflow}, step {step.name}", hint=error.hint) from error


def _attempt(settings: Settings, journal: Journal, step: Step, words: list[str]) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        spans = Path(folder, "spans.jsonl")
        attempt = Attempt(words, step.timeout_min * 60, environment(settings, spans))
        journal.add(step.name, command=words, timeout_s=attempt.timeout_s)
        try:
            return attempt.run()
        finally:
            tracing.relay(spans)
            _keep_log(journal, step, attempt)


def _keep_log(journal: Journal, step: Step, attempt: Attempt) -> None:
    number = journal.content["steps"][step.name]["attempts"]
    uri = storage.join(journal.folder, "logs", f"{step.name}-{number}.log")
    storage.write(uri, attempt.log)
    journal.add(step.name, log_uri=uri, log_tail=attempt.tail)


def _key(settings: Settings, params: Params, commands: dict[str, list[str]]) -> str:
    """Return the key of a firing's run; without one, of a run that did not finish, or of a new one."""
    identity = _identity(params, commands)
    if not params.scheduled and not params.again:
        for found in runs.listed(settings.lake_uri, params.name):
            fresh = found.started and time.time() - runs.at(found.started) < RESUMED_S
            if fresh and found.state != "done" and found.manifest.get("identity") == identity:
                if found.state == "running":
                    raise TaskError("runs already", where=found.key, hint="--again starts another run beside it")
                return found.key
    occurrence = params.scheduled or datetime.now(UTC).isoformat()
    return provenance.run_key(params.name, {}, {"identity": identity, "occurrence": occurrence})


def _identity(params: Params, commands: dict[str, list[str]]) -> str:
    """Return what two runs share that do the same by the same code."""
    return provenance.run_key(params.name, {}, {"steps": commands}).rpartition("-")[2]


def _log_to(tracked: tracking.Run, journal: Journal) -> None:
    """Log what the steps read, how long they took, and the manifest."""
    if tracked.id is None:
        return
    steps = journal.content["steps"]
    read = {one["uri"]: one["sha256"] for step in steps.values() for one in step.get("inputs", ())}
    tracked.inputs([tracking.Source(uri, sha256) for uri, sha256 in read.items()])
    tracked.metrics({f"{name}.seconds": runs.seconds(step) for name, step in steps.items()})
    tracked.metrics({f"{name}.attempts": step["attempts"] for name, step in steps.items()})
    tracked.table("run.json", journal.content)


def _write_page(settings: Settings, journal: Journal) -> None:
    this = runs.Run(journal.folder, journal.content)
    page = run_pages.run(this.manifest, **runs.beside(this, runs.listed(settings.lake_uri, this.name)))
    storage.write(storage.join(journal.folder, run_pages.NAME), page.encode())


def _wait(workflow: str, journal: Journal, step: str, state: RetryCallState) -> None:
    """Say why a step is tried again, and that the run waits for that."""
    error = state.outcome.exception() if state.outcome else None
    wait = state.next_action.sleep if state.next_action else 0
    what = error.what if isinstance(error, CabstandError) else error
    _log.warning("%s, step %s: %s; attempt %d in %.0f s", workflow, step, what, state.attempt_number + 1, wait)
    journal.add(step, status="waiting")
    journal.save()
