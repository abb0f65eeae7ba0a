"""What a training puts into its bundle: the exported model, reference rows, and the manifest."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import cached_property
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from cabstand.clustering.marks import Marks, marks, to_metadata
from cabstand.errors import ConfigError
from cabstand.modelling import bundle, export, fit, measures
from cabstand.modelling import holdout as holdouts
from cabstand.modelling.coded import CodedRidge
from cabstand.modelling.predictor import open_session
from cabstand.modelling.problem import Examples, FeatureMatrix, Problem

LIBRARIES = ("cabstand", "numpy", "scikit-learn", "skl2onnx", "onnx", "onnxruntime", "pyarrow")
REFERENCE_ROWS = 20_000


@dataclass(frozen=True)
class Training:
    """A trained problem with the rows it was trained and judged on."""

    problem: Problem
    examples: Examples
    holdout: Examples
    trained: fit.Trained
    seed: int

    @cached_property
    def matrix(self) -> FeatureMatrix:
        """Features of the holdout, float32 (n, k)."""
        return self.problem.matrix(self.holdout.columns, self.trained.assets)

    @cached_property
    def answer(self) -> dict[str, npt.NDArray[Any]]:
        """The estimator's answers to the holdout, one array for each output."""
        return self.trained.model.answer(self.matrix)

    @cached_property
    def errors(self) -> list[dict[str, Any]]:
        """The mean error on the holdout in each segment."""
        losses = measures.losses(self.problem.metric, self.holdout.target, self.answer)
        return measures.by_segment(losses, self.holdout.segments)


def build(
    training: Training,
    hotspots: Path | None,
    *,
    version: str,
    run_id: str,
    data: Mapping[str, Any],
    holdout: Mapping[str, Any],
) -> tuple[bundle.Manifest, dict[str, bytes]]:
    """Return the manifest and the files of a bundle.

    `hotspots` is a hotspots.npz, `data` the URIs and hashes of the input and whether it is synthetic, `holdout` hash,
    rows and span of the frozen holdout. A model whose ONNX export does not answer as the estimator does is refused with
    a DataError.
    """
    problem = training.problem
    model, metrics, tolerance = _export(training)
    files = _files(training, model, hotspots, marks(synthetic=bool(data.get("synthetic"))))
    manifest = bundle.Manifest(
        problem=problem.name,
        target=asdict(problem.target),
        **{name: getattr(problem, name) for name in ("task", "fields", "feature_version", "feature_names", "outputs")},
        version=version,
        candidate=training.trained.model.candidate,
        tolerance=tolerance,
        files={name: bundle.file_of(content) for name, content in files.items()},
        metrics=metrics,
        interval=_interval(training),
        data=data,
        training=_facts(training) | {"holdout": holdout},
        run_id=run_id,
        libraries={name: _installed(name) for name in LIBRARIES},
        created=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    return manifest, files


def _files(training: Training, model: bytes, hotspots: Path | None, marked: Marks) -> dict[str, bytes]:
    files = {bundle.MODEL: model, bundle.REFERENCE: _reference(training, marked)}
    if hotspots:
        files[bundle.HOTSPOTS] = hotspots.read_bytes()
    if training.trained.assets:
        files[bundle.ASSETS] = bundle.pack_arrays(training.trained.assets)
    return files


def _export(training: Training) -> tuple[bytes, dict[str, float], float]:
    """Return the model as ONNX, its metrics on the holdout, and how far its answers may be from the estimator's."""
    problem, matrix, target = training.problem, training.matrix, training.holdout.target
    model = export.to_onnx(training.trained.model, matrix.shape[1])
    session = open_session(model, problem.name, matrix.shape[1], problem.outputs)
    answer = dict(zip(problem.outputs, session.run(list(problem.outputs), {"features": matrix}), strict=True))
    tolerance = 1e-5 * max(1.0, float(np.max(np.abs(target))))
    parity = export.check_parity(training.trained.model, answer, training.answer, tolerance)
    answer |= {name: answer[name].reshape(len(matrix)) for name in ("point", "low", "high") if name in answer}
    return model, measures.summarise(problem.task, target, answer) | {"parity": parity}, tolerance


def _interval(training: Training) -> dict[str, float]:
    coverage, around = training.problem.coverage, training.trained.model.interval
    if coverage is None or around is None:
        return {}
    return {"coverage": coverage, "below": around.below, "above": around.above}


def _facts(training: Training) -> dict[str, Any]:
    problem, examples, trained = training.problem, training.examples, training.trained
    return {
        "seed": training.seed,
        "candidates": trained.table,
        "rows": len(examples),
        "source": dict(examples.facts),
        "constant": _constant(problem, examples),
        "span": holdouts.span(examples),
        "importance": fit.importance(trained.model, problem, training.holdout, trained.assets, training.seed),
        **_coefficients(trained.model),
    }


def _reference(training: Training, marked: Marks) -> bytes:
    """Return a sample of the training rows as Parquet: request fields, `target`, `prediction` (and `low`, `high`)."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    problem, trained, n = training.problem, training.trained, len(training.examples)
    chosen = np.random.default_rng(training.seed).choice(n, min(REFERENCE_ROWS, n), replace=False)
    rows = training.examples.take(np.sort(chosen))
    answer = trained.model.answer(problem.matrix(rows.columns, trained.assets))
    table = {name: pa.array(values) for name, values in rows.columns.items()}
    if problem.task == "classification":
        classes = np.asarray(problem.target.classes)
        table |= {"target": pa.array(classes[rows.target]), "prediction": pa.array(classes[answer["label"]])}
    else:
        table |= {"target": pa.array(rows.target), "prediction": pa.array(answer["point"])}
        table |= {name: pa.array(answer[name]) for name in ("low", "high") if name in answer}
    if rows.time is not None and "time" not in table:
        table["time"] = pa.array(rows.time)
    written = io.BytesIO()
    metadata = {b"cabstand.schema": b"reference", b"cabstand.schema_version": b"1", **to_metadata(marked)}
    pq.write_table(pa.table(table).replace_schema_metadata(metadata), written, compression="zstd")
    return written.getvalue()


def _constant(problem: Problem, examples: Examples) -> float:
    """Return the best answer that ignores the request: median, mean or most frequent class, by the metric."""
    if problem.task == "classification":
        return float(np.argmax(np.bincount(examples.target.astype(np.int64))))
    return float(np.median(examples.target) if problem.metric == "mae" else np.mean(examples.target))


def _coefficients(model: fit.Model) -> dict[str, Any]:
    """Return the intercept of a linear model, and its coefficients or their number."""
    estimator = model.point[-1] if hasattr(model.point, "steps") else model.point
    if isinstance(estimator, CodedRidge):
        return {"intercept": estimator.intercept_, "n_coefficients": estimator.n_coefficients_}
    if hasattr(estimator, "coef_"):
        return {"intercept": np.ravel(estimator.intercept_).tolist(), "coefficients": estimator.coef_.tolist()}
    return {}


def _installed(name: str) -> str:
    try:
        return installed(name)
    except PackageNotFoundError as error:
        raise ConfigError(f"{name} is not installed", hint="pip install '.[batch]'") from error
