"""Judge a version against the champion, on the holdout that was frozen when the version was trained."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cabstand.errors import ConfigError, DataError
from cabstand.io import bundles, pointer
from cabstand.jobs.promotion import attempts, kind
from cabstand.modelling import gate, measures
from cabstand.modelling.bundle import Manifest
from cabstand.modelling.gate import GateLimits, Verdict
from cabstand.modelling.holdout import check_spans
from cabstand.modelling.pointer import Pointer
from cabstand.modelling.problem import Examples, Problem
from cabstand.settings import Settings


@dataclass(frozen=True)
class Judged:
    """The gate's verdict on a version."""

    problem: str
    version: str  # the challenger
    verdict: Verdict
    pointer: Pointer | None  # names the champion it was judged against; None if that was the best constant
    holdout: str  # SHA-256 of the rows
    synthetic: bool  # whether it was trained on synthetic data


def judge(settings: Settings, problem: Problem, version: str = "", *, register: bool = True) -> Judged:
    """Judge a version (by default the newest) against the champion or, without one, against the best constant.

    With `register`, the attempt counts: later ones against the same champion on the same rows need more confidence.
    """
    artifacts = settings.artifacts_uri
    current, _ = pointer.read(artifacts, problem.name)
    chosen = bundles.resolve(artifacts, problem.name, version) if version else _newest(artifacts, problem.name)
    manifest = bundles.read_manifest(artifacts, problem.name, chosen)
    against = bundles.read_manifest(artifacts, problem.name, current.champion) if current else None
    kind.require_same(settings, manifest, against)
    holdout = _holdout(manifest)
    rows = bundles.read_holdout(artifacts, problem.name, holdout)
    challenger = _losses(artifacts, problem, manifest, rows)
    champion = _losses(artifacts, problem, against, rows) if against else _constant_losses(problem, manifest, rows)
    attempt = attempts.number(settings, manifest, current.champion if current else None, register=register)
    verdict = gate.judge(
        champion, challenger, _limits(settings), segments=rows.segments, time=rows.time, attempt=attempt
    )
    return Judged(problem.name, chosen, verdict, current, holdout, manifest.synthetic)


def _holdout(manifest: Manifest) -> str:
    """Return the hash of a version's held-out rows, which it must not know."""
    training, where = manifest.training, f"{manifest.problem} {manifest.version}"
    holdout = training.get("holdout", {})
    if not holdout.get("sha256"):
        raise DataError("names no frozen holdout", where=where, hint="train it again")
    if training.get("span") and holdout.get("span"):
        check_spans(training["span"], holdout["span"], f"holdout of {where}")
    return str(holdout["sha256"])


def _newest(artifacts: str, problem: str) -> str:
    known = bundles.versions(artifacts, problem)
    if not known:
        raise ConfigError("nothing is trained yet", where=problem, hint=f"cabstand train --problem {problem}")
    return max(known, key=lambda version: bundles.read_manifest(artifacts, problem, version).created)


def _limits(settings: Settings) -> GateLimits:
    return GateLimits(
        settings.gate_min_gain,
        settings.gate_confidence,
        settings.gate_max_segment_loss,
        settings.gate_min_segment_rows,
        settings.gate_resamples,
    )


def _losses(artifacts: str, problem: Problem, manifest: Manifest, rows: Examples) -> measures.FloatArray:
    answers = bundles.predictor(artifacts, problem, manifest).predict(rows.columns)
    return measures.losses(problem.metric, rows.target, answers)


def _constant_losses(problem: Problem, manifest: Manifest, rows: Examples) -> measures.FloatArray:
    constant = np.full(len(rows), manifest.training["constant"])
    return measures.losses(problem.metric, rows.target, {"point": constant, "label": constant})
