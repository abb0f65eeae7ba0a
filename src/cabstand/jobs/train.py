"""Train: read examples, hold the latest out, fit, export, prove, publish a bundle and register it."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed
from pathlib import Path
from typing import Any

import numpy as np

from cabstand import log
from cabstand.errors import ConfigError
from cabstand.io import bundles, provenance, registry, versions
from cabstand.jobs.training import inputs as sources
from cabstand.jobs.training import record
from cabstand.jobs.training.inputs import Inputs
from cabstand.modelling import bundle, catalog, export, fit, measures
from cabstand.modelling.predictor import open_session
from cabstand.modelling.problem import Examples, Problem
from cabstand.settings import Settings

LIBRARIES = ("cabstand", "numpy", "scikit-learn", "skl2onnx", "onnx", "onnxruntime", "pyarrow")
HOLDOUT_ROWS = 200_000  # what the gate judges on; figures of the report come from all held-out rows


@dataclass(frozen=True)
class Params:
    """What to train.

    Attributes
    ----------
    problem : str
        Name, or path to a Python file.
    input : tuple of str
        URIs of files or prefixes.
    holdout : tuple of str
        URIs of later data to judge on; empty holds out the latest rows of the input.
    hotspots : str
        URI of a hotspots.npz to put into the bundle; empty for none.
    seed : int
        Of every random choice.
    track : bool
        Whether to log to MLflow and register the version.
    dry_run : bool
        Say what would be done, and do nothing.
    """

    problem: str
    input: tuple[str, ...] = ()
    holdout: tuple[str, ...] = ()
    hotspots: str = ""
    seed: int = 0
    track: bool = True
    dry_run: bool = False


def run(settings: Settings, params: Params) -> dict[str, Any]:
    """Train a problem's best candidate and publish it as a bundle; a version that is there already is not made again.

    Raises
    ------
    ConfigError, DataError
        If the problem or its input is wrong, or the exported model does not answer as the estimator does.
    StorageError, RegistryError
        If the store or MLflow refuses; no bundle is published then.
    """
    problem = catalog.find(params.problem)
    with ExitStack() as stack:
        inputs = sources.fetch(stack, settings.lake_uri, problem, params.input, params.holdout, params.hotspots)
        version = _version(problem, params, inputs)
        place = bundles.base(settings.artifacts_uri, problem.name, version)
        if params.dry_run:
            return {"dry_run": True, "problem": problem.name, "model_version": version, "would_write": place}
        manifest = bundles.read_whole(settings.artifacts_uri, problem.name, version)
        reused = manifest is not None
        if manifest is None:
            import sklearn  # noqa: F401  (its OpenMP must be loaded before it can be limited)

            with fit.one_thread():
                manifest = _make(settings, params, problem, inputs, version)
    number = versions.register(settings, problem.name, version, manifest.run_id) if manifest.run_id else None
    return {
        "problem": problem.name,
        "model_version": version,
        "registry_version": number,
        "candidate": manifest.candidate,
        "metrics": dict(manifest.metrics),
        "run_id": manifest.run_id,
        "bundle_uri": place,
        "reused": reused,
    }


def _version(problem: Problem, params: Params, inputs: Inputs) -> str:
    settled: dict[str, Any] = {"features": problem.feature_version, "seed": params.seed}
    if params.problem.endswith(".py"):
        settled["source"] = provenance.sha256_file(Path(params.problem))
    return provenance.run_key("m", inputs.hashes, settled | {"problem": problem.name})[:14]


def _examples(problem: Problem, params: Params, inputs: Inputs) -> tuple[Examples, Examples]:
    with log.progress("reading"):
        examples = problem.load(inputs.paths, inputs.extras)
        if inputs.holdout:
            return examples, problem.load(inputs.holdout, inputs.extras)
    return fit.split(examples, 0.2, params.seed)


def _make(settings: Settings, params: Params, problem: Problem, inputs: Inputs, version: str) -> bundle.Manifest:
    examples, holdout = _examples(problem, params, inputs)
    fit.check(problem, holdout, "holdout")
    settled = {"problem": problem.name, "seed": params.seed, "rows": len(examples), "holdout_rows": len(holdout)}
    name = params.input[0] if params.input else problem.name
    source = registry.Source(name, provenance.run_key("data", inputs.hashes, {}).rsplit("-", 1)[-1])
    if params.track:
        versions.close_stale(settings, version)
    with registry.run(settings, f"train {problem.name}", settled, source=source, enabled=params.track) as tracked:
        tracked.tags({versions.KEY: version, "bundle": version})
        with log.progress(f"training on {len(examples):,} rows"):
            trained = fit.train(problem, examples, params.seed)
        files, facts = _export(problem, trained, holdout)
        if inputs.hotspots:
            files[bundle.HOTSPOTS] = inputs.hotspots.read_bytes()
        files[bundle.REFERENCE] = record.reference(problem, examples, trained, params.seed)
        if trained.assets:
            files[bundle.ASSETS] = bundle.pack_arrays(trained.assets)
        facts["training"] |= {
            "seed": params.seed,
            "candidates": trained.table,
            "rows": len(examples),
            "source": dict(examples.facts),
            "constant": record.constant(problem, examples),
            "span": record.span(examples),
            "importance": fit.importance(trained.model, problem, holdout, trained.assets, params.seed),
            "holdout": _freeze(settings, problem, holdout, params.seed),
            **record.coefficients(trained.model),
        }
        manifest = bundle.Manifest(
            problem=problem.name,
            version=version,
            task=problem.task,
            candidate=trained.model.candidate,
            fields=problem.fields,
            feature_version=problem.feature_version,
            feature_names=problem.feature_names,
            outputs=problem.outputs,
            target=asdict(problem.target),
            files={key: bundle.file_of(data) for key, data in files.items()},
            data={"uris": [*params.input], "holdout_uris": [*params.holdout], "sha256": inputs.hashes},
            run_id=tracked.id or "",
            libraries=_libraries(),
            created=datetime.now(UTC).isoformat(timespec="seconds"),
            **facts,
        )
        with tempfile.TemporaryDirectory(prefix="cabstand-") as scratch:
            record.write(tracked, Path(scratch), problem, trained, holdout, manifest, files)
        bundles.write(settings.artifacts_uri, manifest, files)
    return manifest


def _export(problem: Problem, trained: fit.Trained, holdout: Examples) -> tuple[dict[str, bytes], dict[str, Any]]:
    """Return the model's file and what the manifest says of it; raises unless file and estimator agree."""
    model = trained.model
    matrix = problem.matrix(holdout.columns, trained.assets)
    data = export.to_onnx(model, matrix.shape[1])
    session = open_session(data, problem.name, matrix.shape[1], problem.outputs)
    answer = dict(zip(problem.outputs, session.run(list(problem.outputs), {"features": matrix}), strict=True))
    tolerance = 1e-5 * max(1.0, float(np.max(np.abs(holdout.target))))
    worst = export.check_parity(model, answer, matrix, tolerance)
    answer = {name: values.reshape(len(matrix), -1).squeeze(1) if name in ("point", "low", "high") else values
              for name, values in answer.items()}  # fmt: skip
    metrics = measures.summarise(problem.task, holdout.target, answer) | {"parity": worst}
    around = model.interval
    interval = {"coverage": problem.coverage, "below": around.below, "above": around.above} if around else {}
    return {bundle.MODEL: data}, {"metrics": metrics, "tolerance": tolerance, "interval": interval, "training": {}}


def _freeze(settings: Settings, problem: Problem, holdout: Examples, seed: int) -> dict[str, Any]:
    n = len(holdout)
    if n > HOLDOUT_ROWS:
        holdout = holdout.take(np.sort(np.random.default_rng(seed).choice(n, HOLDOUT_ROWS, replace=False)))
    sha256 = bundles.write_holdout(settings.artifacts_uri, problem.name, holdout)
    return {"sha256": sha256, "rows": len(holdout), "span": record.span(holdout)}


def _libraries() -> Mapping[str, str]:
    found = {}
    for name in LIBRARIES:
        try:
            found[name] = installed(name)
        except PackageNotFoundError as error:
            raise ConfigError(f"{name} is not installed", hint="pip install 'cabstand[train]'") from error
    return found
