"""Train a problem: read examples, fit the best candidate, export it, publish a bundle and register its version."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from cabstand import log
from cabstand.errors import ConflictError
from cabstand.io import bundles, provenance, registry, tracking
from cabstand.io.tracking import Source
from cabstand.jobs.training import contents, inputs, kind, record
from cabstand.jobs.training.contents import Training
from cabstand.jobs.training.inputs import Inputs
from cabstand.modelling import catalog, fit
from cabstand.modelling import holdout as holdouts
from cabstand.modelling.bundle import Manifest
from cabstand.modelling.problem import Examples, Problem
from cabstand.settings import Settings
from cabstand.thread_limits import one_thread

HOLDOUT_ROWS = 200_000  # the gate judges on these; the metrics come from all held-out rows


@dataclass(frozen=True)
class Params:
    """What to train; the fields are the options of `cabstand train`."""

    problem: str
    input: tuple[str, ...] = ()
    holdout: tuple[str, ...] = ()
    hotspots: str = ""
    seed: int = 0
    track: bool = True
    dry_run: bool = False


def run(settings: Settings, params: Params) -> dict[str, Any]:
    """Train a problem's best candidate and publish it as a bundle, unless the same version exists already."""
    problem = catalog.find(params.problem)
    settings, synthetic = kind.admit(settings, problem, (*params.input, *params.holdout), params.hotspots)
    with ExitStack() as stack:
        found = inputs.fetch(stack, settings.lake_uri, problem, params.input, params.holdout, params.hotspots)
        found = replace(found, synthetic=synthetic)
        version = _version(problem, params, found)
        uri = bundles.base(settings.artifacts_uri, problem.name, version)
        if params.dry_run:
            return {"dry_run": True, "problem": problem.name, "model_version": version, "would_write": uri}
        manifest, reused = bundles.read_whole(settings.artifacts_uri, problem.name, version), True
        if manifest is None:
            manifest, reused = _make(settings, params, problem, found, version)
    number = record.register(settings, manifest) if manifest.run_id and params.track else None
    return {
        "problem": problem.name,
        "synthetic": manifest.synthetic,
        "model_version": version,
        "registry_version": number,
        "candidate": manifest.candidate,
        "metrics": dict(manifest.metrics),
        "run_id": manifest.run_id,
        "bundle_uri": uri,
        "inputs": [{"uri": one.uri, "sha256": one.sha256} for one in found.sources],
        "reused": reused,
    }


def _version(problem: Problem, params: Params, found: Inputs) -> str:
    parameters = {"problem": problem.name, "features": problem.feature_version, "seed": params.seed}
    if source := provenance.sha256_files(catalog.own_files(params.problem)):
        parameters["source"] = source
    return provenance.run_key("m", found.hashes, parameters)[:14]


def _make(settings: Settings, params: Params, problem: Problem, found: Inputs, version: str) -> tuple[Manifest, bool]:
    """Train and publish the bundle; return its manifest, and whether another training was first to publish it."""
    import sklearn  # noqa: F401  (its OpenMP must be loaded before it can be limited)

    examples, holdout = _examples(problem, params, found)
    parameters = {"problem": problem.name, "seed": params.seed, "rows": len(examples), "holdout_rows": len(holdout)}
    learned = [one for one in found.sources if one.use == inputs.TRAINING]
    learned = learned or [Source(problem.name, bundles.sha256(examples), inputs.TRAINING)]
    with (
        one_thread(),
        tracking.run(
            settings,
            f"train {problem.name}",
            parameters,
            source=tracking.joined(learned),
            inputs=[*learned, *(one for one in found.sources if one.use != inputs.TRAINING)],
            enabled=params.track,
        ) as run,
    ):
        run.tags({registry.KEY: version, registry.BUNDLE: version, "data.synthetic": found.synthetic})
        with log.progress(f"training on {len(examples):,} rows"):
            trained = fit.train(problem, examples, params.seed)
        training = Training(problem, examples, holdout, trained, params.seed)
        return _publish(settings, params, training, found, version, run)


def _publish(
    settings: Settings, params: Params, training: Training, found: Inputs, version: str, run: tracking.Run
) -> tuple[Manifest, bool]:
    """Publish the bundle of a training, then register it: if that fails, the next training of the same does it."""
    artifacts, problem = settings.artifacts_uri, training.problem.name
    frozen = _freeze(settings, training.problem, training.holdout, params.seed)
    manifest, files = contents.build(
        training,
        found.hotspots,
        version=version,
        run_id=run.id or "",
        data={
            "uris": [*params.input],
            "holdout_uris": [*params.holdout],
            "sha256": found.hashes,
            "synthetic": found.synthetic,
        },
        holdout=frozen,
    )
    run.inputs([Source(bundles.holdout_uri(artifacts, problem, frozen["sha256"]), frozen["sha256"], inputs.HOLDOUT)])
    record.log(run, training, manifest)
    try:
        bundles.write(artifacts, manifest, files)
    except ConflictError:
        if published := bundles.read_whole(artifacts, problem, version):
            return published, True
        raise
    if run.id:
        record.register(settings, manifest, training.matrix[:5])
    record.draw(run, training, manifest)
    return manifest, False


def _examples(problem: Problem, params: Params, found: Inputs) -> tuple[Examples, Examples]:
    """Return the rows to train on and the rows to judge on."""
    with log.progress("reading"):
        examples = problem.load(found.paths, found.extras)
        if not found.holdout:
            examples, holdout = fit.split(examples, 0.2, params.seed)
        else:
            holdout = problem.load(found.holdout, found.extras)
    fit.check(problem, holdout, "holdout")
    if found.holdout:
        holdouts.check_apart(examples, holdout)
    return examples, holdout


def _freeze(settings: Settings, problem: Problem, holdout: Examples, seed: int) -> dict[str, Any]:
    """Store the held-out rows for the gate, or a sample of them, and return what the manifest says of them."""
    n = len(holdout)
    if n > HOLDOUT_ROWS:
        holdout = holdout.take(np.sort(np.random.default_rng(seed).choice(n, HOLDOUT_ROWS, replace=False)))
    sha256 = bundles.write_holdout(settings.artifacts_uri, problem.name, holdout)
    return {"sha256": sha256, "rows": len(holdout), "span": holdouts.span(holdout)}
