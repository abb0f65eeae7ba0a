"""Promote and roll back: judge a challenger against the champion, and change the pointer or record why not."""

from __future__ import annotations

import getpass
import json
import logging
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np

from cabstand.errors import CabstandError, ConfigError, ConflictError, DataError, RegistryError, StorageError
from cabstand.io import bundles, pointer, registry, storage, versions
from cabstand.modelling import bundle, catalog, gate, measures
from cabstand.modelling.gate import GateLimits, Verdict
from cabstand.modelling.pointer import Pointer, first
from cabstand.modelling.predictor import Predictor
from cabstand.modelling.problem import Examples, Problem
from cabstand.settings import Settings

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Params:
    """What to promote.

    Attributes
    ----------
    problem : str
        Name, or path to a Python file.
    version : str
        Bundle's version or the beginning of it; empty is the newest one.
    share : float
        0 makes it champion; above 0 makes it challenger with that share of the requests.
    who, why : str
        For the pointer; empty `who` is the user's name.
    track : bool
        Whether to record the verdict in MLflow and move its aliases.
    dry_run : bool
        Judge, and change nothing.
    """

    problem: str
    version: str = ""
    share: float = 0.0
    who: str = ""
    why: str = ""
    track: bool = True
    dry_run: bool = False


@dataclass(frozen=True)
class Judged:
    """A verdict with all that is needed to act on it."""

    version: str
    verdict: Verdict
    pointer: Pointer | None
    tag: str | None
    holdout: str


def run(settings: Settings, params: Params) -> dict[str, Any]:
    """Judge a version against the champion; change the pointer if it passes; record either outcome with its numbers.

    Raises
    ------
    ConfigError, DataError
        If there is no such version, or its bundle or holdout is damaged.
    RegistryError
        If MLflow does not answer: nothing has changed then.
    StorageError
        If the store does not take the write.
    """
    if not 0 <= params.share < 1:
        raise ConfigError(f"a share of {params.share} cannot be", where="--share", hint="from 0 to below 1")
    problem = catalog.find(params.problem)
    judged = judge(settings, problem, params.version)
    if params.dry_run:
        return {"dry_run": True} | result_of(problem, judged, judged.pointer, judged.verdict.passed)
    if params.track:
        _follow(settings, judged.pointer)
        record_run(settings, problem, judged)
    written, decision = judged.pointer, judged.verdict.passed
    reason = judged.verdict.reason
    if decision:
        try:
            written = publish(settings, problem, judged, params)
        except ConflictError:
            decision, reason = False, "another promotion came first; judge again against the new champion"
            written, _ = pointer.read(settings.artifacts_uri, problem.name)
    result = result_of(problem, judged, written, decision) | {"reason": reason}
    # The aliases first: a record that cannot be written must not leave them behind.
    aliases = {"aliases": settle(settings, written)} if params.track else {}
    return result | {"record_uri": record_file(settings, problem, judged, result)} | aliases


def judge(settings: Settings, problem: Problem, version: str = "") -> Judged:
    """Return the gate's verdict on a version against the champion (or, without one, against the best constant)."""
    artifacts = settings.artifacts_uri
    current, tag = pointer.read(artifacts, problem.name)
    chosen = bundles.resolve(artifacts, problem.name, version) if version else newest(settings, problem.name)
    manifest = manifest_of(artifacts, problem.name, chosen)
    held = manifest.training.get("holdout", {})
    if not held:
        raise DataError("names no frozen holdout", where=f"{problem.name} {chosen}", hint="train it again")
    rows = bundles.read_holdout(artifacts, problem.name, held["sha256"])
    challenger = _losses(artifacts, problem, manifest, rows)
    if current is None:
        champion = _constant_losses(problem, manifest, rows)
    else:
        champion = _losses(artifacts, problem, manifest_of(artifacts, problem.name, current.champion), rows)
    limits = GateLimits(
        settings.gate_min_gain,
        settings.gate_confidence,
        settings.gate_max_segment_loss,
        settings.gate_min_segment_rows,
        settings.gate_resamples,
    )
    verdict = gate.judge(champion, challenger, limits, segments=rows.segments, time=rows.time)
    return Judged(chosen, verdict, current, tag, held["sha256"])


def newest(settings: Settings, problem: str) -> str:
    """Return the version whose bundle was made last."""
    known = bundles.versions(settings.artifacts_uri, problem)
    if not known:
        raise ConfigError("nothing is trained yet", where=problem, hint=f"cabstand train --problem {problem}")
    return max(known, key=lambda one: manifest_of(settings.artifacts_uri, problem, one).created)


