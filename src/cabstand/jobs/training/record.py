"""What a training leaves behind for its readers: the run in MLflow, the drift reference, the facts of a manifest."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from cabstand.io import registry, versions
from cabstand.modelling import bundle, fit, measures
from cabstand.modelling.coded import CodedRidge
from cabstand.modelling.problem import Examples, Problem
from cabstand.report import model_pictures

REFERENCE_ROWS = 20_000


def reference(problem: Problem, examples: Examples, trained: fit.Trained, seed: int) -> bytes:
    """Return a sample of the training rows as Parquet: request fields, `target`, `prediction` (and `low`, `high`)."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    n = min(REFERENCE_ROWS, len(examples))
    rows = examples.take(np.sort(np.random.default_rng(seed).choice(len(examples), n, replace=False)))
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
    target = io.BytesIO()
    metadata = {"cabstand.schema": "reference", "cabstand.schema_version": "1"}
    pq.write_table(pa.table(table).replace_schema_metadata(metadata), target, compression="zstd")
    return target.getvalue()


def constant(problem: Problem, examples: Examples) -> float:
    """Return the best answer that ignores the request: median, mean or most frequent class by the metric."""
    if problem.task == "classification":
        return float(np.argmax(np.bincount(examples.target.astype(np.int64))))
    return float(np.median(examples.target) if problem.metric == "mae" else np.mean(examples.target))


def span(examples: Examples) -> list[str] | None:
    """Return the first and last instant of rows that have a time."""
    if examples.time is None or not len(examples):
        return None
    return [str(examples.time.min()), str(examples.time.max())]


def coefficients(model: fit.Model) -> dict[str, Any]:
    """Return intercept and number of coefficients of a linear model, for whoever inspects it."""
    estimator = model.point[-1] if hasattr(model.point, "steps") else model.point
    if isinstance(estimator, CodedRidge):
        return {"intercept": estimator.intercept_, "n_coefficients": estimator.n_coefficients_}
    if hasattr(estimator, "coef_"):
        return {"intercept": np.ravel(estimator.intercept_).tolist(), "coefficients": estimator.coef_.tolist()}
    return {}


def write(
    tracked: registry.Run,
    folder: Path,
    problem: Problem,
    trained: fit.Trained,
    holdout: Examples,
    manifest: bundle.Manifest,
    files: Mapping[str, bytes],
) -> None:
    """Log figures, tables, pictures and the model itself."""
    if tracked.id is None:
        return
    matrix = problem.matrix(holdout.columns, trained.assets)
    answer = trained.model.answer(matrix)
    rows = measures.by_segment(measures.losses(problem.metric, holdout.target, answer), holdout.segments)
    tracked.metrics(manifest.metrics)
    tracked.table("candidates.json", trained.table)
    tracked.table("errors.json", rows)
    tracked.table("importance.json", manifest.training["importance"])
    tracked.table("request_example.json", problem.example())
    tracked.table("manifest.json", json.loads(manifest.to_bytes()))
    for name, picture in _pictures(problem, manifest, holdout, answer, rows).items():
        (folder / name).write_bytes(picture)
        tracked.artifact(folder / name, "pictures")
    versions.save_onnx(folder / "model", files[bundle.MODEL], matrix[:5], {k: v[:5] for k, v in answer.items()})
    for path in sorted((folder / "model").rglob("*")):
        if path.is_file():
            tracked.artifact(path, path.parent.relative_to(folder).as_posix())


def _pictures(
    problem: Problem,
    manifest: bundle.Manifest,
    holdout: Examples,
    answer: Mapping[str, Any],
    rows: list[dict[str, Any]],
) -> dict[str, bytes]:
    found = {"importance.png": model_pictures.importance(manifest.training["importance"])}
    if problem.task == "regression":
        bins = measures.calibration(holdout.target, answer["point"])
        found["calibration.png"] = model_pictures.calibration(bins, problem.target.unit)
    for segment in holdout.segments:
        found[f"errors_by_{segment}.png"] = model_pictures.errors(rows, segment, problem.metric, problem.target.unit)
    return found