def publish(settings: Settings, problem: Problem, judged: Judged, params: Params) -> Pointer:
    """Write the pointer that makes a judged version champion, or challenger with a share."""
    if judged.pointer is None:
        new = first(problem.name, judged.version)
    elif params.share:
        new = judged.pointer.challenged(judged.version, params.share)
    else:
        new = judged.pointer.promoted(judged.version)
    why = params.why or f"gate: {judged.verdict.reason}"
    return pointer.write(settings.artifacts_uri, new, judged.pointer, judged.tag, who=author(params.who), why=why)


def author(given: str) -> str:
    """Return who is acting: as given, else the user's name."""
    try:
        return given or getpass.getuser()
    except (KeyError, OSError):
        return "unknown"


def manifest_of(artifacts: str, problem: str, version: str) -> bundle.Manifest:
    """Return the manifest of a version that must be there."""
    found = bundles.read_manifest(artifacts, problem, version)
    if found is None:
        raise DataError("no such bundle", where=f"{problem} {version}", hint="`cabstand models list` shows those there")
    return found


def _losses(artifacts: str, problem: Problem, manifest: bundle.Manifest, rows: Examples) -> measures.FloatArray:
    names = [name for name in (bundle.MODEL, bundle.ASSETS) if name in manifest.files]
    predictor = Predictor(problem, manifest, bundles.read_files(artifacts, manifest, names))
    return measures.losses(problem.metric, rows.target, predictor.predict(rows.columns))


def _constant_losses(problem: Problem, manifest: bundle.Manifest, rows: Examples) -> measures.FloatArray:
    same = np.full(len(rows), manifest.training["constant"])
    return measures.losses(problem.metric, rows.target, {"point": same, "label": same})


def result_of(problem: Problem, judged: Judged, written: Pointer | None, decision: bool) -> dict[str, Any]:
    """Return what a decision says to the outside."""
    now = pointer.state(written)
    return {
        "problem": problem.name,
        "decision": "promoted" if decision else "refused",
        "reason": judged.verdict.reason,
        "version": judged.version,
        **now,
        "judged_against": judged.pointer.champion if judged.pointer else None,
        "verdict": asdict(judged.verdict),
        "holdout_sha256": judged.holdout,
    }


def record_run(settings: Settings, problem: Problem, judged: Judged) -> None:
    """Record a verdict with its numbers in MLflow."""
    verdict = judged.verdict
    settled = {"problem": problem.name, "challenger": judged.version, "holdout": judged.holdout}
    settled["champion"] = judged.pointer.champion if judged.pointer else "none"
    with registry.run(settings, f"gate {problem.name}", settled) as tracked:
        numbers = ("champion_loss", "challenger_loss", "gain", "gain_low", "n")
        tracked.metrics({name: getattr(verdict, name) for name in numbers})
        tracked.tags({"gate.passed": verdict.passed, "gate.reason": verdict.reason})
        tracked.table("verdict.json", asdict(verdict))


def record_file(settings: Settings, problem: Problem, judged: Judged, result: Mapping[str, Any]) -> str:
    """Record a decision with its numbers beside the bundles, and return where.

    Raises
    ------
    StorageError
        If it cannot be written; what was decided stands, and the message says so.
    """
    now = datetime.now(UTC)
    sequence = judged.pointer.sequence if judged.pointer else 0
    name = f"{sequence:06d}-{judged.version}-{now:%Y%m%dT%H%M%S%f}.json"
    uri = storage.join(settings.artifacts_uri, problem.name, "decisions", name)
    content = {"schema_version": 1, "when": now.isoformat(), **result}
    data = (json.dumps(content, indent=1, allow_nan=False) + "\n").encode()
    try:
        storage.write(uri, data)
    except StorageError as error:
        told = f"{judged.version} is {result['decision']}, but the record of it cannot be written: {error.what}"
        raise StorageError(told, where=uri) from error
    return uri


def _follow(settings: Settings, current: Pointer | None) -> None:
    if current is not None:
        versions.follow(settings, current)


def settle(settings: Settings, current: Pointer | None) -> str:
    """Make the aliases follow and return `in step` or `behind`.

    The pointer is written by then, so that a registry that is down is no failure any more.
    """
    try:
        _follow(settings, current)
    except RegistryError as error:
        _log.warning("the aliases are behind the pointer, and follow at the next command: %s", error)
        return "behind"
    return "in step"


def heal(settings: Settings, problem: str) -> str:
    """Make a problem's aliases say what its pointer says; what every command about models does first."""
    try:
        current, _ = pointer.read(settings.artifacts_uri, problem)
    except CabstandError as error:
        _log.warning("%s", error)
        return "unknown"
    return settle(settings, current)
